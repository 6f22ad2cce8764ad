"""Other traffic from the same recording: a part of it, another rate, several together, services by share.

Sessions stay whole and bursts stay bursts: a rate is changed by adding or leaving out whole sessions, not by stretching
time (unless asked).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from meritorder.problems import InputError, Problem
from meritorder.workload.rows import by_time, join, recorded_times, take, units
from meritorder.workload.trace import Ints, Trace

_MOST_COPIES = 10_000


def slice(trace: Trace, start_s: float, stop_s: float) -> Trace:
    """The requests recorded in [start_s, stop_s), with `start_s` as the new time 0.

    A request that waits for one before the slice starts by the clock instead, at its recorded time: the session goes
    on as if its start had just been answered. Raises InputError where nothing is left.
    """
    if not 0 <= start_s < stop_s:
        raise InputError(
            Problem(f"{start_s:g} to {stop_s:g} s is no part of a trace", "--from/--to", fix="start before end")
        )
    times = recorded_times(trace)
    kept = np.flatnonzero((times >= start_s) & (times < stop_s))
    if not len(kept):
        last = f"requests arrive from {times.min():g} to {times.max():g} s" if len(times) else "the trace is empty"
        raise InputError(Problem(f"no request from {start_s:g} to {stop_s:g} s", "--from/--to", fix=last))
    cut = take(replace(trace, arrival_s=times), kept)
    return _said(by_time(replace(cut, arrival_s=cut.arrival_s - start_s)), f"cut from {start_s:g} to {stop_s:g} s")


def scale_rate(
    trace: Trace, factor: float, seed: int = 0, *, share_blocks: bool = False, dilate: bool = False
) -> Trace:
    """The same kind of traffic with `factor` times the requests.

    Above 1, copies of all sessions are laid over one another, each rotated in time by a random offset; a last copy
    holds a random part of the sessions. Counts of independent copies add their variances, so the index of dispersion
    stays. Below 1, each session is kept with probability `factor`; bursts made of many sessions then thin out:
    IDC - 1 shrinks by `factor`, as it does where fewer clients come. Copies have prefix blocks of their own (new users
    with new texts) unless `share_blocks`. `dilate` instead divides all clock times by `factor`: same requests, faster;
    it shifts bursts to other time scales. Raises InputError for a factor that is not positive.
    """
    if not 0 < factor <= _MOST_COPIES:
        raise InputError(Problem(f"is {factor:g}", "--factor", fix=f"give a number above 0, at most {_MOST_COPIES:,}"))
    if dilate:
        return _said(replace(trace, arrival_s=trace.arrival_s / factor), f"time divided by {factor:g}")
    if factor == 1 or not len(trace):
        return trace
    rng = np.random.default_rng(seed)
    unit = units(trace)
    whole = int(factor)
    copies = [trace] if whole else []
    for _ in range(1, whole):
        copies.append(_rotated(trace, unit, rng))
    if factor > whole:
        part = _thinned(trace, unit, factor - whole, rng)
        copies.append(_rotated(part, units(part), rng) if whole else part)
    joined = by_time(join(copies, share_blocks=share_blocks))
    return _said(joined, f"rate x {factor:g}, seed {seed}")


def mix(traces: Sequence[Trace], names: Sequence[str]) -> Trace:
    """All traces at once, each a service named in `names`; their texts and sessions have nothing in common.

    Services that a trace had before are replaced. Prefix blocks of different size are made as coarse as the coarsest.
    Raises InputError where block sizes don't divide each other, or names are doubled.
    """
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        raise InputError(Problem(f'the name "{twice[0]}" stands twice', "TRACES", fix="give each trace its own name"))
    sizes = sorted({trace.block_tokens for trace in traces if trace.has_blocks})
    notes = []
    if len(sizes) > 1:
        notes.append(f"prefix blocks of {sizes[:-1]} tokens were joined to blocks of {sizes[-1]}")
        traces = [_coarser(trace, sizes[-1]) if trace.has_blocks else trace for trace in traces]
    named = [
        replace(trace, services=(name,), service=np.zeros(len(trace), np.int16))
        for trace, name in zip(traces, names, strict=True)
    ]
    return by_time(join(named)).with_warnings(*notes)


def assign_services(trace: Trace, shares: Mapping[str, float], seed: int = 0) -> Trace:
    """The trace with services drawn by `shares` (relative weights); a session stays in one service.

    Raises InputError where no share is positive, or one is negative.
    """
    weights = np.array(list(shares.values()), float)
    if not len(weights) or not np.isfinite(weights).all() or (weights < 0).any() or weights.sum() <= 0:
        raise InputError(Problem(f"are {dict(shares)}", "", "shares", "give weights of 0 or more, one above 0"))
    unit = units(trace)
    count = int(unit.max(initial=-1)) + 1
    drawn = np.random.default_rng(seed).choice(len(weights), count, p=weights / weights.sum())
    return replace(trace, service=drawn.astype(np.int16)[unit], services=tuple(shares))


def _rotated(trace: Trace, unit: Ints, rng: np.random.Generator) -> Trace:
    """Every session starts a random offset later, those past the end wrap to the start; inside it nothing moves."""
    times = recorded_times(trace)
    if not len(times):
        return trace
    begin = np.full(int(unit.max()) + 1, np.inf)
    np.minimum.at(begin, unit, times)
    low = float(begin.min())
    # As long as the sessions' starts go on, plus a mean gap, so that the last start doesn't fall on the first.
    span = (float(begin.max()) - low) * (1 + 1 / max(len(begin) - 1, 1))
    if span == 0:
        return replace(trace, arrival_s=times)
    moved = low + (begin - low + rng.uniform(0, span)) % span
    return by_time(replace(trace, arrival_s=times + (moved - begin)[unit]))


def _thinned(trace: Trace, unit: Ints, share: float, rng: np.random.Generator) -> Trace:
    kept = rng.random(int(unit.max(initial=-1)) + 1) < share
    return take(trace, np.flatnonzero(kept[unit]))


def _coarser(trace: Trace, block_tokens: int) -> Trace:
    """Ids of larger blocks: chained ids say all that stands before them, so the last small one names the large one."""
    step, rest = divmod(block_tokens, trace.block_tokens)
    if rest:
        what = f"{trace.block_tokens} and {block_tokens} tokens: blocks of one can't be joined to blocks of the other"
        raise InputError(Problem(what, trace.source, "block_tokens", "mix traces whose block sizes divide each other"))
    counts = np.diff(trace.block_start)
    full = counts // step
    start = np.concatenate((np.zeros(1, np.int64), np.cumsum(full)))
    within = np.arange(int(start[-1])) - np.repeat(start[:-1], full)
    blocks = trace.blocks[np.repeat(trace.block_start[:-1], full) + (within + 1) * step - 1]
    coarse = replace(trace, block_start=start, blocks=blocks, block_tokens=block_tokens)
    return take(coarse, np.arange(len(trace)))


def _said(trace: Trace, what: str) -> Trace:
    return replace(trace, source=f"{trace.source}, {what}" if trace.source else what)
