"""Capacities corrected by what a plan's own fleets carry in simulation, until plan and simulator agree.

A factor per offer and service on the plan's rates. One rate holds in all periods, so that where pools of different size
carry different shares of it, the least of the years counts: the plan then promises too little, not too much.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Generic

import numpy as np

from meritorder.fleet.schema import Fleet
from meritorder.plan.instance import Floats, Instance
from meritorder.plan.model.situations import median_scenario
from meritorder.plan.proof.edge import Edge, edges_of
from meritorder.plan.proof.fleets import fleet_at
from meritorder.plan.proof.schedule import Schedule, Solution
from meritorder.plan.proof.tightest import tightest_periods
from meritorder.plan.proof.traffic import Traffic, traffic_from

DAMPING = 0.85  # exponent of a correction, so that chance in one round doesn't swing the next
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


@dataclass(frozen=True)
class Corrected(Generic[Solution]):
    """The best plan, the factors that led to it, and how far plan and simulator were apart in every round."""

    solution: Solution
    instance: Instance
    factors: Floats  # [F] on `ways.rate` and `ways.decoder_rate` of what was given
    rounds: tuple[Round, ...]


def correct_until(
    fleet: Fleet,
    full: Instance,
    solve: Callable[[Instance], Solution],
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
    """
    say = told or (lambda share, words: None)
    traffic = traffic_from(fleet, full, seed)
    factors = np.ones(len(full.ways.rate))
    history: list[Round] = []
    best: tuple[float, Solution, Instance, Floats] | None = None
    for number in range(rounds + 1):
        instance = with_factors(full, factors)
        if number:
            say(number / (rounds + 1), f"solving with corrected capacities, round {number}")
        solution = first if first is not None and number == 0 else solve(instance)
        say((number + 0.3) / (rounds + 1), "how much the plan's fleets carry in simulation")
        compared = compare(fleet, instance, solution.plan, traffic, seed=seed, jobs=jobs)
        history.append(compared)
        if best is None or compared.worst < best[0]:
            best = (compared.worst, solution, instance, factors)
        if compared.worst < error or not compared.edges:
            break
        factors = factors * correction(full, compared.edges) ** DAMPING
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


def correction(instance: Instance, edges: Sequence[Edge]) -> Floats:
    """[F] what the rates should be, in parts of what they are.

    Where machines of one offer were all in use, what they carried; else, and for pairs, what all of them together did.
    """
    ways, demand = instance.ways, instance.demand
    factor = np.full(len(ways.rate), np.inf)
    for edge in edges:
        services = [instance.names.services.index(name) for name in edge.services]
        mine = np.isin(demand.service[ways.cls], services) & (ways.api < 0)
        whole = edge.simulated / edge.planned
        for f in np.flatnonzero(mine):
            alone = ways.decoder[f] < 0 and int(ways.system[f]) in edge.loads and len(edge.loads) > 1
            found = edge.loads[int(ways.system[f])] if alone else whole
            factor[f] = min(factor[f], max(found, 0.1))
    return np.where(np.isfinite(factor), factor, 1.0)


def with_factors(instance: Instance, factors: Floats) -> Instance:
    """The instance with rates so many times as large."""
    ways = instance.ways
    return replace(instance, ways=replace(ways, rate=ways.rate * factors, decoder_rate=ways.decoder_rate * factors))
