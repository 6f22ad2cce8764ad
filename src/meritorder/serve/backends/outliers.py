"""Outliers: replicas that answer, but far worse than the others of their pool."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from meritorder.serve.backends.backend import Backend

LATE_FACTOR, LATE_MORE_S = 4.0, 0.5  # both later than it would be if it were as late as the others' median: too slow
RATE_FACTOR, RATE_MORE = 3.0, 0.2  # both above the others' mean rate of failures: fails too often
MOST = 0.5  # part of a pool that may be out of use when one more is ejected


def outliers(pool: Sequence[Backend], now: float) -> Iterator[tuple[Backend, str]]:
    """The replicas of one pool that should be ejected, and why; the worst first, never leaving less than half."""
    for backend in pool:
        backend.health.recent.add(now, 0.0, 0.0)
    up = [backend for backend in pool if backend.state == "up" and backend.usable]
    room = int(len(pool) * MOST) - (len(pool) - len(up))
    found = sorted(_judged(up), key=lambda judged: judged[0], reverse=True)
    yield from ((backend, why) for _, backend, why in found[: max(0, room)])


def _judged(up: Sequence[Backend]) -> Iterator[tuple[float, Backend, str]]:
    """(how bad, replica, why) of each that is far worse than the others."""
    for backend in up:
        others = [other.health.recent for other in up if other is not backend]
        mine, all_theirs = backend.health.recent.lateness, [r.lateness for r in others if r.lateness is not None]
        if mine is not None and all_theirs:
            ttft_s, ratio = mine
            # ratios, not times: one of them may get the long prompts, because it has them cached
            usual = median(theirs for _, theirs in all_theirs)
            if ratio > LATE_FACTOR * usual and ttft_s * (1.0 - usual / ratio) > LATE_MORE_S:
                why = (
                    f"first tokens after {ttft_s:.2f} s, {ratio:.1f} times as late as predicted; "
                    f"of the others of {backend.pool} {usual:.1f} times"
                )
                yield ratio / usual if usual > 0 else LATE_FACTOR, backend, why
                continue
        rate, theirs = backend.health.recent.rate, [r.rate for r in others if r.rate is not None]
        if rate is not None and theirs:
            usual = sum(theirs) / len(theirs)
            if rate > max(RATE_FACTOR * usual, usual + RATE_MORE):
                why = f"{rate:.0%} of its requests fail, of the others of {backend.pool} {usual:.0%}"
                yield RATE_FACTOR + rate, backend, why
