"""A way of ordering, judged by our own full check: it chooses the machines, everything else is planned for it.

Sites, blocks, months of delivery within its orders and placement are optimised as for our own plan, which is more than
these ways do for themselves: what they cost here is a lower bound.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bench.plan_baselines.orders import owed
from meritorder.plan.check import check
from meritorder.plan.hours import choose_hours
from meritorder.plan.instance import Instance
from meritorder.plan.model import Infeasible, Unsolved
from meritorder.plan.optimise import optimise
from meritorder.plan.studies.conflict import explain


@dataclass(frozen=True)
class Judged:
    """What a plan costs on every hour of every scenario, USD."""

    name: str
    objective: float = np.nan  # expected cost + aversion x CVaR, unmet demand at its price
    paid: float = np.nan  # expected, without unmet demand
    unmet: float = np.nan  # share of the demanded tokens, expected
    nameplate_w: float = np.nan  # at the end
    holds: bool = False  # all that must be served is, also in contingencies
    reason: str = ""  # why there is no plan

    @property
    def buildable(self) -> bool:
        """Whether there is a plan at all."""
        return bool(np.isfinite(self.objective))


def judge(
    name: str, full: Instance, limits: Instance, *, hours: int = 6, gap: float = 0.005, threads: int = 1
) -> Judged:
    """The best plan within `limits` (the instance with fewer orders), checked on `full`."""
    try:
        done = optimise(limits, hours=hours, gap=gap, threads=threads)
    except (Infeasible, Unsolved) as error:
        return Judged(name, reason=_why(limits, hours) if isinstance(error, Infeasible) else str(error))
    seen = check(full, done.plan.builds, threads=threads)
    weight = full.demand.probability
    seconds = full.demand.seconds[:, None, :, None] * full.demand.tokens[:, None, None]
    missing = (seen.operation.unmet * seconds).sum(axis=(0, 1, 2)) @ weight
    asked = (full.demand.requests * seconds).sum(axis=(0, 1, 2)) @ weight
    last = np.mean([build.systems[-1].sum(axis=0) @ full.stock.nameplate_w for build in done.plan.builds])
    return Judged(
        name,
        objective=seen.objective,
        paid=float(seen.costs.paid @ weight),
        unmet=float(missing / asked),
        nameplate_w=float(last),
        holds=seen.holds,
    )


def only_supplier(full: Instance, supplier: int) -> Instance:
    """Nothing new from anyone else, but for what a contract demands; no limit on its share."""
    bought = (full.stock.supplier == supplier) | owed(full)
    stock = replace(full.stock, supply=full.stock.supply * bought, option=full.stock.option * bought)
    policy = replace(full.policy, supplier_share=np.ones_like(full.policy.supplier_share))
    return replace(full, stock=stock, policy=policy)


def _why(limits: Instance, hours: int) -> str:
    found = explain(choose_hours(limits, hours))
    return found.limits[0].words if found.limits else "no plan keeps every limit"
