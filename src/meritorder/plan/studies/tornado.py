"""Sensitivities: what happens to cost and megawatts if one figure is at the low or the high end of its range.

Each end is planned again, not just priced: another price may buy another system. All are compared on the same footing,
which is **not** that of the plan: one scenario in which all other figures are at their best, and the linear relaxation
(fractions of blocks and systems). That is a lower bound, but differences are what is shown. Two linear programs a
range, each going on from the basis of the first.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

import highspy
import numpy as np

from meritorder.fleet.schema import Fleet
from meritorder.plan.instance import Instance
from meritorder.plan.linear import share_threads
from meritorder.plan.model import formulate
from meritorder.plan.studies.findings import Bar, Tornado
from meritorder.plan.studies.ranges import Ranged, at_best, ranges_of

HOW = "linear relaxation, one scenario with all other figures at their best"


def tornado(fleet: Fleet, assembled: Callable[[Fleet], Instance]) -> Tornado:
    """Sensitivities of a fleet file's plan to all its ranges. `assembled`: the problem of a file with other figures."""
    begin = perf_counter()
    relaxed = Relaxed()
    usd, nameplate = relaxed.cost(assembled(at_best(fleet)))
    bars = [_bar(relaxed, assembled, one, usd, nameplate) for one in ranges_of(fleet)]
    bars.sort(key=lambda bar: (-_width(bar), bar.name))
    return Tornado(tuple(bars), usd, nameplate, HOW, perf_counter() - begin)


class Relaxed:
    """Solves relaxations that are alike, each from the last basis of its size."""

    def __init__(self) -> None:
        self._basis: dict[tuple[int, int], highspy.HighsBasis] = {}

    def cost(self, instance: Instance) -> tuple[float, float]:
        """Least cost, USD, and expected nameplate at the end, W; NaN where there is no plan."""
        formulated = formulate(instance, whole=np.zeros(len(instance.names.systems), bool))
        arrays = formulated.arrays()
        solver = arrays.passed(relax=True)
        size = (len(arrays.cost), len(arrays.row_lower))
        share_threads(1)
        for name, value in {"threads": 1, "random_seed": 0}.items():
            solver.setOptionValue(name, value)
        if size in self._basis:
            solver.setBasis(self._basis[size])
        solver.run()
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return float("nan"), float("nan")
        self._basis.setdefault(size, solver.getBasis())
        columns = formulated.columns.systems[-1]  # [J,S,H]
        values = np.where(columns >= 0, np.array(solver.getSolution().col_value)[columns], 0.0)
        power = (values * instance.stock.nameplate_w).sum(axis=(1, 2))
        objective = solver.getInfo().objective_function_value
        return float(objective * formulated.draft.scale.usd), float(instance.demand.probability @ power)


def _bar(relaxed: Relaxed, assembled: Callable[[Fleet], Instance], one: Ranged, usd: float, nameplate: float) -> Bar:
    (low, low_w), (high, high_w) = (relaxed.cost(assembled(end)) for end in one.ends)
    return Bar(one.name, one.key, one.low, one.high, (low - usd, high - usd), (low_w - nameplate, high_w - nameplate))


def _width(bar: Bar) -> float:
    """How much of the cost it moves; an end without a plan is the widest."""
    return float("inf") if np.isnan(bar.usd).any() else max(bar.usd) - min(bar.usd)
