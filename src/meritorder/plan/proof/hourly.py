"""Power and cost of an hour: what the plan said, and what came of it in simulation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meritorder.plan.instance import Instance
from meritorder.plan.proof.cases import DESIGN, Case
from meritorder.plan.proof.schedule import Schedule
from meritorder.simulate.result import Result, Status
from meritorder.simulate.site_series import site_series

HOUR_S = 3600.0


@dataclass(frozen=True)
class Figure:
    """One quantity of an hour by plan and simulation."""

    what: str  # "IT power", "facility power", "energy and metered tokens"
    unit: str  # "W", "USD/h"
    planned: float
    simulated: float

    @property
    def error(self) -> float:
        """Relative, above 0 where the plan said more; NaN: there was nothing."""
        return self.planned / self.simulated - 1.0 if self.simulated > 0.0 else float("nan")


def figures_of(
    instance: Instance, planned: Schedule, case: Case, result: Result, judged_s: tuple[float, float], k: int
) -> tuple[Figure, ...]:
    """Of the design hour; none where no building was simulated."""
    if result.facility is None:
        return ()
    t, j, operation = case.period, case.scenario, planned.operation
    usd = operation.grid_w[t, DESIGN, j] * instance.ground.usd_per_j[t, :, DESIGN]
    energy_usd = HOUR_S * float(usd.sum() * instance.demand.power_price[j])
    metered_usd = HOUR_S * float(operation.served[t, DESIGN, j] @ instance.ways.usd)
    series = site_series(result)
    middle = (np.arange(series.values["seconds"].shape[1]) + 0.5) * series.bin_s
    inside = (middle >= judged_s[0]) & (middle < judged_s[1])
    seconds = max(float(series.values["seconds"][0, inside].sum()), 1e-9)
    found = {name: float(series.values[name][:, inside].sum()) / seconds for name in ("it_j", "facility_j", "usd")}
    metered = _metered_usd(result, judged_s) * k / (judged_s[1] - judged_s[0])
    return (
        Figure("IT power", "W", float(operation.it_w[t, DESIGN, j].sum()), found["it_j"]),
        Figure("facility power", "W", float(operation.facility_w[t, DESIGN, j].sum()), found["facility_j"]),
        Figure("energy and tokens", "USD/h", energy_usd + metered_usd, HOUR_S * (found["usd"] + metered)),
    )


def _metered_usd(result: Result, judged_s: tuple[float, float]) -> float:
    """What APIs charge for requests that arrive in a stretch of time."""
    pools = list(result.fleet.pools.values())
    prompt = np.array([pool.usd_per_mtok_prompt for pool in pools]) * 1e-6
    output = np.array([pool.usd_per_mtok_output for pool in pools]) * 1e-6
    mine = (result.pool >= 0) & (result.status == Status.COMPLETED)
    mine &= (result.arrival_s >= judged_s[0]) & (result.arrival_s < judged_s[1])
    pool = result.pool[mine]
    return float(prompt[pool] @ result.trace.prompt_tokens[mine] + output[pool] @ result.trace.output_tokens[mine])
