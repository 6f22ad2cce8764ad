"""One case, simulated: how every service fared, what the hour drew and cost, and how much of it was simulated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from meritorder.fleet.schema import Fleet
from meritorder.plan.instance import Floats, Instance
from meritorder.plan.proof.cases import Case
from meritorder.plan.proof.hourly import HOUR_S, Figure, figures_of
from meritorder.plan.proof.observe import Kept, kept
from meritorder.plan.proof.sampling import Part, part_of
from meritorder.plan.proof.schedule import Schedule
from meritorder.plan.proof.stage import SHORT, Stage, stage_of
from meritorder.plan.proof.traffic import Traffic
from meritorder.plan.proof.weights import replica_rates
from meritorder.simulate.run import simulate
from meritorder.workload.trace import Trace

MOST = 300_000  # requests that are simulated, where sampling can bring it down to that
MOST_DAY = 600_000
LEAST_HOUR, LEAST_DAY = 32, 8  # simulated replicas of a service; a day has 24 times as many requests
LONGEST = 800_000  # requests: of fleets too small to be sampled less time is simulated
SHORTEST_S = 300.0  # that is judged


@dataclass(frozen=True)
class Tried:
    """What a case came to."""

    case: Case
    kept: dict[str, Kept]  # by service
    figures: tuple[Figure, ...]
    sampled: str
    notes: tuple[str, ...]


def run_case(
    fleet: Fleet,
    full: Instance,
    planned: Schedule,
    case: Case,
    traffic: Traffic,
    weather: Floats,
    folder: Path,
    seed: int,
) -> Tried:
    """Simulate one case. `weather` [S,2]: dry and wet bulb of the period's design hour; files go into `folder`."""
    build = planned.builds[case.scenario]
    stage = stage_of(fleet, full, build, case, weather, folder)
    day = case.kind == "day"
    requests, unserved = _able(full, stage, case)
    total = float(requests.sum()) * (HOUR_S if day else stage.span_s)
    if total < 1.0:
        return Tried(case, unserved, (), "", (f"{case.name}: nothing is asked for that could be served",))
    rates = replica_rates(full, stage.file.members)
    least = LEAST_DAY if day else LEAST_HOUR
    part = part_of(stage.fleet, total, MOST_DAY if day else MOST, rates, least=least)
    if not day and total > LONGEST * part.k:
        stage = stage_of(fleet, full, build, case, weather, folder, SHORT)
        total = float(requests.sum()) * stage.span_s
        part = part_of(stage.fleet, total, MOST, rates, least=least)
    trace, judged_s = _traffic(traffic, stage, requests, min(1.0, LONGEST * part.k / total), seed + case.seed, part)
    result = simulate(part.fleet, trace, seed=seed + case.seed, sample=part.k, thin=False)
    figures: tuple[Figure, ...] = ()
    if case.kind == "worst hour":
        figures = figures_of(full, planned, case, result, judged_s, part.k)
    notes = [*stage.file.notes, *stage.notes]
    notes += [f"{case.name}: {name} has too few replicas to be sampled" for name in part.dropped]
    found = kept(result, *judged_s, seed=seed + case.seed) | unserved
    return Tried(case, found, figures, _told(case, trace, judged_s, part), tuple(notes))


def _able(full: Instance, stage: Stage, case: Case) -> tuple[Floats, dict[str, Kept]]:
    """The requests of services that have a pool, and how the others fared."""
    classes = full.demand.service
    without = [name for name in full.names.services if name not in stage.fleet.services]
    able = ~np.isin(classes, [full.names.services.index(name) for name in without])
    lost = {
        name: Kept(0, 0.0, 0.0, 0.0, 0.0, "want of any machine")
        for name in without
        if case.requests[classes == full.names.services.index(name)].sum() > 0.0
    }
    return np.where(able.reshape(-1, *(1,) * (case.requests.ndim - 1)), case.requests, 0.0), lost


def _traffic(
    traffic: Traffic, stage: Stage, requests: Floats, share: float, seed: int, part: Part
) -> tuple[Trace, tuple[float, float]]:
    """The requests of a `share` of the time, and from when to when arrivals are judged; of a day its busiest hours."""
    start, stop = stage.judged_s
    if requests.ndim == 1:
        stop = start + max((stop - start) * share, min(SHORTEST_S, stop - start))
        return traffic.steady(requests, stop, seed, part=part.k), (start, stop)
    hours = max(1, int(24 * share))
    busiest = int(requests.sum(axis=0).argmax())
    first = int(np.clip(busiest - hours // 2, 0, 24 - hours))
    trace = traffic.day(requests, seed, part=part.k, hours=range(first, first + hours))
    return trace, (first * HOUR_S, (first + hours) * HOUR_S)


def _told(case: Case, trace: Trace, judged_s: tuple[float, float], part: Part) -> str:
    """How much was simulated."""
    words = f"{case.name}: {len(trace):,} requests, {(judged_s[1] - judged_s[0]) / HOUR_S:.3g} h of them judged"
    if part.k == 1:
        return words
    rounded = f", which rounds capacities by {part.error:.1%}" if part.error >= 0.0005 else ""
    return f"{words}; one replica and one request of {part.k}{rounded}"
