"""A large instance made smaller, for questions that take many solves.

Kept are the scenario in the middle and the one with most demand, each also for those whose demand is nearest to it;
then the design hour, the busiest and those that tell the rest best, `HOURS` in all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from meritorder.plan.axes import select
from meritorder.plan.hours import choose_hours
from meritorder.plan.instance import Instance
from meritorder.plan.model import Case, median_scenario

HOURS = 3


@dataclass(frozen=True)
class Smaller:
    """An instance with its contingencies; `scenario[j]`: which of its scenarios stands for one of the whole's."""

    instance: Instance
    cases: tuple[Case, ...]
    scenario: tuple[int, ...]
    how: str  # "" where it is the whole


def size_of(instance: Instance) -> int:
    """About the number of columns that operation has."""
    size = instance.shape
    return size["T"] * size["R"] * size["J"] * (size["F"] + size["K"] + 2 * size["B"])


def smaller(instance: Instance, cases: Sequence[Case], most: int, *, scenarios: bool = True) -> Smaller:
    """The instance itself where it has up to `most` columns; else with fewer scenarios (if they may go) and hours."""
    count = len(instance.names.scenarios)
    if size_of(instance) <= most:
        return Smaller(instance, tuple(cases), tuple(range(count)), "")
    part, stands, words = instance, np.arange(count), []
    if scenarios and count > 2:
        total = np.einsum("tkrj,k->j", instance.demand.requests, instance.demand.tokens)
        kept = np.unique([median_scenario(instance), int(total.argmax())])
        # a tie goes to the larger
        stands = np.abs(total[:, None] - total[kept] * (1 + 1e-9)).argmin(axis=1)
        chance = np.bincount(stands, weights=instance.demand.probability, minlength=len(kept)).astype(float)
        part = select(instance, J=kept)
        part = replace(part, demand=replace(part.demand, probability=chance))
        cases = [case._replace(scenario=int(stands[case.scenario])) for case in cases if case.scenario in kept]
        words.append(f"{len(kept)} scenarios")
    if size_of(part) > most and len(part.demand.clock) > HOURS:
        part = choose_hours(part, HOURS)
        words.append(f"{len(part.demand.clock)} hours")
    return Smaller(part, tuple(cases), tuple(int(j) for j in stands), ", ".join(words))
