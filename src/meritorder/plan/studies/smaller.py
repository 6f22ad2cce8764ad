"""A large instance made smaller, for questions that take many solves.

Kept are the scenario in the middle and the one with most demand (with the probability of its half, so that the mean
demand is near), then the design hour, the busiest and, of `hours`, those that tell the rest best.
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
    whole = Smaller(instance, tuple(cases), tuple(range(count)), "")
    if size_of(instance) <= most:
        return whole
    part, kept, words = instance, list(range(count)), []
    if scenarios and count > 2:
        kept = sorted({median_scenario(instance), _largest(instance)})
        part = _of_scenarios(instance, kept)
        words.append(f"{len(kept)} scenarios")
    if size_of(part) > most and len(part.demand.clock) > HOURS:
        part = choose_hours(part, HOURS)
        words.append(f"{len(part.demand.clock)} hours")
    own = tuple(case._replace(scenario=kept.index(case.scenario)) for case in cases if case.scenario in kept)
    middle = kept.index(median_scenario(instance)) if median_scenario(instance) in kept else 0
    return Smaller(part, own, tuple(kept.index(j) if j in kept else middle for j in range(count)), ", ".join(words))


def _largest(instance: Instance) -> int:
    return int(np.einsum("tkrj,k->j", instance.demand.requests, instance.demand.tokens).argmax())


def _of_scenarios(instance: Instance, kept: list[int]) -> Instance:
    """Two scenarios, weighed so that total demand has its mean as nearly as they can."""
    total = np.einsum("tkrj,k->j", instance.demand.requests, instance.demand.tokens)
    mean = float(total @ instance.demand.probability)
    part = select(instance, J=kept)
    if len(kept) == 1 or total[kept[0]] == total[kept[1]]:
        chance = np.full(len(kept), 1.0 / len(kept))
    else:
        second = float(np.clip((mean - total[kept[0]]) / (total[kept[1]] - total[kept[0]]), 0.05, 0.95))
        chance = np.array([1.0 - second, second])
    return replace(part, demand=replace(part.demand, probability=chance))
