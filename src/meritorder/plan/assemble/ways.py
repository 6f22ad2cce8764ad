"""`Ways`: on what systems, where, or by which API each class can be served, and how much of it a system carries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from meritorder.fleet.network import EVENT_BYTES
from meritorder.fleet.schema import Fleet
from meritorder.plan.capacity import Capacity, Key
from meritorder.plan.demand import DemandTable
from meritorder.plan.instance import Floats, Ways
from meritorder.plan.systems import System, block_of, systems_of

_BYTES_PER_GB = 1e9
_PER_MTOK = 1e-6


@dataclass(frozen=True)
class _Way:
    """One of them, as in `Ways`."""

    cls: int
    site: int = -1
    system: int = -1
    rate: float = 0.0
    joules: float = 0.0
    decoder: int = -1
    decoder_rate: float = 0.0
    decoder_joules: float = 0.0
    api: int = -1
    usd: float = 0.0


def ways_of(fleet: Fleet, demand: DemandTable, capacities: Mapping[Key, Capacity], pools: Floats) -> Ways:
    """All that keep the service's level: simulated goodput of systems above 0 at the round trip, APIs by their word."""
    found = [*_on_systems(fleet, demand, capacities, pools), *_by_apis(fleet, demand)]

    def ints(name: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        return np.array([getattr(way, name) for way in found], np.int64)

    def floats(name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array([getattr(way, name) for way in found], np.float64)

    return Ways(
        cls=ints("cls"),
        site=ints("site"),
        system=ints("system"),
        rate=floats("rate"),
        joules=floats("joules"),
        decoder=ints("decoder"),
        decoder_rate=floats("decoder_rate"),
        decoder_joules=floats("decoder_joules"),
        api=ints("api"),
        usd=floats("usd"),
    )


def _on_systems(fleet: Fleet, demand: DemandTable, capacities: Mapping[Key, Capacity], pools: Floats) -> Iterator[_Way]:
    assert fleet.plan is not None
    offers, systems = list(fleet.plan.offers), systems_of(fleet)
    for key, capacity in capacities.items():
        h, i = offers.index(key.offer), demand.services.index(key.service)
        d = offers.index(key.decode) if key.decode else -1
        for k, (service, region) in enumerate(demand.classes):
            if service != key.service:
                continue
            for s, site in enumerate(fleet.plan.sites):
                if any(block_of(fleet, site, offer) is None for offer in (key.offer, key.decode) if offer):
                    continue
                away = fleet.sites[site].round_trip_s(region)
                usd = _egress_usd(fleet, site, float(demand.output_tokens[k]))
                rate = _rate(capacity, pools[s, h, i], away)
                way = _Way(k, s, h, rate=rate, joules=_joules(capacity, rate, systems[key.offer]), usd=usd)
                if capacity.decode is not None:
                    rate = _rate(capacity.decode, pools[s, d, i], away)
                    joules = _joules(capacity.decode, rate, systems[key.decode])
                    way = replace(way, decoder=d, decoder_rate=rate, decoder_joules=joules)
                if way.rate > 0.0 and (d < 0 or way.decoder_rate > 0.0):
                    yield way


def _rate(capacity: Capacity, replicas: float, rtt_s: float) -> float:
    """Requests/s of one system in a pool of so many replicas."""
    return capacity.rate(replicas, rtt_s) / capacity.replica_systems


def _joules(capacity: Capacity, rate: float, system: System) -> float:
    """Of a request above idle power: as simulated, but no more than a system that is full of them can draw.

    The energy is that of one pool size, whose batches are smaller than those of a larger pool at its higher rate.
    """
    return min(capacity.joules, (system.nameplate_w - system.idle_w) / rate) if rate > 0.0 else capacity.joules


def _by_apis(fleet: Fleet, demand: DemandTable) -> Iterator[_Way]:
    """APIs of the class's model whose word is good enough for its service."""
    assert fleet.plan is not None
    for a, api in enumerate(fleet.plan.apis.values()):
        for k, (name, _) in enumerate(demand.classes):
            service = fleet.services[name]
            fast = service.slo.ttft is None or api.ttft <= service.slo.ttft
            steady = service.slo.token_rate is None or api.token_rate >= service.slo.token_rate
            if service.model == api.model and fast and steady:
                prompt = float(demand.prompt_tokens[k]) * api.usd_per_mtok_prompt
                output = float(demand.output_tokens[k]) * api.usd_per_mtok_output
                yield _Way(k, api=a, usd=_PER_MTOK * (prompt + output))


def _egress_usd(fleet: Fleet, site: str, output_tokens: float) -> float:
    """Of a request's answer, streamed token by token."""
    return fleet.sites[site].egress.usd_per_gb * EVENT_BYTES * output_tokens / _BYTES_PER_GB
