"""Weka's Claude Code sessions (callanjfox/kv-cache-tester), whatever file they came from, as one trace.

Block ids are local to a session and made global here. Each agent of a session is a chain: a call waits for the one
before and thinks `think_time`; a sub-agent's first call starts by the clock at its recorded offset. Sessions have no
wall-clock origin: they are started `start_spacing_s` apart (evenly, or as a Poisson process with `start_seed`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from meritorder.workload.reading.faults import Faults, check_times, check_tokens
from meritorder.workload.reading.options import Options
from meritorder.workload.trace import Floats, Ints, Longs, Trace, make_trace, renumber

_SAME_CALLS = 3  # sessions that share so many (in, out, api_time) and more than 30 % are near-duplicates
_SAME_SHARE = 0.3


@dataclass
class Calls:
    """One entry a call (n), the calls of a session behind one another in its order."""

    line: Longs
    session: Longs  # dense from 0
    chain: Longs  # the agent, a number of its own over all sessions
    t: Floats  # seconds from the start of the session
    prompt: npt.NDArray[Any]
    output: npt.NDArray[Any]
    api_s: Floats  # recorded answer time; NaN unknown
    think_s: Floats  # recorded pause before the call; NaN unknown
    model: npt.NDArray[np.int16]
    models: tuple[str, ...]
    blocks: list[Ints]  # ids of each call's prompt, local to the session, not negative
    block_tokens: int


def to_trace(calls: Calls, name: str, options: Options, faults: Faults) -> Trace:
    """All sessions as one trace, in order of recorded time. Raises InputError that names rows."""
    prompt = check_tokens(faults, calls.line, "in", calls.prompt, 1)
    output = check_tokens(faults, calls.line, "out", calls.output, 0)
    check_times(faults, calls.line, "t", calls.t, 1.0, "seconds from the start of the session")
    for column, values in (("api_time", calls.api_s), ("think_time", calls.think_s)):
        faults.rows(values < 0, calls.line, column, values, "is {}", "give seconds, not negative")
    counts = np.array([len(ids) for ids in calls.blocks], np.int64)
    most = np.ceil(prompt / calls.block_tokens)
    faults.rows(counts > most, calls.line, "hash_ids", counts, "has {} ids", "no more than in / block_size fit")
    faults.check()
    notes = _notes(calls)
    # A call without output still read its prompt into the cache, and later calls of its agent wait for it.
    silent = int((output == 0).sum())
    if silent:
        notes.append(f"{silent:,} of {len(output):,} calls have no output token: kept in their sessions with 1 token")
        output = np.maximum(output, 1)
    sessions = int(calls.session.max(initial=-1)) + 1
    arrival = _session_starts(sessions, options)[calls.session] + calls.t
    order = np.argsort(arrival, kind="stable")
    start, blocks = _global_ids(calls, counts, order)
    after, think = _chains(calls, order)
    if options.closed_loop is False:
        after, think = np.full(len(order), -1, np.int64), np.zeros(len(order))
    pace = "evenly" if options.start_seed is None else f"as a Poisson process, seed {options.start_seed}"
    notes.append(
        f"sessions have no wall clock: started every {options.start_spacing_s:g} s ({pace}); "
        "see `merit traffic convert --start-spacing`"
    )
    trace = make_trace(
        *(arrival[order], prompt[order], output[order]),
        service=calls.model[order],
        services=calls.models,
        session=calls.session[order],
        turn=_turns(calls.session[order]),
        after=after,
        think_s=think,
        source=f"Weka Claude Code sessions from {name}",
        warnings=tuple(notes),
    )
    return replace(trace, block_start=start, blocks=blocks, block_tokens=calls.block_tokens)


def _session_starts(sessions: int, options: Options) -> Floats:
    if options.start_seed is None:
        return np.arange(sessions, dtype=np.float64) * options.start_spacing_s
    gaps = np.random.default_rng(options.start_seed).exponential(options.start_spacing_s, sessions)
    return np.asarray(np.cumsum(gaps) - gaps[:1], np.float64)


def _global_ids(calls: Calls, counts: Longs, order: Longs) -> tuple[Longs, Ints]:
    """Offsets and dense ids of the calls in `order`; ids of different sessions are kept apart."""
    base = np.zeros(len(counts), np.int64)
    runs = calls.blocks
    used = 0
    borders = np.flatnonzero(np.diff(calls.session, prepend=-1, append=-1))
    for first, last in pairwise(borders.tolist()):
        mine = runs[first:last]
        low = min((int(run.min()) for run in mine if len(run)), default=0)
        high = max((int(run.max()) for run in mine if len(run)), default=-1)
        seen = np.zeros(max(high - low + 1, 0) if high - low < 1 << 24 else 0, bool)
        for run in mine if len(seen) else ():
            seen[run - low if low else run] = True
        if high >= low and not (len(seen) and seen.all()):
            dense = np.split(renumber(np.concatenate(mine)), np.cumsum(counts[first:last])[:-1])
            runs = [*runs[:first], *dense, *runs[last:]]
            low, high = 0, max(int(run.max()) for run in dense if len(run))
        base[first:last] = used - low
        used += high - low + 1
    start = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts[order])))
    blocks = np.empty(int(start[-1]), np.int32)
    for place, i in enumerate(order.tolist()):
        np.add(runs[i], np.int32(base[i]), out=blocks[start[place] : start[place + 1]])
    return start, blocks


def _chains(calls: Calls, order: Longs) -> tuple[Longs, Floats]:
    """For each call in the new order the one before it of the same agent (-1: none) and the pause in between."""
    chain = calls.chain[order]
    by_chain = np.argsort(chain, kind="stable")
    follows = np.flatnonzero(np.diff(chain[by_chain]) == 0) + 1
    now, before = by_chain[follows], by_chain[follows - 1]
    after = np.full(len(order), -1, np.int64)
    after[now] = before
    t, api, recorded = calls.t[order], calls.api_s[order], calls.think_s[order]
    think = np.zeros(len(order))
    # Where no pause was recorded it is what the call before left of the time between both.
    gap = np.maximum(t[now] - t[before] - np.nan_to_num(api[before]), 0.0)
    think[now] = np.where(np.isnan(recorded[now]), gap, recorded[now])
    return after, think


def _turns(session: Longs) -> Longs:
    order = np.argsort(session, kind="stable")
    starts = np.flatnonzero(np.diff(session[order], prepend=-1))
    turn = np.empty(len(session), np.int64)
    turn[order] = np.arange(len(session)) - np.repeat(starts, np.diff(np.append(starts, len(session))))
    return turn


def _notes(calls: Calls) -> list[str]:
    notes = []
    missing = int(np.isnan(calls.think_s).sum())
    if missing:
        notes.append(f"{missing:,} calls have no think_time: taken as the time that the call before left")
    same, near = _duplicates(calls)
    if same:
        notes.append(f"{same:,} sessions repeat another one exactly, call by call: they count double")
    if near:
        notes.append(
            f"{near:,} pairs of sessions share 3 or more calls (in, out, api_time) and over 30 % of the smaller one: "
            "near-duplicates; never split them between fitting and testing"
        )
    return notes


def _duplicates(calls: Calls) -> tuple[int, int]:
    """Sessions equal to an earlier one, and pairs that share many calls."""
    sessions_of: dict[tuple[float, ...], set[int]] = defaultdict(set)
    seen: Counter[tuple[object, ...]] = Counter()
    sizes = {}
    triples = list(zip(calls.prompt.tolist(), calls.output.tolist(), calls.api_s.tolist(), strict=True))
    borders = np.flatnonzero(np.diff(calls.session, prepend=-1, append=-1))
    times = calls.t.tolist()
    for first, last in pairwise(borders.tolist()):
        number = int(calls.session[first])
        key = tuple(
            (a, b, c if c == c else None, t)
            for (a, b, c), t in zip(triples[first:last], times[first:last], strict=True)
        )
        seen[key] += 1
        if seen[key] > 1:
            continue
        mine = {triple for triple in triples[first:last] if triple[2] == triple[2]}
        sizes[number] = len(mine)
        for triple in mine:
            sessions_of[triple].add(number)
    shared: Counter[tuple[int, int]] = Counter()
    for numbers in sessions_of.values():
        if 1 < len(numbers) <= 50:
            shared.update(combinations(sorted(numbers), 2))
    near = sum(n >= _SAME_CALLS and n > _SAME_SHARE * min(sizes[a], sizes[b]) for (a, b), n in shared.items())
    return sum(count - 1 for count in seen.values()), near
