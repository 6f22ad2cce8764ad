"""The largest rate that keeps the service level, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from meritorder.plan.capacity.observe import Observation
from meritorder.plan.capacity.runs import GRID

# Steps of the grid from the guess to the next rate, at first and at most.
STRIDES = (4, 64)
# Rates this near one another are not parted further: between them the share is straight.
NEAR = 2
# Steps below the guess where a rate counts as none: less than a hundredth.
NONE = 240
# Rates up to so many steps from the answer tell how fast the share falls there.
AROUND = 12

Look = Callable[[int, int], Observation]


@dataclass(frozen=True)
class Found:
    """Requests/s of all replicas; `error`: relative half width of its 95 % interval."""

    rate: float
    error: float
    step: int  # the largest rate of the grid that was carried


def largest(look: Look, guess: int, percentile: float, stride: int = STRIDES[0], limit: int | None = None) -> Found:
    """The rate at which the share that keeps the targets passes `percentile`; `look(step, effort)` simulates.

    The search begins at `guess`; where even `limit` is kept the answer is that. Quick looks until it is bracketed,
    ordinary runs to narrow it down, long ones where chance may have decided. What counts as the rate is what really
    arrived, so that chance in the number of arrivals cancels out.
    """
    seen: dict[int, Observation] = {}

    def ask(step: int, effort: int) -> bool:
        seen[step] = look(step, effort)
        if effort < 2 and seen[step].doubtful(percentile):
            seen[step] = look(step, effort + 1)
        return seen[step].kept >= percentile

    low = high = None
    step = guess
    while low is None or high is None:
        if ask(step, 0 if stride > STRIDES[0] else 1):
            if limit is not None and step >= limit:
                return Found(seen[step].rate, 0.0, step)
            low, step = step, step + stride if limit is None else min(step + stride, limit)
        else:
            high, step = step, step - stride
            if guess - step > NONE and low is None:
                return Found(0.0, 0.0, step)
        stride = min(stride * 2, STRIDES[1])
    while high - low > NEAR:
        middle = (low + high) // 2
        if ask(middle, 1):
            low = middle
        else:
            high = middle
    for step in (low, high):  # both ends by runs of the same length
        ask(step, 2)
    return _between(seen, low, high, percentile)


def _between(seen: dict[int, Observation], low: int, high: int, percentile: float) -> Found:
    below, above = seen[low], seen[high]
    good, bad = below.kept - percentile, above.kept - percentile
    share = good / (good - bad) if good >= 0 > bad else 0.5  # a longer run may have turned the verdict
    rate = below.rate + share * (above.rate - below.rate)
    half = 0.25 * (below.high - below.low + above.high - above.low)
    first = min(step for step in seen if low - step <= AROUND)
    last = max(step for step in seen if step - high <= AROUND)
    fall = (seen[first].kept - seen[last].kept) / ((last - first) * math.log(GRID))
    by_chance = min(half / fall, 0.5) if fall > 0 else 0.5
    return Found(rate, by_chance + 0.25 * (GRID - 1.0), low)
