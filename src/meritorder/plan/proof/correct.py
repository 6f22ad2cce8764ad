"""Capacities corrected by what a plan's own fleets carry in simulation, until plan and simulator agree.

A factor per year, offer and service on the plan's rates: pools grow, and larger ones carry more of it. Who of several
offers took how much says what the dispatcher prefers, not what each could carry: so each is simulated alone, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Generic

import numpy as np

from meritorder.fleet.schema import Fleet
from meritorder.plan.horizon import calendar_year
from meritorder.plan.instance import Bools, Floats, Instance
from meritorder.plan.model.situations import median_scenario
from meritorder.plan.proof.edge import Edge, edges_of
from meritorder.plan.proof.fleets import fleet_at
from meritorder.plan.proof.schedule import Schedule, Solution
from meritorder.plan.proof.tightest import tightest_periods
from meritorder.plan.proof.traffic import Traffic, traffic_from

DAMPING = 0.85  # exponent of a correction, so that chance in one round doesn't swing the next
NO_PLAN = "with the capacities that were simulated no plan keeps all limits: the last one that did is judged"
Told = Callable[[float, str], None]


@dataclass(frozen=True)
class Round:
    """One comparison of plan and simulator: by year and group of services, before anything was corrected by it."""

    edges: tuple[Edge, ...]
    notes: tuple[str, ...]  # groups that have no edge, and why

    @property
    def worst(self) -> float:
        """The largest capacity error, either way."""
        return max((abs(edge.error) for edge in self.edges), default=0.0)

    def agrees(self, error: float) -> bool:
        """Whether all errors are below that, or can't be told from none by so many requests."""
        return all(abs(edge.error) < error or edge.undecided for edge in self.edges)


@dataclass(frozen=True)
class Corrected(Generic[Solution]):
    """The best plan, the factors that led to it, and how far plan and simulator were apart in every round."""

    solution: Solution
    instance: Instance
    factors: Floats  # [T,F] on the rates of what was given
    rounds: tuple[Round, ...]


def correct_until(
    fleet: Fleet,
    full: Instance,
    solve: Callable[[Instance], Solution | None],
    *,
    error: float = 0.02,
    rounds: int = 4,
    seed: int = 0,
    jobs: int = 2,
    first: Solution | None = None,
    told: Told | None = None,
) -> Corrected[Solution]:
    """Solve, compare with the simulator, correct the rates and solve again, until they differ by less than `error`.

    At most `rounds` corrections; the plan of the least error is kept. `first`: the plan of `full`, if it is known.
    `solve` gives None where there is no plan: then the one before stays, and its errors tell why it may not hold.
    """
    say = told or (lambda share, words: None)
    traffic = traffic_from(fleet, full, seed)
    factors = np.ones((len(full.names.periods), len(full.ways.rate)))
    known = np.zeros(factors.shape, bool)
    history: list[Round] = []
    best: tuple[float, Solution, Instance, Floats] | None = None
    for number in range(rounds + 1):
        instance = with_factors(full, factors)
        if number:
            say(number / (rounds + 1), f"solving with corrected capacities, round {number}")
        solution = first if first is not None and number == 0 else solve(instance)
        if solution is None:
            if not history:
                raise ValueError("the instance has no plan that could be proven")
            history[-1] = replace(history[-1], notes=(*history[-1].notes, NO_PLAN))
            break
        say((number + 0.3) / (rounds + 1), "how much the plan's fleets carry in simulation")
        compared = compare(fleet, instance, solution.plan, traffic, seed=seed, jobs=jobs)
        history.append(compared)
        if best is None or compared.worst < best[0]:
            best = (compared.worst, solution, instance, factors)
        if compared.agrees(error):
            break
        change, known = correction(full, compared.edges, known)
        factors = factors * change**DAMPING
    assert best is not None, "there is at least one round"
    _, solution, instance, factors = best
    return Corrected(solution, instance, factors, tuple(history))


def compare(
    fleet: Fleet, instance: Instance, planned: Schedule, traffic: Traffic, *, seed: int = 0, jobs: int = 2
) -> Round:
    """The edges of every year's tightest period, in the scenario in the middle."""
    j = median_scenario(instance)
    finders = []
    for t in tightest_periods(instance, planned.builds[j], j):
        file = fleet_at(fleet, instance, planned.builds[j], t, j=j)
        finders += edges_of(fleet, instance, file, traffic, t, j, seed=seed)
    with ThreadPoolExecutor(max_workers=max(jobs, 1)) as pool:
        found = list(pool.map(lambda find: find(), finders))
    return Round(
        tuple(one for one in found if isinstance(one, Edge)),
        tuple(dict.fromkeys(one for one in found if isinstance(one, str))),
    )


def correction(instance: Instance, edges: Sequence[Edge], known: Bools) -> tuple[Floats, Bools]:
    """[T,F] what the rates should be, in parts of what they are, and for which a plan's own machines have told.

    A year's edge holds in all of its periods. An offer's own error comes from its machines alone; what all of a group
    together carry less or more than the sum of these is shared by them. Offers that the plan has not bought get the
    group's error, unless they are `known` [T,F] from a plan that had.
    """
    ways, demand = instance.ways, instance.demand
    years = np.array([calendar_year(name) for name in instance.names.periods])
    factor, told = np.ones(known.shape), known.copy()
    for edge in edges:
        services = [instance.names.services.index(name) for name in edge.services]
        mine = np.isin(demand.service[ways.cls], services) & (ways.api < 0)
        now = years == years[edge.period]
        common = edge.simulated / edge.planned
        factor[np.ix_(now, mine)] = np.where(known[np.ix_(now, mine)], 1.0, common)
        expected = sum(one.simulated for one in edge.alone) / max(sum(one.planned for one in edge.alone), 1e-12)
        for one in edge.alone:
            own = np.ix_(now, mine & (ways.system == one.system) & (ways.decoder < 0))
            factor[own] = one.simulated / one.planned * common / expected
            told[own] = True
    return np.clip(factor, 0.2, 5.0), told


def with_factors(instance: Instance, factors: Floats) -> Instance:
    """The instance with rates [T,F] so many times as large."""
    known = instance.ways.factors(np.arange(len(instance.names.periods)))
    return replace(instance, ways=replace(instance.ways, factor=known * factors))
