"""What it is worth to decide later, and to be able to shift: the cost without an ability less the cost with it.

* waiting: from period `wait` on each scenario builds for itself, instead of one schedule for all;
* flexible demand: requests that may wait are moved within the day;
* batteries: those that can be bought;
* options: rights to more than the supply.

Each is an optimisation of its own over the hours of the instance, uncertain by the gap, bounded by `time_s`. An
instance of more than `MOST` columns is made smaller (fewer hours, all scenarios); both sides are its relaxations then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter

import numpy as np

from meritorder.plan.held import Held
from meritorder.plan.instance import Bools, Instance
from meritorder.plan.model import Case, Infeasible, Unsolved, first_cases, formulate, solve
from meritorder.plan.outcome import Plan
from meritorder.plan.studies.findings import Value, Values
from meritorder.plan.studies.smaller import smaller

MOST = 40_000


def value_of_waiting(
    instance: Instance,
    plan: Plan,
    *,
    wait: int | None = None,
    cases: Sequence[Case] | None = None,
    whole: Bools | None = None,
    gap: float = 0.005,
    most: int = MOST,
    time_s: float = 120.0,
) -> Values:
    """Values of waiting and flexibility. `wait`: the period in which scenarios part; absent: a third in."""
    begin = perf_counter()
    asked = tuple(first_cases(instance) if cases is None else cases)
    first = max(1, len(instance.names.periods) // 3) if wait is None else wait
    part = smaller(instance, asked, most, scenarios=False)
    how = f"linear relaxation, {part.how}" if part.how else f"MILP, gap {100 * gap:g} %"

    def least(one: Instance) -> float:
        """Least cost; inf: there is no plan, NaN: none was found in time."""
        if part.how:
            formulated = formulate(one, cases=part.cases, whole=np.zeros(len(one.names.systems), bool))
            held = Held(formulated.arrays(), time_s)
            found = held.run()
            return held.objective * formulated.draft.scale.usd if found else np.inf if held.infeasible else np.nan
        try:
            return solve(one, gap=gap, time_s=time_s, cases=asked, whole=whole).objective
        except Infeasible:
            return float("inf")
        except Unsolved:
            return float("nan")

    base = least(part.instance) if part.how else plan.objective
    values = []
    for name, words, other, better in _variants(part.instance, first):
        cost = least(other)
        usd = base - cost if better else cost - base
        values.append(Value(name, words, usd, usd / min(cost, base), how))
    return Values(tuple(values), base, perf_counter() - begin)


def _variants(instance: Instance, first: int) -> list[tuple[str, str, Instance, bool]]:
    """Name, words, instance, and whether it can do more than the plan's."""
    demand, ground, stock, names = instance.demand, instance.ground, instance.stock, instance.names
    found: list[tuple[str, str, Instance, bool]] = []
    together, apart = np.zeros_like(instance.decided), waits(instance, first)
    if len(names.scenarios) > 1 and first < len(names.periods):
        if (instance.decided == 0).all():
            words = f"each scenario builds for itself from {names.periods[first]} on"
            found.append(("waiting", words, replace(instance, decided=apart), True))
        else:
            words = "each scenario builds for itself once it is told apart"
            found.append(("waiting", words, replace(instance, decided=together), False))
    if (demand.shift_h > 0).any():
        still = replace(demand, shift_h=np.zeros_like(demand.shift_h), firm=None)
        found.append(("flexible demand", "requests that may wait are moved", replace(instance, demand=still), False))
    if (ground.battery_most_j > 0).any():
        none = replace(ground, battery_most_j=np.zeros_like(ground.battery_most_j))
        found.append(("batteries", "batteries can be bought", replace(instance, ground=none), False))
    if (stock.option > 0).any():
        none_more = replace(stock, option=np.zeros_like(stock.option), option_all=np.zeros_like(stock.option_all))
        found.append(("options", "more than the supply can be had", replace(instance, stock=none_more), False))
    return found


def waits(instance: Instance, first: int) -> np.ndarray:
    """`decided` of scenarios that part in period `first`."""
    decided = np.zeros_like(instance.decided)
    decided[first:] = np.arange(decided.shape[1])
    return decided
