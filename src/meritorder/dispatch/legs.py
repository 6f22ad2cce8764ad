"""Legs: the ways on from pools that compute prompts to those that decode them, as further entries of the services.

A leg is chosen on by the same policies as a service: it has the service's token rate and weight, no TTFT (that is
over by then), and is never refused.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from meritorder.catalog.accelerator import USUAL_SCALE_OUT
from meritorder.dispatch.state import CHOICE, SERVICE
from meritorder.fleet.links import Path, path_between
from meritorder.fleet.schema import Fleet, Pool
from meritorder.perf.replica import Replica
from meritorder.records import Records, records


def add_legs(
    fleet: Fleet, replicas: Sequence[Replica], pools: Records, services: Records, choices: Records
) -> tuple[Records, Records]:
    """`services` and `choices` with the legs of all pools that compute prompts behind them.

    The context of such a pool is limited to what can be decoded behind it.
    """
    paths = paths_of(fleet, replicas)
    names, links = list(fleet.pools), list(fleet.links)
    legs: list[Records] = []
    ways: list[Records] = []
    for s, service in zip(services, fleet.services.values(), strict=True):
        for c in range(s.first + s.whole, s.first + s.count):
            start = int(choices[c].pool)
            allowed = service.pools or names
            ends = [name for name in allowed if (names[start], name) in paths]
            leg = records(1, SERVICE)
            leg[0] = s
            leg.ttft_s, leg.sheds = np.inf, 0
            leg.first, leg.count, leg.whole = len(choices) + sum(map(len, ways)), len(ends), len(ends)
            way = records(len(ends), CHOICE)
            for w, name in zip(way, ends, strict=True):
                w.pool = names.index(name)
                _lay(w, paths[names[start], name], fleet, fleet.pools[name], links)
            choices[c].leg, choices[c].layerwise = len(services) + len(legs), way.layerwise.any()
            pools[start].max_context = min(pools[start].max_context, pools[way.pool].max_context.max())
            legs.append(leg)
            ways.append(way)
    return _joined(services, legs), _joined(choices, ways)


def paths_of(fleet: Fleet, replicas: Sequence[Replica]) -> dict[tuple[str, str], Path]:
    """What a KV cache meets between each pool that computes prompts and each that can decode them."""
    ports = {
        name: replica.accelerators * _port(fleet, pool)
        for (name, pool), replica in zip(fleet.pools.items(), replicas, strict=True)
    }
    starts = [name for name, pool in fleet.pools.items() if pool.role == "prefill"]
    ends = [name for name, pool in fleet.pools.items() if pool.role == "decode"]
    pairs = [(a, b) for a in starts for b in ends if fleet.pools[a].model == fleet.pools[b].model]
    paths = {pair: path_between(fleet, *pair, ports) for pair in pairs}
    return {pair: path for pair, path in paths.items() if path is not None}


def _port(fleet: Fleet, pool: Pool) -> float:
    """Bytes a second that one chip of a pool sends or takes; nobody says it of a measured machine."""
    return fleet.accelerators[pool.accelerator].scale_out if pool.accelerator is not None else USUAL_SCALE_OUT


def _lay(way: Records, path: Path, fleet: Fleet, pool: Pool, links: list[str]) -> None:
    """Write what a KV cache, in the format of the pool that it goes to, meets on its way."""
    model = fleet.models[pool.model]
    bandwidth = min(path.bandwidth, path.total or np.inf)
    way.layerwise, way.latency_s, way.last_layer = path.layerwise, path.latency, 1.0 / model.layers
    way.request_s = (model.window_kv_bytes(pool.kv) + model.state_bytes) / bandwidth
    way.token_s = model.kv_bytes_per_token(pool.kv) / bandwidth
    way.pipe = links.index(path.link) if path.total else -1
    way.of_pipe = bandwidth / path.total if path.total else 0.0


def _joined(first: Records, more: list[Records]) -> Records:
    return np.concatenate([first, *more]).view(np.recarray) if more else first
