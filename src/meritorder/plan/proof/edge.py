"""The planner's capacity against the simulator's: how much more demand a period's fleet carries, by either.

For services that share machines: the largest factor on their demand in the design hour at which every one of them keeps
its level in simulation, against the factor that the plan's own rates say the same machines carry. All machines are up
and buildings are left out on both sides, so that nothing but the rates is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np

from meritorder.fleet.schema import Fleet, Site
from meritorder.perf.compile import compile_replica
from meritorder.perf.replica import Replica
from meritorder.plan.capacity.observe import WINDOW
from meritorder.plan.instance import Floats, Instance, Ints, Ways
from meritorder.plan.proof.fleets import FleetFile
from meritorder.plan.proof.observe import STEADY, kept
from meritorder.plan.proof.roles import Member
from meritorder.plan.proof.sampling import Part, part_of, without
from meritorder.plan.proof.scale import largest
from meritorder.plan.proof.traffic import Traffic
from meritorder.plan.proof.weights import replica_rates
from meritorder.simulate.run import simulate

GRID = 1.005  # factors that are tried are whole powers of this
STRIDE = 8  # steps to the next factor until it is bracketed, doubled each time
FARTHEST = 420  # steps: a factor of 8 either way
REQUESTS = 30_000  # of the rarest service that a run should hold
STAYS = 20.0  # a run lasts so many times as long as a request may stay
SPAN_S = (300.0, 1800.0, 21_600.0)  # shortest, longest by that rule, longest for rare requests
MOST = 200_000  # requests in a run, where sampling can bring it down to that


class Alone(NamedTuple):
    """What the machines of one offer carry without the others: factors on the same demand."""

    system: int
    planned: float
    simulated: float


@dataclass(frozen=True)
class Edge:
    """How much of its design hour's demand a group of services' machines carry in a period, all of them up."""

    period: int
    scenario: int
    services: tuple[str, ...]
    planned: float  # factor on the demand, by the plan's rates
    simulated: float
    part: Part
    runs: int
    low: float = 0.0  # 95 % interval of `simulated`, as far as factors were tried
    high: float = float("inf")
    alone: tuple[Alone, ...] = ()  # each offer among its machines; none where they work in pairs
    undecided: bool = False  # at the planned factor so many requests can't tell whether every level is kept

    @property
    def error(self) -> float:
        """Above 0 where the plan promises more than the simulator carries."""
        return self.planned / self.simulated - 1.0

    @property
    def interval(self) -> tuple[float, float]:
        """Of the error, from the finite length of the runs."""
        return self.planned / self.high - 1.0, self.planned / self.low - 1.0 if self.low > 0.0 else float("inf")


def edges_of(
    fleet: Fleet, instance: Instance, file: FleetFile, traffic: Traffic, t: int, j: int, *, seed: int
) -> list[Callable[[], Edge | str]]:
    """For every group of services of a period's fleet what finds its edge, or says why it has none."""
    demand = instance.demand.requests[t, :, -1, j]
    whole = file.fleet()
    instance = machines_alone(instance)
    scaled = largest(instance, systems_in(instance, whole, file.members), demand, t, j)

    def finder(group: int) -> Callable[[], Edge | str]:
        classes = np.flatnonzero(scaled.group == group)
        names = [instance.names.services[k] for k in np.unique(instance.demand.service[classes])]
        asked = np.where(scaled.group == group, demand, 0.0)
        return lambda: _edge(fleet, instance, file, whole, traffic, t, j, names, asked, seed)

    return [finder(group) for group in range(len(scaled.factor))]


def systems_in(instance: Instance, fleet: Fleet, members: dict[str, Member], part: int = 1) -> Floats:
    """Systems [S,H,M] that a fleet's replicas stand for; of a sampled one, that `part` replicas stand for."""
    size = instance.shape
    systems = np.zeros((size["S"], size["H"], size["M"]))
    for name, pool in fleet.pools.items():
        member = members[name]
        if member.site >= 0:
            each = instance.stock.replica[member.system, member.model]
            systems[member.site, member.system, member.model] += round(pool.replicas / part) * part * each
    return systems


def machines_alone(instance: Instance) -> Instance:
    """The instance without APIs, whose machines are as fast as they are: a scenario's `speed` can't be simulated."""
    own = instance.ways.api < 0
    kept_ways: dict[str, Any] = {}
    for field in fields(Ways):
        array = getattr(instance.ways, field.name)
        kept_ways[field.name] = None if array is None else array[..., own]
    ways = Ways(**kept_ways)
    demand = replace(instance.demand, speed=np.ones_like(instance.demand.speed))
    return replace(instance, ways=ways, demand=demand)


def _edge(
    fleet: Fleet,
    instance: Instance,
    file: FleetFile,
    whole: Fleet,
    traffic: Traffic,
    t: int,
    j: int,
    names: list[str],
    asked: Floats,
    seed: int,
) -> Edge | str:
    own = {name: member for name, member in file.members.items() if member.site >= 0}
    small = bare(without(whole, tuple(name for name in file.members if name not in own)), names)

    def edge(part: Fleet) -> Edge | str:
        return _carried(fleet, instance, file, part, traffic, t, j, asked, seed)

    together = edge(small)
    there = {name: own[name] for name in small.pools}
    offers = sorted({member.system for member in there.values()})
    if isinstance(together, str) or any(member.role != "both" for member in there.values()):
        return together
    if len(offers) == 1:
        return replace(together, alone=(Alone(offers[0], together.planned, together.simulated),))
    alone = []
    for offer in offers:
        others = tuple(name for name, member in there.items() if member.system != offer)
        found = edge(_served(without(small, others)))
        if isinstance(found, Edge):
            alone.append(Alone(offer, found.planned, found.simulated))
    return replace(together, alone=tuple(alone))


