"""Outliers: replicas that answer, but far worse than the others of their pool."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from meritorder.serve.backends.backend import Backend

TTFT_FACTOR, TTFT_MORE_S = 4.0, 0.5  # both above the others' median: too slow
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
        ttft_s, theirs_s = backend.health.recent.ttft_s, [r.ttft_s for r in others if r.ttft_s is not None]
        if ttft_s is not None and theirs_s:
            usual = median(theirs_s)
            if ttft_s > max(TTFT_FACTOR * usual, usual + TTFT_MORE_S):
                why = f"first tokens after {ttft_s:.2f} s, the others of {backend.pool} after {usual:.2f} s"
                yield ttft_s / usual if usual > 0 else TTFT_FACTOR, backend, why
                continue
        rate, theirs = backend.health.recent.rate, [r.rate for r in others if r.rate is not None]
        if rate is not None and theirs:
            usual = sum(theirs) / len(theirs)
            if rate > max(RATE_FACTOR * usual, usual + RATE_MORE):
                why = f"{rate:.0%} of its requests fail, of the others of {backend.pool} {usual:.0%}"
                yield RATE_FACTOR + rate, backend, why
