"""Traffic of any rate from one base: copies of it laid over one another, each from another moment on.

As `workload.transform.scale_rate` does, counts of independent copies add their variances, so bursts stay what they are
however large the pool, and a part of the sessions stands for fewer users. Beyond that, only as much time is drawn as is
needed, and traffic of a higher rate holds all of a lower one, so that rates are compared on the same requests.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from meritorder.workload.rows import gather_blocks, units
from meritorder.workload.trace import Floats, Ints, Longs, Trace, make_trace, renumber

# A base is thinned by this and made as much longer, as often as fewer requests than it has are asked for.
STEP = 4


@dataclass(frozen=True)
class _Ring:
    """A base as a circle of `length_s`: its requests by time, which session each is of, and of which request it is."""

    time_s: Floats
    unit: Ints  # dense from 0
    row: Longs  # of the base
    length_s: float


@dataclass
class Source:
    """Draws traffic like `base`."""

    base: Trace
    seed: int
    rings: list[_Ring] = field(default_factory=list)

    def __post_init__(self) -> None:
        # one mean gap more than from the first to the last, so that they don't fall together
        length = self.base.duration_s * (1.0 + 1.0 / (len(self.base) - 1))
        start = self.base.arrival_s - self.base.arrival_s[0]
        self.rings.append(_Ring(start, units(self.base), np.arange(len(self.base)), length))

    @property
    def rate(self) -> float:
        """Requests/s of the base."""
        return len(self.base) / self.rings[0].length_s

    def draw(self, rate: float, span_s: float) -> Trace:
        """Requests of `rate` per second for `span_s` seconds. The same arguments give the same bits."""
        level = 0
        while rate < self.rate / STEP**level and len(self.rings[0].time_s) > 1 and level < 12:
            level += 1
        ring = self._ring(level)
        copies = rate * ring.length_s / len(ring.time_s)
        whole = int(copies)
        parts = [self._copy(ring, level, k, span_s, copies - whole if k == whole else 1.0) for k in range(whole + 1)]
        time, unit, row = (np.concatenate([part[i] for part in parts]) for i in range(3))
        order = np.argsort(time, kind="stable")
        copy = np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts])[order]
        return self._trace(time[order], unit[order], row[order], copy)

    def _ring(self, level: int) -> _Ring:
        """The base with one session in `STEP`^level, and as much longer."""
        while len(self.rings) <= level:
            self.rings.append(_thinned(self.rings[-1], np.random.default_rng((self.seed, len(self.rings)))))
        return self.rings[level]

    def _copy(self, ring: _Ring, level: int, number: int, span_s: float, share: float) -> tuple[Floats, Longs, Longs]:
        """Times, sessions and rows of one copy, as seen from a moment of its own for `span_s`."""
        rng = np.random.default_rng((self.seed, level, number, 7))
        offset = float(rng.uniform(0.0, ring.length_s))
        low, high = np.searchsorted(ring.time_s, [offset, offset + span_s % ring.length_s])
        n, rounds = len(ring.time_s), int(span_s // ring.length_s)
        end = offset + span_s % ring.length_s
        if end >= ring.length_s:
            high = n + int(np.searchsorted(ring.time_s, end - ring.length_s))
        index = np.arange(int(low), int(high) + rounds * n)
        place, lap = index % n, index // n
        time = ring.time_s[place] + lap * ring.length_s - offset
        unit = ring.unit[place].astype(np.int64) + lap * (int(ring.unit.max()) + 1)
        if share < 1.0:
            mark = rng.random(int(ring.unit.max()) + 1)  # of a session, so that a larger share holds a smaller one
            kept = np.flatnonzero(mark[ring.unit[place]] < share)
            time, unit, place = time[kept], unit[kept], place[kept]
        return time, unit, ring.row[place]

    def _trace(self, time: Floats, unit: Longs, row: Longs, copy: Longs) -> Trace:
        base, laps = self.base, int(unit.max(initial=0)) + 1
        linked = base.session[row] >= 0
        session = np.full(len(row), -1, np.int64)
        session[linked] = renumber(copy[linked] * laps + unit[linked])
        start, blocks = gather_blocks(base.block_start, base.blocks, row)
        if len(blocks):
            # texts of copies are other texts
            blocks = renumber(blocks + np.repeat(copy, np.diff(start)) * np.int64(base.unique_blocks))
        return make_trace(
            time,
            base.prompt_tokens[row],
            base.output_tokens[row],
            session=session,
            turn=base.turn[row],
            cancel_s=base.cancel_s[row],
            block_start=start,
            blocks=blocks,
            block_tokens=base.block_tokens,
            source=base.source,
        )


def _thinned(ring: _Ring, rng: np.random.Generator) -> _Ring:
    """One session in STEP of each of STEP rounds, each from another moment on."""
    count = int(ring.unit.max()) + 1
    times, sessions, rows = [], [], []
    for lap in range(STEP):
        kept = np.flatnonzero(rng.random(count)[ring.unit] < 1.0 / STEP)
        moved = (ring.time_s[kept] + rng.uniform(0.0, ring.length_s)) % ring.length_s
        times.append(moved + lap * ring.length_s)
        sessions.append(ring.unit[kept].astype(np.int64) + lap * count)
        rows.append(ring.row[kept])
    time = np.concatenate(times)
    order = np.argsort(time, kind="stable")
    return _Ring(
        time[order],
        renumber(np.concatenate(sessions)[order]),
        np.concatenate(rows)[order],
        ring.length_s * STEP,
    )
