"""Energy, money and carbon of a run, by pool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    facility_j: Floats  # (idle + dynamic) x PUE of the site
    owner_usd: Floats  # owning or renting all replicas over the span
    energy_usd: Floats  # facility energy at the site's price
    carbon_kg: Floats  # facility energy at the site's grid intensity
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
    sites = [fleet.sites[pool.site] for pool in pools]
    replicas = np.array([pool.replicas for pool in pools], np.float64)
    pue = np.array([site.pue for site in sites], np.float64)
    usd_per_hour = np.array([replica.usd_per_hour for replica in result.replicas], np.float64)
    idle_w = np.array([replica.table.idle_w for replica in result.replicas], np.float64)

    idle_j = idle_w * replicas * result.span_s
    dynamic_j = result.series["energy_j"].sum(axis=1)
    facility_j = (idle_j + dynamic_j) * pue
    kwh = facility_j / JOULES_PER_KWH
    carbon_kg = kwh * np.array([site.kg_per_kwh for site in sites], np.float64)
    return Accounts(
        idle_j=idle_j,
        dynamic_j=dynamic_j,
        facility_j=facility_j,
        owner_usd=usd_per_hour * replicas * result.span_s / 3600.0,
        energy_usd=kwh * np.array([site.usd_per_kwh for site in sites], np.float64),
        carbon_kg=carbon_kg,
        carbon_usd=carbon_kg * fleet.carbon_price_usd_per_kg,
        metered_usd=_metered_usd(result, pools),
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
