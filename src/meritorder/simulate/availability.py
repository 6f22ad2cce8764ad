"""How much of its replicas a fleet had, and what became of requests by cause."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from meritorder.simulate.faults.causes import CAUSES
from meritorder.simulate.faults.outage import DOWN, UP, Outages
from meritorder.simulate.result import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from meritorder.simulate.result import Result

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Downtime:
    """Times at which replicas went down (nested outages are one), for how long, and by which fault first."""

    replica: npt.NDArray[np.int32]
    start_s: Floats
    seconds: Floats  # within the span
    cause: npt.NDArray[np.uint8]


def downtime(outages: Outages, span_s: float) -> Downtime:
    """When replicas were down between 0 and `span_s`, by the outages alone (rows that tripped are not in them)."""
    rows = outages.outages
    told = rows[((rows.kind == DOWN) | (rows.kind == UP)) & (rows.time <= span_s)]
    count = told["count"]
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    hit = outages.hit[np.repeat(told.first, count) + within]
    order = np.argsort(hit, kind="stable")  # each replica's own, in the order of time
    hit = hit[order]
    time, kind, cause = (np.repeat(told[name], count)[order] for name in ("time", "kind", "cause"))
    # how many outages each replica is under: running sums, less what the replicas before it ended with
    level = np.cumsum(np.where(kind == DOWN, 1, -1))
    new = np.flatnonzero(np.diff(hit, prepend=-1))
    before = np.concatenate([[0], level])[new]
    level -= np.repeat(before, np.diff(np.append(new, len(hit))))
    starts, ends = np.flatnonzero((kind == DOWN) & (level == 1)), np.flatnonzero((kind == UP) & (level == 0))
    stop = np.full(len(starts), span_s)
    following = np.searchsorted(ends, starts)
    there = np.flatnonzero(following < len(ends))
    there = there[hit[ends[following[there]]] == hit[starts[there]]]
    stop[there] = time[ends[following[there]]]
    return Downtime(hit[starts], time[starts], stop - time[starts], cause[starts])


def pools_availability(result: Result) -> list[dict[str, Any]]:
    """For each pool: share of replica time up, times that replicas fell, and seconds down by the cause that began it.

    Seconds that rows were off, too hot or without power, are what is down beyond the outages. Empty where nothing was
    to break.
    """
    if result.outages is None or result.down_s is None:
        return []
    found = downtime(result.outages, result.span_s)
    firsts = np.cumsum([0, *(pool.replicas for pool in result.fleet.pools.values())])
    tables = []
    for index, (name, pool) in enumerate(result.fleet.pools.items()):
        ours = (found.replica >= firsts[index]) & (found.replica < firsts[index + 1])
        down_s = float(result.down_s[firsts[index] : firsts[index + 1]].sum())
        by_cause = _sums(found.cause[ours], found.seconds[ours])
        off_s = down_s - sum(by_cause.values())
        if off_s > 1e-6 * max(down_s, 1.0):
            by_cause["tripped rows"] = off_s
        tables.append(
            {
                "pool": name,
                "availability": 1.0 - down_s / (pool.replicas * result.span_s) if result.span_s > 0 else 1.0,
                "falls": int(ours.sum()),
                "replica_down_s": down_s,
                "replica_down_s_by_cause": by_cause,
            }
        )
    return tables


def requests_by_cause(
    result: Result, which: Sequence[int] | npt.NDArray[np.int64] | npt.NDArray[np.bool_]
) -> dict[str, Any]:
    """What became of these requests (their numbers, or a mask): every one counts exactly once under `ended`."""
    status, cause = result.status[which], result.cause[which]
    ended = {one.name.lower(): int((status == one).sum()) for one in Status}
    again = result.attempts[which] > 0
    delayed = again & (status == Status.COMPLETED)
    return {
        "requests": len(status),
        "ended": ended,
        "lost_by_cause": _counts(cause[status == Status.LOST]),
        "refused_by_cause": _counts(cause[status == Status.SHED]),
        "sent_anew": int(again.sum()),
        "delayed": int(delayed.sum()),  # completed after their first machine had failed
    }


def _counts(cause: npt.NDArray[np.uint8]) -> dict[str, int]:
    numbers = np.bincount(cause, minlength=len(CAUSES))
    return {name or "unknown": int(count) for name, count in zip(CAUSES, numbers, strict=False) if count}


def _sums(cause: npt.NDArray[np.uint8], seconds: Floats) -> dict[str, float]:
    totals = np.bincount(cause, seconds, minlength=len(CAUSES))
    return {name: float(total) for name, total in zip(CAUSES, totals, strict=False) if total > 0}
