"""Energy, money, carbon and water of a run, by pool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from meritorder.fleet.schema import Pool
from meritorder.simulate.result import Status
from meritorder.simulate.transfers import decoded_in
from meritorder.units import JOULES_PER_KWH

if TYPE_CHECKING:
    from meritorder.simulate.result import Result

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Accounts:
    """What each pool drew and cost over the span of the run; every array has one entry a pool."""

    idle_j: Floats  # IT joules that all replicas draw whether they work or not
    dynamic_j: Floats  # IT joules above idle
    facility_j: Floats  # with a site model: IT, losses and cooling; without: (idle + dynamic) x PUE of the site
    owner_usd: Floats  # owning or renting all replicas over the span
    energy_usd: Floats  # what the meter counted, at the price of the hour; without a site model: at the site's mean
    carbon_kg: Floats  # the same of the grid's carbon
    water_l: Floats  # evaporated for cooling; 0 without a site model
    carbon_usd: Floats  # at the fleet's carbon price
    metered_usd: Floats  # prompt and output tokens at the prices of a metered API

    @property
    def it_j(self) -> Floats:
        """IT joules: idle and dynamic."""
        return self.idle_j + self.dynamic_j

    @property
    def cost_usd(self) -> Floats:
        """All costs together."""
        return self.owner_usd + self.energy_usd + self.carbon_usd + self.metered_usd


def accounts(result: Result) -> Accounts:
    """The accounts of a run: every replica is paid and idles for the whole span, used or not."""
    fleet = result.fleet
    pools = list(fleet.pools.values())
    replicas = np.array([pool.replicas for pool in pools], np.float64)
    usd_per_hour = np.array([replica.usd_per_hour for replica in result.replicas], np.float64)
    taken = _by_meter(result) if result.facility is not None else _by_constants(result)
    return Accounts(
        idle_j=taken.it_j - taken.dynamic_j,
        dynamic_j=taken.dynamic_j,
        facility_j=taken.facility_j,
        owner_usd=usd_per_hour * replicas * result.span_s / 3600.0,
        energy_usd=taken.usd,
        carbon_kg=taken.carbon_kg,
        carbon_usd=taken.carbon_kg * fleet.carbon_price_usd_per_kg,
        water_l=taken.water_l,
        metered_usd=_metered_usd(result, pools),
    )


class _Taken(NamedTuple):
    """What each pool took from its site."""

    it_j: Floats
    dynamic_j: Floats
    facility_j: Floats
    usd: Floats
    carbon_kg: Floats
    water_l: Floats


def _by_constants(result: Result) -> _Taken:
    """Where nothing is known of buildings but a PUE: constant price and carbon."""
    pools = list(result.fleet.pools.values())
    sites = [result.fleet.sites[pool.site] for pool in pools]
    replicas = np.array([pool.replicas for pool in pools], np.float64)
    idle_w = np.array([replica.table.idle_w for replica in result.replicas], np.float64)
    dynamic_j = result.series["energy_j"].sum(axis=1)
    it_j = idle_w * replicas * result.span_s + dynamic_j
    facility_j = it_j * np.array([site.pue for site in sites], np.float64)
    kwh = facility_j / JOULES_PER_KWH
    return _Taken(
        it_j,
        dynamic_j,
        facility_j,
        usd=kwh * np.array([site.usd_per_kwh for site in sites], np.float64),
        carbon_kg=kwh * np.array([site.kg_per_kwh for site in sites], np.float64),
        water_l=np.zeros(len(pools)),
    )


def _by_meter(result: Result) -> _Taken:
    """The site model's own totals, which know the hour's weather, price and carbon, and which machines were down.

    Of a sampled fleet the building holds all machines: the part of those simulated is taken, as of requests and costs.
    """
    assert result.facility is not None
    pools = result.facility.pools
    whole = 1.0 if result.weights is None else result.weights
    columns = {
        name: np.array(pools[name], np.float64) / whole
        for name in ("it_total_j", "facility_j", "usd", "co2_kg", "water_l")
    }
    return _Taken(
        columns["it_total_j"],
        np.minimum(result.series["energy_j"].sum(axis=1), columns["it_total_j"]),
        columns["facility_j"],
        columns["usd"],
        columns["co2_kg"],
        columns["water_l"],
    )


def _metered_usd(result: Result, pools: Sequence[Pool]) -> Floats:
    """What a metered API charges: prompts that were started, and outputs that were delivered in full."""
    trace = result.trace

    def tokens(pool: npt.NDArray[np.int32], column: npt.NDArray[np.integer], mask: npt.NDArray[np.bool_]) -> Floats:
        mask = mask & (pool >= 0)
        return np.bincount(pool[mask], column[mask], minlength=len(pools)).astype(np.float64)

    prompts = tokens(result.pool, trace.prompt_tokens, ~np.isnan(result.start_s))
    outputs = tokens(decoded_in(result), trace.output_tokens, result.status == Status.COMPLETED)
    per_prompt = np.array([spec.usd_per_mtok_prompt for spec in pools], np.float64)
    per_output = np.array([spec.usd_per_mtok_output for spec in pools], np.float64)
    return (prompts * per_prompt + outputs * per_output) * 1e-6
