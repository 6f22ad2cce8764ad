"""Failures and repairs in the order of time: who fails when, who repairs it, and where a spare steps in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush, heapreplace
from math import inf

import numpy as np

from meritorder.simulate.faults.draws import between, keys, repairs, residual, uniforms
from meritorder.simulate.faults.things import HARDWARE, Things


@dataclass(frozen=True)
class Rate:
    """How often each of these things fails, and how long repairs take; seconds."""

    things: Things
    stream: str  # names its random numbers
    mtbf_s: float
    mttr_s: float
    shape: float = 1.0
    spread: float = 0.8
    factor: float = 1.0
    window_s: float = 0.0


@dataclass(frozen=True)
class Failure:
    """One thing failed. It works again at `back_s`, by repair or by a spare; replicas load their weights after that."""

    time_s: float
    things: Things
    number: int
    back_s: float
    factor: float = 1.0
    window_s: float = 0.0
    of: int = 0  # which failure of this thing, for further draws
    stream: str = ""
    left: float = 0.0  # of a feed in a brown-out


@dataclass
class _Shop:
    """Who repairs at each site, and what stands by for each pool."""

    crew: int | None
    detection_s: float
    spares: dict[str, list[float]]  # when each spare machine of a pool is ready
    busy: dict[str, list[float]] = field(default_factory=dict)

    def back(self, time_s: float, repair_s: float, things: Things) -> float:
        """When the thing works again."""
        end = self._repaired(time_s, repair_s, things)
        ready = self.spares.get(things.owner) if things.what in ("machine", "pipeline") else None
        if ready is None:
            return end
        # the broken one becomes a spare when it is repaired; who waits longest takes the first that is ready
        heappush(ready, end)
        return max(heappop(ready), time_s + self.detection_s)

    def _repaired(self, time_s: float, repair_s: float, things: Things) -> float:
        if self.crew is None or things.what not in HARDWARE or not things.site:
            return time_s + repair_s
        busy = self.busy.setdefault(things.site, [0.0] * self.crew)
        start = max(time_s, busy[0])
        heapreplace(busy, start + repair_s)
        return start + repair_s


def failures_of(
    rates: Sequence[Rate],
    seed: int,
    until_s: float,
    *,
    crew: int | None = None,
    spares: Mapping[str, int] | None = None,
    detection_s: float = 0.0,
    fixed: Sequence[Failure] = (),
) -> list[Failure]:
    """All failures before `until_s`, in the order of time; things are whole, but of random age, at time 0.

    `fixed` ones happen besides; of them `back_s` is when they are repaired, and a spare may step in before.
    """
    shop = _Shop(crew, detection_s, {pool: [0.0] * count for pool, count in (spares or {}).items()})
    streams = [keys(seed, rate.stream, np.arange(rate.things.count)) for rate in rates]
    heap: list[tuple[float, int, int, int]] = [(one.time_s, -1, index, 0) for index, one in enumerate(fixed)]
    for index, (rate, stream) in enumerate(zip(rates, streams, strict=True)):
        first = residual(uniforms(stream, 0), rate.mtbf_s, rate.shape)
        heap += [(float(first[number]), index, int(number), 0) for number in np.flatnonzero(first < until_s)]
    heap.sort()
    found = []
    while heap:
        time_s, index, number, count = heappop(heap)
        if index < 0:
            found.append(_with_spare(fixed[number], shop))
            continue
        rate = rates[index]
        draws = uniforms(streams[index][number : number + 1], np.arange(3 * count + 1, 3 * count + 4))
        repair_s = float(repairs(draws[:1], draws[1:2], rate.mttr_s, rate.spread)[0])
        back_s = shop.back(time_s, repair_s, rate.things)
        again = back_s + float(between(draws[2:], rate.mtbf_s, rate.shape)[0])
        if again < until_s:
            heappush(heap, (again, index, number, count + 1))
        found.append(
            Failure(time_s, rate.things, number, back_s, rate.factor, rate.window_s, count, f"{seed}/{rate.stream}")
        )
    return found


def _with_spare(one: Failure, shop: _Shop) -> Failure:
    """A fault of the fleet file: its duration holds, whoever repairs it, but a spare may be quicker."""
    if one.things.what not in ("machine", "pipeline") or one.things.owner not in shop.spares:
        return one
    ready = shop.spares[one.things.owner]
    if one.back_s < inf:
        heappush(ready, one.back_s)
    back_s = max(heappop(ready), one.time_s + shop.detection_s) if ready else inf
    return Failure(one.time_s, one.things, one.number, back_s, one.factor, one.window_s)
