"""`plan`: from a fleet file's `plan` to a build that is optimised, studied and proven."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from meritorder.fleet.schema import Fleet
from meritorder.plan.assemble import assemble, expected_pools, pools_of
from meritorder.plan.capacity import Capacity, Key, capacities, cases_of
from meritorder.plan.demand import demand_of
from meritorder.plan.horizon import Horizon, of
from meritorder.plan.hours import choose_hours
from meritorder.plan.instance import Floats, Instance
from meritorder.plan.model import Infeasible
from meritorder.plan.optimise import Optimised, optimise
from meritorder.plan.outputs.orders import schedule
from meritorder.plan.planned import NoPlan, Planned, Studies
from meritorder.plan.rolling import continued, later_horizon, rest_of
from meritorder.plan.sites import SiteHours, site_hours
from meritorder.plan.slopes import slopes_of
from meritorder.plan.state import State
from meritorder.plan.studies.conflict import explain
from meritorder.plan.studies.stranded import stranded
from meritorder.plan.studies.unit_costs import unit_costs

if TYPE_CHECKING:
    from meritorder.plan.proof.certificate import Certificate

# Opens a stage by its name; the function it gives is told how far the stage is, 0 to 1.
Stage: TypeAlias = Callable[[str], AbstractContextManager[Callable[[float], None]]]

POOL_ROUNDS = 2  # times that rates are set to the pools of the build
RATE_CHANGE = 0.01  # less isn't worth another round
PROOF_ROUNDS = 6  # corrections of capacities by what the plan's fleets carry in simulation
PROOF_ERROR = 0.02  # of capacities against the simulation


@contextmanager
def silent(_: str) -> Iterator[Callable[[float], None]]:
    """A stage that nobody watches."""
    yield lambda _share: None


@dataclass(frozen=True)
class Wanted:
    """How to plan."""

    prove: bool = True
    studies: bool = True
    hours: int | None = None  # that the optimisation looks at; None: as many as the file says
    gap: float = 0.005
    threads: int = 2
    seed: int = 0


@dataclass(frozen=True)
class Given:
    """What the arrays are assembled from."""

    horizon: Horizon  # of the whole plan
    first: int  # first period that is planned
    state: State | None
    capacities: dict[Key, Capacity]
    sites: SiteHours

    def pools(self, fleet: Fleet) -> Floats:
        """Replicas by site, offer and model that the demand lets expect [S,H,M]."""
        return expected_pools(fleet, demand_of(fleet), self.capacities)

    def instance(self, fleet: Fleet, pools: Floats | None = None) -> Instance:
        """The problem in every hour, from where it goes on; `pools`: replicas by site, offer and service."""
        asked = fleet.plan
        assert asked is not None
        full = assemble(fleet, self.horizon, demand_of(fleet), self.capacities, self.sites, pools)
        return full if self.state is None else continued(asked, self.horizon, full, self.state, self.first)


def plan(fleet: Fleet, wanted: Wanted | None = None, *, state: State | None = None, stage: Stage = silent) -> Planned:
    """Plan a fleet whose file has a `plan`; `state`: go on from what has been ordered.

    Raises `NoPlan` where no plan keeps all limits, InputError where an input can't be used.
    """
    wanted = wanted or Wanted()
    asked = fleet.plan
    assert asked is not None
    seconds: dict[str, float] = {}
    staged = _timed(stage, seconds)
    given = _given(fleet, wanted, state, staged)
    hours = wanted.hours or asked.horizon.hours
    full, optimised, pools = _optimised(fleet, given, wanted, hours, staged)
    certificate = None
    if wanted.prove:
        full, optimised, certificate = _proven(fleet, full, optimised, wanted, hours, staged)
    found = Studies()
    if wanted.studies:
        from meritorder.plan.study import study

        slopes = slopes_of(fleet, full, given.capacities, pools)
        found = study(fleet, optimised, slopes, lambda changed: choose_hours(given.instance(changed), hours), staged)
    horizon = later_horizon(given.horizon, given.first)
    return Planned(
        fleet=fleet,
        horizon=horizon,
        instance=full,
        plan=optimised.plan,
        hours=len(optimised.chosen.demand.clock),
        orders=tuple(schedule(asked, horizon, full, optimised.plan.builds)),
        stranded=stranded(full, optimised.plan),
        units=unit_costs(full, optimised.plan),
        studies=found,
        certificate=certificate,
        before=state,
        seed=wanted.seed,
        seconds=seconds,
    )


def _timed(stage: Stage, seconds: dict[str, float]) -> Stage:
    """The stage, with its time noted."""

    @contextmanager
    def opened(name: str) -> Iterator[Callable[[float], None]]:
        begin = monotonic()
        with stage(name) as advance:
            yield advance
        seconds[name] = seconds.get(name, 0.0) + monotonic() - begin

    return opened


def _given(fleet: Fleet, wanted: Wanted, state: State | None, stage: Stage) -> Given:
    """Simulated capacities and the sites' hours."""
    assert fleet.plan is not None
    horizon = of(fleet.plan)
    first = 0 if state is None else rest_of(horizon, state, "state")
    with stage("capacities, simulated") as advance:
        carried = capacities(
            fleet,
            cases_of(fleet),
            seed=wanted.seed,
            jobs=wanted.threads,
            progress=lambda done, total, _what: advance(done / total),
        )
    with stage("sites by the hour"):
        sites = site_hours(fleet, horizon)
    return Given(horizon, first, state, carried, sites)


def _optimised(
    fleet: Fleet, given: Given, wanted: Wanted, hours: int, stage: Stage
) -> tuple[Instance, Optimised, Floats]:
    """The best build with rates of pools as large as it makes them, and those pools."""
    with stage("assembling"):
        pools = given.pools(fleet)
        full = given.instance(fleet, pools)
    optimised = _solved(full, wanted, hours, stage)
    for _ in range(POOL_ROUNDS):
        with stage("assembling"):
            larger = pools_of(full, optimised.plan)
            again = given.instance(fleet, larger)
        if _moved(full.ways.rate, again.ways.rate) <= RATE_CHANGE:
            break
        full, pools = again, larger
        optimised = _solved(full, wanted, hours, stage)
    return full, optimised, pools


def _solved(full: Instance, wanted: Wanted, hours: int, stage: Stage) -> Optimised:
    """The best build of an instance. Raises `NoPlan`."""
    with stage("optimising") as advance:
        try:
            return optimise(full, hours=hours, gap=wanted.gap, threads=wanted.threads, progress=advance)
        except Infeasible:
            pass
    with stage("looking for the limits that conflict"):
        raise NoPlan(explain(choose_hours(full, hours)))


def _moved(before: Floats, after: Floats) -> float:
    """Largest relative change of a rate."""
    there = before > 0
    return float(np.abs(after[there] / before[there] - 1.0).max(initial=0.0)) if before.shape == after.shape else np.inf


def _proven(
    fleet: Fleet, full: Instance, optimised: Optimised, wanted: Wanted, hours: int, stage: Stage
) -> tuple[Instance, Optimised, Certificate]:
    """The plan with its certificate, its capacities corrected by what the simulation found until both agree."""
    from meritorder.plan.proof.proving import prove_until

    def again(changed: Instance) -> Optimised | None:
        try:
            return _solved(changed, wanted, hours, silent)
        except NoPlan:
            return None

    with stage("proof, simulated") as advance:
        return prove_until(
            fleet,
            full,
            again,
            first=optimised,
            error=PROOF_ERROR,
            rounds=PROOF_ROUNDS,
            seed=wanted.seed,
            jobs=wanted.threads,
            progress=advance,
        )
