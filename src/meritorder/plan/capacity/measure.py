"""From a case to its `Capacity`: what requests need alone, then the largest rate in pools and at round trips."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from meritorder.fleet.schema import Fleet
from meritorder.plan.capacity.alone import Alone, alone
from meritorder.plan.capacity.capacity import Capacity
from meritorder.plan.capacity.case import Case
from meritorder.plan.capacity.draw import Source
from meritorder.plan.capacity.ends import at_ends
from meritorder.plan.capacity.pairs import paired
from meritorder.plan.capacity.runs import Runs, step_of
from meritorder.plan.capacity.search import Found, largest
from meritorder.problems import InputError

# Pools that are simulated; a large one, too, where many replicas fit into a system; of a pair at most so many replicas.
SIZES = (1, 2, 4, 16, 64)
LARGE, TINY = 256, 1 / 32
MOST_REPLICAS = 256
# The pool where round trips are tried first.
REFERENCE = 4
# The longest round trip, parts of it, and how far from a straight line makes one of them worth its runs.
RTT_S, PARTS, BENT = 0.4, (0.5, 0.25), 0.02
# Relative error of what is done at most: of the mean work of as many requests as are looked at.
FULL_ERROR = 0.01
# A part of the TTFT target by which it is loosened.
LOOSER = 0.1


def measure(fleet: Fleet, case: Case, source: Source, seed: int) -> Capacity:
    """The case's capacity by simulation. The same arguments give the same bits."""
    try:
        runs = paired(fleet, case, source, seed) if case.decode else Runs(fleet, case, source, seed)
    except InputError as error:
        words = "; ".join(" ".join(f"{p.what}; {p.fix}".split()) for p in error.problems)
        return Capacity(key=case.key, model=case.model, reason=f"the model doesn't run so: {words}")
    each = alone(runs)
    known = _known(runs, each)
    if each.hopeless():
        return replace(known, reason=f"even alone only {each.kept():.1%} of the requests keep the targets: {each.why}")
    full = runs.most(REFERENCE, each.stay_s)
    search = Search(runs, each, full)
    first = search.at(REFERENCE, 0.0, step_of(full), 8)
    if first.rate == 0.0:
        return replace(known, reason="no load keeps the service level, however low")
    return _filled(known, search, first)


@dataclass
class Search:
    """Largest rates of one case, requests/s of one replica."""

    runs: Runs
    alone: Alone
    full: float  # what is done at most

    def at(self, pools: int, rtt_s: float, guess: int, stride: int = 4) -> Found:
        """In a pool, at a round trip, near a place of the grid."""
        if self.alone.hopeless(rtt_s):
            return Found(0.0, 0.0, guess)
        slo, limit = self.runs.slo, step_of(self.full)
        look = lambda step, effort: self.runs.at(pools, rtt_s, step, effort)  # noqa: E731
        found = largest(look, min(guess, limit), slo.percentile, stride, limit)
        if found.step >= limit:  # machines are full before targets are missed
            return Found(self.full, FULL_ERROR, limit)
        return replace(found, rate=min(found.rate / (pools * self.runs.pair[0]), self.full))


def _filled(known: Capacity, search: Search, first: Found) -> Capacity:
    """Rates by pool and round trip: of the reference pool all; of others the ends, and what lies between likewise."""
    runs, ttft_s = search.runs, search.runs.slo.ttft
    row = _round_trips(search, first, ttft_s)
    rtts = sorted(row)
    longest = rtts[-1]
    matters = abs(row[longest].rate - first.rate) > BENT * first.rate
    table: dict[int, list[float]] = {}
    errors: list[float] = []
    near, far = first.step, row[longest].step
    steps: dict[int, int] = {}
    for size in _sizes(runs, first, known.replica_systems):
        here = first if size == REFERENCE else search.at(size, 0.0, near)
        there = row[longest] if size == REFERENCE else search.at(size, longest, far) if matters else here
        near, far = here.step or near, there.step or far
        steps[size] = here.step
        errors.append(max(here.error, there.error))
        table[size] = [_like(row[rtt].rate, first.rate, row[longest].rate, here.rate, there.rate) for rtt in rtts]
    size = max(table)
    full = runs.at(size, 0.0, steps[size], 1)
    half = runs.at(size, 0.0, steps[size] - step_of(2.0), 1)
    beyond = () if ttft_s is None else (ttft_s,)  # a round trip as long as the target leaves no time at all
    found = replace(
        known,
        rtts=(*rtts, *beyond),
        errors=tuple(errors),
        ends=at_ends(runs, REFERENCE, first),
    )
    sides = [
        replace(
            found,
            sizes=tuple(pools * replicas for pools in table),
            simulated=tuple(
                (*(rate * runs.pair[0] / replicas for rate in rates), *(0.0 for _ in beyond))
                for rates in table.values()
            ),
            joules=full.joules[side],
            joules_half=half.joules[side],
        )
        for side, replicas in enumerate(runs.pair)
        if replicas
    ]
    return sides[0] if len(sides) == 1 else replace(sides[0], decode=replace(sides[1], **_machine(runs, 1)))


def _like(rate: float, near: float, far: float, here: float, there: float) -> float:
    """What the reference pool's `rate` between `near` and `far` is between `here` and `there` in another pool."""
    if abs(near - far) <= BENT * near:
        return here * rate / near
    return there + (here - there) * (rate - far) / (near - far)


def _round_trips(search: Search, first: Found, ttft_s: float | None) -> dict[float, Found]:
    """Rates of the reference pool by round trip, below 0 a looser target: the ends, and what bends between them."""
    if ttft_s is None:
        return {0.0: first}
    longest = min(RTT_S, (1.0 - LOOSER) * ttft_s)
    found = {0.0: first} | {rtt: search.at(REFERENCE, rtt, first.step) for rtt in (-LOOSER * ttft_s, longest)}
    for part in PARTS:
        rtt = part * longest
        between = search.at(REFERENCE, rtt, first.step)
        known = sorted(found)
        if abs(between.rate - float(np.interp(rtt, known, [found[key].rate for key in known]))) <= BENT * first.rate:
            break
        found[rtt] = between
    return found


def _sizes(runs: Runs, first: Found, systems: float) -> list[int]:
    """Pools to simulate, as far as a run may be long enough."""
    wanted = [*SIZES, LARGE] if systems <= TINY else list(SIZES)
    wanted = [size for size in wanted if size <= REFERENCE or size * sum(runs.pair) <= MOST_REPLICAS]
    return [size for size in wanted if size <= REFERENCE or runs.fits(size, first.rate)]


def _known(runs: Runs, each: Alone) -> Capacity:
    """What is known without any load."""
    base = runs.source.base
    known = Capacity(
        key=runs.case.key,
        model=runs.case.model,
        ttft_s=runs.slo.ttft,
        token_rate=runs.slo.token_rate,
        percentile=runs.slo.percentile,
        alone=each.kept(),
        prompt_tokens=float(base.prompt_tokens.mean()),
        output_tokens=float(base.output_tokens.mean()),
    )
    return replace(known, **_machine(runs, 0))


def _machine(runs: Runs, side: int) -> dict[str, Any]:
    """What is known of one replica; `side` 1: of a decoder."""
    plan, replica = runs.fleet.plan, runs.replicas[side]
    assert plan is not None
    return {
        "replica_systems": replica.accelerators / plan.offers[(runs.case.offer, runs.case.decode)[side]].chips,
        "idle_w": replica.table.idle_w,
        "max_w": replica.max_w,
        "notes": (*runs.source.base.warnings, *replica.notes),
    }
