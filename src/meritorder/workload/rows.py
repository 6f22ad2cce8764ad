"""Choosing, ordering and joining requests of traces with their sessions, links and prefix blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from meritorder.workload.trace import Floats, Ints, Longs, Trace, renumber


def take(trace: Trace, index: npt.NDArray[Any]) -> Trace:
    """The requests `index` in that order (each at most once).

    A request whose `after` is left out starts by the clock, at its recorded time. Block ids and session numbers are
    made dense again. The caller keeps `after` before its followers and the clock's arrivals sorted.
    """
    index = np.ascontiguousarray(index, np.int64)
    place = np.full(len(trace) + 1, -1, np.int32)  # the last entry answers for after == -1
    place[index] = np.arange(len(index), dtype=np.int32)
    after = place[trace.after[index]]
    start, blocks = gather_blocks(trace.block_start, trace.blocks, index)
    session = trace.session[index]
    mine = session >= 0
    session[mine] = renumber(session[mine])
    return replace(
        trace,
        arrival_s=trace.arrival_s[index],
        prompt_tokens=trace.prompt_tokens[index],
        output_tokens=trace.output_tokens[index],
        service=trace.service[index],
        region=trace.region[index],
        session=session,
        turn=trace.turn[index],
        after=after,
        think_s=np.where(after >= 0, trace.think_s[index], np.float32(0)),
        cancel_s=trace.cancel_s[index],
        block_start=start,
        blocks=renumber(blocks),
    )


def first(trace: Trace, count: int) -> Trace:
    """The first `count` requests."""
    return trace if count >= len(trace) else take(trace, np.arange(count))


def gather_blocks(start: Longs, blocks: Ints, index: Longs) -> tuple[Longs, Ints]:
    """The runs of `index` behind one another: new offsets (n+1) and ids."""
    if not len(blocks) or not len(index):
        return np.zeros(len(index) + 1, np.int64), blocks[:0]
    counts = np.diff(start)[index]
    offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))
    if counts.mean() > 16:
        ids = np.concatenate(
            [blocks[a:b] for a, b in zip(start[index].tolist(), start[index + 1].tolist(), strict=True)]
        )
    else:
        ids = blocks[np.repeat(start[index] - offsets[:-1], counts) + np.arange(offsets[-1])]
    return offsets, np.ascontiguousarray(ids, np.int32)


def recorded_times(trace: Trace) -> Floats:
    """When each request arrived in the recording: never before the one it waits for, and never NaN."""
    times = trace.arrival_s.copy()
    for i in np.flatnonzero(trace.after >= 0):
        before = times[trace.after[i]]
        if not times[i] >= before:
            times[i] = before
    return times


def by_time(trace: Trace) -> Trace:
    """The same requests in order of their recorded time; equal times keep their order."""
    order = np.argsort(recorded_times(trace), kind="stable")
    return trace if (np.diff(order) > 0).all() else take(trace, order)


def opened(trace: Trace) -> Trace:
    """The same requests, each by the clock at its recorded time: nobody waits for an answer."""
    free = np.full(len(trace), -1, np.int32)
    still = np.zeros(len(trace), np.float32)
    return by_time(replace(trace, arrival_s=recorded_times(trace), after=free, think_s=still))


def units(trace: Trace) -> Ints:
    """Which requests belong together by session or link: a number per group, dense from 0 in order of appearance."""
    linked = np.flatnonzero((trace.after >= 0) | (trace.session >= 0)).tolist()
    if not linked:
        return np.arange(len(trace), dtype=np.int32)
    leader = list(range(len(trace)))

    def find(i: int) -> int:
        while leader[i] != i:
            leader[i] = leader[leader[i]]
            i = leader[i]
        return i

    first: dict[int, int] = {}
    sessions, links = trace.session.tolist(), trace.after.tolist()
    for i in linked:
        if sessions[i] >= 0:
            # The earliest request leads: groups are then numbered in order of appearance.
            a, b = find(first.setdefault(sessions[i], i)), find(i)
            leader[max(a, b)] = min(a, b)
        if links[i] >= 0:
            a, b = find(links[i]), find(i)
            leader[max(a, b)] = min(a, b)
    return renumber(np.array([find(i) for i in range(len(trace))], np.int64))


def join(traces: Sequence[Trace], *, share_blocks: bool = False, share_sessions: bool = False) -> Trace:
    """All requests of `traces`, one trace behind the other, not sorted.

    Services and regions are merged by name. Block ids and sessions of different traces are kept apart unless shared.
    `block_tokens` must agree among the traces that have blocks (ValueError).
    """
    sizes = {trace.block_tokens for trace in traces if trace.has_blocks}
    if len(sizes) > 1:
        raise ValueError(f"prefix blocks of {sorted(sizes)} tokens can't be joined")
    services = tuple(dict.fromkeys(name for trace in traces for name in trace.services))
    regions = tuple(dict.fromkeys(name for trace in traces for name in trace.regions))
    request, block, session = 0, 0, 0
    after, blocks, sessions, starts = [], [], [], [np.zeros(1, np.int64)]
    for trace in traces:
        after.append(np.where(trace.after >= 0, trace.after + np.int32(request), np.int32(-1)))
        blocks.append(trace.blocks + np.int32(0 if share_blocks else block))
        sessions.append(np.where(trace.session >= 0, trace.session + np.int32(0 if share_sessions else session), -1))
        starts.append(trace.block_start[1:] + starts[-1][-1])
        request += len(trace)
        block += trace.unique_blocks
        session += int(trace.session.max(initial=-1)) + 1

    def names(own: tuple[str, ...], every: tuple[str, ...], column: npt.NDArray[np.int16]) -> npt.NDArray[np.int16]:
        return np.array([every.index(name) for name in own], np.int16)[column]

    return Trace(
        arrival_s=np.concatenate([t.arrival_s for t in traces]),
        prompt_tokens=np.concatenate([t.prompt_tokens for t in traces]),
        output_tokens=np.concatenate([t.output_tokens for t in traces]),
        service=np.concatenate([names(t.services, services, t.service) for t in traces]),
        region=np.concatenate([names(t.regions, regions, t.region) for t in traces]),
        session=np.concatenate(sessions).astype(np.int32),
        turn=np.concatenate([t.turn for t in traces]),
        after=np.concatenate(after).astype(np.int32),
        think_s=np.concatenate([t.think_s for t in traces]),
        cancel_s=np.concatenate([t.cancel_s for t in traces]),
        block_start=np.concatenate(starts),
        blocks=np.concatenate(blocks).astype(np.int32),
        block_tokens=max(sizes, default=0),
        services=services,
        regions=regions,
        source=" + ".join(dict.fromkeys(t.source for t in traces if t.source)),
        warnings=tuple(dict.fromkeys(w for t in traces for w in t.warnings)),
    )
