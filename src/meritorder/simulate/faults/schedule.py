"""`outages`: everything that will break in a run, as arrays in the order of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from meritorder.facility.halls.seats import Placement
from meritorder.fleet.schema import Fleet
from meritorder.perf.replica import Replica
from meritorder.records import records
from meritorder.simulate.faults.causes import CAUSES
from meritorder.simulate.faults.draws import keys, uniforms
from meritorder.simulate.faults.outage import (
    DOWN,
    LINK_DOWN,
    LINK_UP,
    NORMAL,
    OUTAGE,
    PART_DOWN,
    PART_UP,
    SLOW,
    UP,
    Outages,
)
from meritorder.simulate.faults.places import Ints, Places
from meritorder.simulate.faults.rates import rates_of
from meritorder.simulate.faults.reload import reload_s
from meritorder.simulate.faults.repair import Failure, failures_of
from meritorder.simulate.faults.scheduled import scheduled

if TYPE_CHECKING:
    from meritorder.facility.parts import Part


class _Entry(NamedTuple):
    time_s: float
    kind: int
    cause: int
    replicas: Ints
    part: int = -1
    factor: float = 1.0
    until_s: float = inf


def outages(
    fleet: Fleet,
    replicas: Sequence[Replica],
    placement: Placement | None,
    parts: Sequence[Part],
    duration_s: float,
    seed: int,
    simulated: Sequence[int] | None = None,
) -> Outages:
    """Scheduled faults, and those drawn with `seed` before `duration_s`; `replicas` has one a pool.

    Repairs may end after `duration_s`. `parts` are those of the buildings (`facility.parts.parts_of`). `placement` may
    be None where nothing breaks. `simulated`: how many replicas of each pool are simulated, where not all are; each
    fails as the first of those that it stands for. Raises InputError where a fault names what is not there.
    """
    faults = fleet.faults
    if placement is None or not (faults.rates or faults.at):
        return Outages(records(0, OUTAGE), np.zeros(0, np.int32))
    places = Places(fleet, replicas, placement)
    failures = failures_of(
        rates_of(faults, places, parts),
        seed,
        duration_s,
        crew=faults.crew,
        spares=faults.spares,
        detection_s=faults.detection,
        fixed=scheduled(faults, places, parts),
    )
    reload = reload_s(fleet, replicas)
    entries = [entry for failure in failures for entry in _entries(failure, places, reload)]
    return _laid_out(entries if simulated is None else _sampled(entries, fleet, simulated))


def _entries(failure: Failure, places: Places, reload: npt.NDArray[np.float64]) -> Iterator[_Entry]:
    """What one failure does, and what undoes it."""
    things, start_s, back_s = failure.things, failure.time_s, failure.back_s
    cause = CAUSES.index(things.what)
    if things.target != "replicas":
        down, up = (PART_DOWN, PART_UP) if things.target == "part" else (LINK_DOWN, LINK_UP)
        part = things.first[failure.number]
        nobody = np.zeros(0, np.int64)
        left = failure.left if things.target == "part" else 1.0
        yield _Entry(start_s, down, cause, nobody, part, left, back_s)
        if back_s < inf:
            yield _Entry(back_s, up, cause, nobody, part, left, back_s)
        return
    if things.what == "supplier" and failure.window_s > 0:
        # the release is stopped when it is known to be bad: machines whose turn comes later never get it
        reached = things.rollout(places)
        turns = uniforms(keys(0, f"{failure.stream} {failure.of} rollout", np.arange(len(reached))), 0)
        for struck, turn in zip(reached, turns * failure.window_s, strict=True):
            if start_s + turn < back_s:
                yield from _fall(start_s + float(turn), back_s, cause, struck, places, reload)
        return
    struck = things.struck(places, failure.number)
    if things.what == "slow":
        yield _Entry(start_s, SLOW, cause, struck, -1, failure.factor, back_s)
        if back_s < inf:
            yield _Entry(back_s, NORMAL, cause, struck, -1, failure.factor, back_s)
        return
    yield from _fall(start_s, back_s, cause, struck, places, reload)


def _fall(
    start_s: float, back_s: float, cause: int, struck: Ints, places: Places, reload: npt.NDArray[np.float64]
) -> Iterator[_Entry]:
    """Replicas go down together; those of each pool come back when their weights are loaded."""
    if not len(struck):
        return
    ready = back_s + reload[places.pools_of(struck)]
    yield _Entry(start_s, DOWN, cause, struck, -1, 1.0, float(ready.max()))
    if back_s < inf:
        for moment in np.unique(ready):
            yield _Entry(float(moment), UP, cause, struck[ready == moment], -1, 1.0, float(moment))


def _sampled(entries: list[_Entry], fleet: Fleet, simulated: Sequence[int]) -> list[_Entry]:
    """The same for a fleet of which replica i of n in a pool of N stands for those from i N / n on."""
    counts = [pool.replicas for pool in fleet.pools.values()]
    firsts = np.cumsum([0, *counts])
    stand = [first + np.arange(n) * count // n for first, count, n in zip(firsts, counts, simulated, strict=False)]
    number = np.full(firsts[-1], -1)
    number[np.concatenate(stand)] = np.arange(sum(simulated))
    found = []
    for entry in entries:
        there = number[entry.replicas]
        if len(entry.replicas) == 0 or (there >= 0).any():
            found.append(entry._replace(replicas=there[there >= 0]))
    return found


def _laid_out(entries: list[_Entry]) -> Outages:
    """In the order of time; at equal times as they were found."""
    entries = sorted(entries, key=lambda entry: entry.time_s)
    result = records(len(entries), OUTAGE)
    result.time, result.kind = [entry.time_s for entry in entries], [entry.kind for entry in entries]
    result.cause, result.part = [entry.cause for entry in entries], [entry.part for entry in entries]
    result.factor, result.until = [entry.factor for entry in entries], [entry.until_s for entry in entries]
    result["count"] = [len(entry.replicas) for entry in entries]
    result.first = np.cumsum(result["count"]) - result["count"]
    hit = np.concatenate([np.zeros(0, np.int64), *(entry.replicas for entry in entries)])
    return Outages(result, hit.astype(np.int32))
