"""Weka Claude Code: closed-loop agent sessions whose context grows call by call and is sometimes cut back."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scripts.fitting.sources import Agents, Links, Places, links, pick
from scripts.fitting.tables import FEW, kaplan_meier, quantiles, rounded, weighted_quantiles

from meritorder.workload.trace import Trace

# Nobody knows when the sessions started: this many begin a second unless `--rate` says otherwise.
STARTS_PER_S = 0.01

# What a call does: starts a session; goes on; is the first of a side branch, or a later one on it; keeps only part of
# the history; goes on after the history was compacted.
FIRST, GOES_ON, SIDE, ON_SIDE, REWRITES, COMPACTS = range(6)
LONGEST_SIDE = 60
COMPACTED_FROM = 100_000
USUAL_CONTEXT = 200_000
OPENING_TURNS = 6  # in which agents read most of what they know


def clients(agents: Agents) -> dict[str, dict[str, Any]]:
    """Sessions that stay inside the usual context, that grow beyond it, and that begin beyond it."""
    trace = agents.trace
    longest = np.zeros(int(trace.session.max()) + 1, np.int64)
    np.maximum.at(longest, trace.session, trace.prompt_tokens)
    begins = trace.prompt_tokens[np.searchsorted(trace.session, np.arange(len(longest)))]
    far, resumed = longest[trace.session] > USUAL_CONTEXT, begins[trace.session] > USUAL_CONTEXT
    sessions = len(np.unique(trace.session))
    result = {}
    for name, which in (("usual-context", ~far), ("long-context", far & ~resumed), ("resumed-long-context", resumed)):
        if not which.any():
            continue
        part = Agents(pick(trace, np.flatnonzero(which)), agents.service_s[which], agents.group)
        share = len(np.unique(part.trace.session)) / sessions
        result[name] = {"per_s": rounded(STARTS_PER_S * share), **_client(part)}
    return result


def _client(agents: Agents) -> dict[str, Any]:
    trace = agents.trace
    found = links(trace, 0)
    first = np.concatenate(([True], np.diff(trace.session) != 0))
    later = ~first
    kind = kinds(trace, found)
    last = np.arange(len(trace)) - 1
    source = np.where(kind == SIDE, last, np.where(found.linked, found.parent, last))
    before = trace.prompt_tokens[source].astype(np.int64)
    kept = np.where(found.linked, np.minimum(found.shared_tokens, trace.prompt_tokens), 0)
    share = (kept / np.maximum(before, 1)).clip(0, 1)
    new = (trace.prompt_tokens - kept).clip(1)
    grown = (trace.prompt_tokens - before).clip(0)
    turn = np.arange(len(trace)) - np.maximum.accumulate(np.where(first, np.arange(len(trace)), 0))
    base, per_token = service_time(agents)

    def cut(which: int) -> dict[str, Any]:
        return {"keep": quantiles(share[kind == which], FEW, 3), "new_tokens": quantiles(new[kind == which], FEW)}

    def chance(which: int) -> float | int:
        return rounded((kind == which).sum() / later.sum())

    sessions: dict[str, Any] = {
        "turns": quantiles(np.unique(trace.session, return_counts=True)[1]),
        "closed_loop": True,
        "pause_s": quantiles(trace.think_s[later], digits=3),
        "new_tokens": quantiles(grown[(kind == GOES_ON) & (turn > OPENING_TURNS)]),
        "opening": {
            "turns": OPENING_TURNS,
            "new_tokens": quantiles(grown[(kind == GOES_ON) & (turn <= OPENING_TURNS)]),
        },
        "nominal_service": {"base": f"{rounded(base, 3)} s", "per_output_token": f"{rounded(per_token, 3)} s"},
    }
    if (kind == REWRITES).any():
        # An edit far in front leaves prompts as long as they were.
        sessions["rewrite"] = {"probability": chance(REWRITES), "keep": cut(REWRITES)["keep"]}
    if (kind == SIDE).any():
        lengths = quantiles(_side_lengths(kind), FEW, 3)
        sessions["side"] = {"probability": chance(SIDE), "turns": lengths, **cut(SIDE)}
    if (kind == COMPACTS).any():
        sessions["context"] = {"limit_tokens": _limits(trace, kind, before), **cut(COMPACTS)}
    return {
        "prompt_tokens": quantiles(trace.prompt_tokens[first]),
        "output_tokens": quantiles(trace.output_tokens),
        "sessions": sessions,
    }


def kinds(trace: Trace, found: Links) -> Places:
    """What each call does with the history: see the names above."""
    n = len(trace)
    kind = np.full(n, GOES_ON)
    resumes = np.full(n, n)  # the first later call that goes on from the history up to here
    for r in np.flatnonzero(found.whole & (found.parent < np.arange(n) - 1))[::-1]:
        resumes[found.parent[r]] = r
    end_of_side = -1
    for r in range(1, n):
        if trace.session[r] != trace.session[r - 1]:
            end_of_side = -1
            kind[r] = FIRST
        elif r < end_of_side:
            kind[r] = ON_SIDE
        elif found.whole[r]:
            kind[r] = GOES_ON
        elif r < resumes[r - 1] < min(n, r + LONGEST_SIDE):
            kind[r], end_of_side = SIDE, int(resumes[r - 1])
        else:
            source = found.parent[r] if found.linked[r] else r - 1
            before = trace.prompt_tokens[source]
            compacted = before > COMPACTED_FROM and trace.prompt_tokens[r] < 0.7 * before
            kind[r] = COMPACTS if compacted else REWRITES
    kind[0] = FIRST
    return kind


def _side_lengths(kind: Places) -> Places:
    """Calls of each side branch."""
    begin = np.flatnonzero(kind == SIDE)
    aside = np.concatenate((kind, [GOES_ON])) == ON_SIDE
    return np.array([1 + int(np.argmin(aside[b + 1 :])) for b in begin])


def _limits(trace: Trace, kind: Places, before: Places) -> dict[str, Any]:
    """Context limits: prompts before compaction; sessions that were not compacted only say "longer than seen"."""
    compacted = np.flatnonzero(kind == COMPACTS)
    ends = np.flatnonzero(np.concatenate((np.diff(trace.session) != 0, [True])))
    starts = np.concatenate(([0], ends[:-1] + 1))
    longest = np.maximum.reduceat(trace.prompt_tokens, starts)
    free = ~np.isin(trace.session[ends], trace.session[compacted])
    lasting = np.concatenate((before[compacted], longest[free])).astype(np.float64)
    seen = np.concatenate((np.ones(len(compacted), bool), np.zeros(int(free.sum()), bool)))
    values, weights = kaplan_meier(lasting, seen)
    never = max(1 - float(weights.sum()), 0.0)
    return weighted_quantiles(
        np.concatenate((values, [float(trace.prompt_tokens.max())])), np.concatenate((weights, [never])), FEW
    )


def service_time(agents: Agents) -> tuple[float, float]:
    """Seconds at the start and per output token of the recorded API: median regression, by reweighting."""
    known = ~np.isnan(agents.service_s)
    y = agents.service_s[known]
    x = np.column_stack((np.ones(len(y)), agents.trace.output_tokens[known].astype(np.float64)))
    weight: npt.NDArray[np.float64] = np.ones(len(y))
    for _ in range(60):
        root = np.sqrt(weight)
        solution = np.linalg.lstsq(x * root[:, None], y * root, rcond=None)[0]
        weight = 1 / np.maximum(np.abs(y - x @ solution), 1e-3)
    return float(solution[0]), float(solution[1])


def laid_out(trace: Trace, starts_s: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Arrival times where session k starts at `starts_s[k]`, and the order of arrival."""
    first = np.concatenate(([True], np.diff(trace.session) != 0))
    index = np.cumsum(first) - 1
    begin = trace.arrival_s[first][index]
    times = trace.arrival_s - begin + starts_s[index]
    return times, np.argsort(times, kind="stable")
