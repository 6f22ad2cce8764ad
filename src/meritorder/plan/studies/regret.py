"""Regret: what it costs not to know which scenario comes, and what planning for several is worth.

    regret_j  = cost of the plan in j - least cost had j been known (an optimisation of j alone)
    EVPI      = sum_j p_j regret_j                       expected value of perfect information
    VSS       = sum_j p_j (cost of the mean's plan in j - cost of the plan in j)     value of the stochastic solution

The mean's plan is optimal for the mean of the scenarios; what it builds is then run in each of them. Contingencies are
asked for in the scenarios of `cases`, alone as together. All over the hours of the instance. Each optimisation is one
scenario: `1 + scenarios` of them, each bounded by `time_s`. Figures are uncertain by the gap.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

import numpy as np

from meritorder.plan.check import check
from meritorder.plan.instance import Bools, Floats, Instance
from meritorder.plan.model import Case, Infeasible, Unsolved, first_cases, solve
from meritorder.plan.outcome import Plan
from meritorder.plan.studies.findings import Regret
from meritorder.plan.studies.parts import alone, cases_alone, mean_scenario


def regret(
    instance: Instance,
    plan: Plan,
    *,
    cases: Sequence[Case] | None = None,
    whole: Bools | None = None,
    gap: float = 0.005,
    time_s: float = 60.0,
) -> Regret:
    """Regret of a plan for `instance`. `cases`, `whole`: as it was solved with."""
    begin = perf_counter()
    asked = tuple(first_cases(instance) if cases is None else cases)
    probability = instance.demand.probability
    cost = plan.costs.by_scenario
    count = range(len(probability))
    foresight = np.array([_least(alone(instance, j), cases_alone(asked, j), whole, gap, time_s) for j in count])
    mean_cost, unmet = _mean_plan(instance, asked, whole, gap, time_s)
    lost = bool((np.nan_to_num(unmet, nan=1.0) > 0).any())
    return Regret(
        scenarios=instance.names.scenarios,
        probability=probability,
        cost=cost,
        foresight=foresight,
        regret=cost - foresight,
        perfect_information=float(probability @ (cost - foresight)),
        mean_plan=mean_cost,
        mean_unmet=unmet,
        stochastic_solution=float("inf") if lost else float(probability @ (mean_cost - cost)),
        seconds=perf_counter() - begin,
    )


def _least(part: Instance, cases: Sequence[Case], whole: Bools | None, gap: float, time_s: float) -> float:
    """Least cost of a scenario alone; NaN: there is no plan, or none was found in time."""
    try:
        plan = solve(part, gap=gap, time_s=time_s, cases=cases, whole=whole)
    except (Infeasible, Unsolved):
        return float("nan")
    return float(plan.costs.by_scenario[0])


def _mean_plan(
    instance: Instance, cases: Sequence[Case], whole: Bools | None, gap: float, time_s: float
) -> tuple[Floats, Floats]:
    """[J] cost of the mean's plan, and the share of the demand that must be served and isn't."""
    nothing = np.full(len(instance.names.scenarios), np.nan)
    mean = mean_scenario(instance)
    here = {case.scenario for case in cases}
    middle = min(here) if here else 0
    try:
        plan = solve(mean, gap=gap, time_s=time_s, cases=cases_alone(cases, middle), whole=whole)
    except (Infeasible, Unsolved):
        return nothing, nothing
    found = check(instance, plan.build, cases=())
    short = np.einsum("tkrj,k->j", found.short, instance.demand.tokens)
    asked = np.einsum("tkrj,k->j", instance.demand.requests, instance.demand.tokens)
    return found.costs.by_scenario, short / asked