def _served(fleet: Fleet) -> Fleet:
    """The fleet without services that have no pool left."""
    services = {name: service for name, service in fleet.services.items() if service.pools is None or service.pools}
    return fleet.model_copy(update={"services": services})


def _carried(
    fleet: Fleet,
    instance: Instance,
    file: FleetFile,
    small: Fleet,
    traffic: Traffic,
    t: int,
    j: int,
    asked: Floats,
    seed: int,
) -> Edge | str:
    """The edge of the machines and services of `small`."""
    names = list(small.services)
    services = np.array([instance.names.services.index(name) for name in names])
    asked = np.where(np.isin(instance.demand.service, services), asked, 0.0)
    by_service = {name: float(asked[instance.demand.service == s].sum()) for s, name in enumerate(traffic.services)}
    rarest = min(by_service[name] for name in names)
    total = float(asked.sum())
    classes = np.flatnonzero(asked > 0.0)
    lasts = float(np.clip(STAYS * _stay_s(instance, fleet, classes), *SPAN_S[:2]))
    span = float(np.clip(REQUESTS / (WINDOW[1] - WINDOW[0]) / rarest, lasts, SPAN_S[2]))
    part = part_of(small, total * span, MOST, replica_rates(instance, file.members))
    span = max(lasts, min(span, MOST * part.k / total))
    factors = largest(instance, systems_in(instance, part.fleet, file.members, part.k), asked, t, j).factor
    planned = float(factors.min())
    replicas = tuple(compile_replica(part.fleet, name) for name in part.fleet.pools)
    search = _Search(part, replicas, traffic, asked * planned, span, seed)
    low, high = search.bracket()
    if low is None:
        return f"{', '.join(names)}: no demand is carried in simulation"
    surely, never = search.interval()
    return Edge(
        period=t,
        scenario=j,
        services=tuple(names),
        planned=planned,
        simulated=planned * GRID ** (0.5 * (low + high)),
        part=part,
        runs=len(search.seen),
        low=planned * surely,
        high=planned * never,
    )


def _stay_s(instance: Instance, fleet: Fleet, classes: Ints) -> float:
    """How long a request may stay within its service's level, s; where nothing is promised a long time."""
    longest = 0.0
    for k in classes:
        slo = fleet.services[instance.names.services[instance.demand.service[k]]].slo
        if slo.token_rate is None:
            return SPAN_S[1]
        longest = max(longest, (slo.ttft or 0.0) + float(instance.demand.tokens[k]) / slo.token_rate)
    return longest


def bare(fleet: Fleet, names: Sequence[str]) -> Fleet:
    """Some services of a fleet with their pools, without buildings, faults and prices that change."""
    services = {name: fleet.services[name].model_copy(update={"flexible": None, "share": None}) for name in names}
    used = {pool for service in services.values() for pool in service.pools or fleet.pools}
    pools = {name: pool for name, pool in fleet.pools.items() if name in used}
    sites = {pool.site for pool in pools.values()}
    return fleet.model_copy(
        update={
            "services": services,
            "pools": pools,
            "sites": {name: _open(site) for name, site in fleet.sites.items() if name in sites},
            "faults": fleet.faults.model_copy(update={"rates": (), "at": ()}),
            "start": None,
        }
    )


def _open(site: Site) -> Site:
    changes = {"facility": None, "weather": "", "price": "", "carbon": "", "power_limit": None}
    return site.model_copy(update={**changes, "scenarios": (), "demand_response": ()})


class _Look(NamedTuple):
    """One simulation: what the worst service has to spare of its level, with an interval."""

    score: float
    least: float
    most: float


@dataclass
class _Search:
    """Simulations of a group at powers of GRID of its planned load, each made once."""

    part: Part
    replicas: tuple[Replica, ...]
    traffic: Traffic
    requests: Floats  # [K] at the planned factor
    span_s: float
    seed: int

    def __post_init__(self) -> None:
        self.seen: dict[int, _Look] = {}

    def bracket(self) -> tuple[int | None, int]:
        """The last factor that is carried and the first that isn't, neighbours on the grid."""
        low: int | None = None
        high: int | None = None
        step, stride = 0, STRIDE
        while low is None or high is None:
            if self.holds(step):
                low, step = step, step + stride
            else:
                high, step = step, step - stride
            stride *= 2
            if abs(step) > FARTHEST:
                return low, FARTHEST if high is None else high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.holds(middle) else (low, middle)
        return low, high

    def holds(self, step: int) -> bool:
        """Whether every service keeps its level."""
        if step not in self.seen:
            self.seen[step] = self._look(step)
        return self.seen[step].score >= 0.0

    def interval(self) -> tuple[float, float]:
        """The largest factor tried that is surely carried, and the smallest that surely isn't; 0, inf: none."""
        surely = [step for step, look in self.seen.items() if look.least >= 0.0]
        never = [step for step, look in self.seen.items() if look.most < 0.0]
        return (GRID ** max(surely) if surely else 0.0), (GRID ** min(never) if never else float("inf"))

    def _look(self, step: int) -> _Look:
        fleet, k = self.part.fleet, self.part.k
        trace = self.traffic.steady(self.requests * GRID**step, self.span_s, self.seed, part=k)
        result = simulate(fleet, trace, seed=self.seed, bins=16, replicas=self.replicas, sample=k, thin=False)
        start, stop = (share * self.span_s for share in WINDOW)
        found = kept(result, start, stop)
        targets = {name: fleet.services[name].slo.percentile for name in found}
        return _Look(
            min(one.score(targets[name]) for name, one in found.items()),
            min(min(one.low - targets[name], STEADY - one.growth) for name, one in found.items()),
            min(min(one.high - targets[name], STEADY - one.growth) for name, one in found.items()),
        )
