"""What a plan promises and is tried at: worst hours, what may be lost in them, ordinary days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from meritorder.plan.horizon import calendar_year
from meritorder.plan.instance import Floats, Instance
from meritorder.plan.model.flexible import firm
from meritorder.plan.model.situations import median_scenario
from meritorder.plan.proof.schedule import Schedule
from meritorder.plan.proof.tightest import tightest_periods

Kind = Literal["worst hour", "site", "supplier", "late", "curtail", "day"]
DESIGN = -1  # the design hour is the last of the full instance


@dataclass(frozen=True)
class Case:
    """One thing to simulate."""

    name: str
    kind: Kind
    year: str
    period: int
    scenario: int
    requests: Floats  # [K] requests/s, of a day [K,24]
    share: Floats  # [K] of the demand that this is; the rest the plan doesn't promise to serve then
    contingency: int = -1
    seed: int = 0


def cases_of(instance: Instance, planned: Schedule, *, days: int, seed: int) -> list[Case]:
    """All cases of a plan. `instance`: the full one, with 24 hours and the design hour; `days`: a year.

    Each calendar year is tried in the period that has least to spare: the design hour in the scenario in the middle and
    in that of most demand, every contingency that is asked for in that hour, and days drawn with `seed`.
    """
    middle, most = median_scenario(instance), _highest(instance)
    cases: list[Case] = []
    for j in dict.fromkeys((middle, most)):
        for t in tightest_periods(instance, planned.builds[j], j):
            cases.append(_worst(instance, planned, t, j))
            if j == middle:
                cases += _losses(instance, t, j)
    rng = np.random.default_rng((seed, 5))
    by_year: dict[str, list[int]] = {}
    for t, name in enumerate(instance.names.periods):
        by_year.setdefault(calendar_year(name), []).append(t)
    for year, periods in by_year.items():
        for number in range(days):
            t = int(rng.choice(periods))
            j = int(rng.choice(len(instance.names.scenarios), p=instance.demand.probability))
            cases.append(_day(instance, planned, year, t, j, int(rng.integers(100_003)), number))
    return cases


def _highest(instance: Instance) -> int:
    """The scenario of most demand."""
    demand = instance.demand
    return int(np.einsum("tkrj,k->j", demand.requests, demand.tokens).argmax())


def _worst(instance: Instance, planned: Schedule, t: int, j: int) -> Case:
    asked = instance.demand.requests[t, :, DESIGN, j]
    served = np.zeros(len(asked))
    np.add.at(served, instance.ways.cls, planned.operation.served[t, DESIGN, j])
    served = np.minimum(served, asked)
    period, scenario = instance.names.periods[t], instance.names.scenarios[j]
    name = f"busiest hour of {period}, scenario {scenario}"
    return Case(name, "worst hour", calendar_year(period), t, j, served, _parts(served, asked))


def _losses(instance: Instance, t: int, j: int) -> list[Case]:
    """The contingencies that the plan has to survive in the period, else in the year's last that asks for them."""
    found = []
    year = calendar_year(instance.names.periods[t])
    for index, lost in enumerate(instance.contingencies):
        own = [u for u in np.flatnonzero(lost.periods) if calendar_year(instance.names.periods[u]) == year]
        if not own:
            continue
        u = t if t in own else int(own[-1])
        asked = instance.demand.requests[u, :, DESIGN, j]
        share = lost.share * firm(instance)
        name = f"{lost.name} lost in the busiest hour of {instance.names.periods[u]}"
        if lost.kind in ("late", "curtail"):
            name = f"{lost.name} in the busiest hour of {instance.names.periods[u]}"
        found.append(Case(name, lost.kind, year, u, j, asked * share, share, index))
    return found


def _day(instance: Instance, planned: Schedule, year: str, t: int, j: int, seed: int, number: int) -> Case:
    asked = instance.demand.requests[t, :, :24, j]
    left = np.clip(asked - planned.operation.unmet[t, :, :24, j], 0.0, None)
    name = f"ordinary day {number + 1} of {year}, in {instance.names.periods[t]}, {instance.names.scenarios[j]}"
    return Case(name, "day", year, t, j, left, _parts(left.sum(axis=1), asked.sum(axis=1)), seed=seed)


def _parts(served: Floats, asked: Floats) -> Floats:
    return np.divide(served, asked, out=np.ones_like(served), where=asked > 0.0)
