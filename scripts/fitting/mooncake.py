"""Mooncake conversation: open-loop chat sessions with long documents, one system prompt in front of all."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scripts.fitting.sources import Links, Places, links
from scripts.fitting.tables import FEW, kaplan_meier, quantiles, rounded, weighted_quantiles

from meritorder.workload.trace import Trace

# The first block stands in front of every request.
COMMON_BLOCKS = 1
LONGEST_SESSION = 16
UNDER_WAY = 0.3  # share of the recording after which a new session is one that begins


def clients(trace: Trace) -> dict[str, dict[str, Any]]:
    """Prompts that nobody goes on from, and conversations, as found by their block ids.

    Turns and pauses are corrected for the end of the recording (Kaplan-Meier). `trace` spread inside its grid.
    """
    found = links(trace, COMMON_BLOCKS)
    session = sessions_of(found)
    go_on, pauses, weights = _continuation(trace, session, trace.arrival_s[session] > UNDER_WAY * trace.arrival_s[-1])
    turns = _turns(go_on)
    mean_turns = sum(part["weight"] * part["constant"] for part in turns)
    first, whole = ~found.linked, found.whole
    # Sessions seen first early on may have begun before the recording.
    fresh = first & (trace.arrival_s > UNDER_WAY * trace.arrival_s[-1])
    followed = fresh & np.isin(np.arange(len(trace)), session[found.linked])
    # Late first turns may still be followed after the end of the recording.
    alone = fresh & ~followed & (trace.arrival_s < 0.7 * trace.arrival_s[-1])
    forked = found.linked & ~whole
    before = trace.prompt_tokens[found.parent]
    kept = np.minimum(found.shared_tokens, trace.prompt_tokens)
    starts = len(trace) / trace.duration_s / (1 - go_on[0] + go_on[0] * mean_turns)
    common = {
        "drift": [{"cv": _drift_cv(trace), "memory": "10 min"}],
        "shared_prefix": [{"name": "system", "tokens": COMMON_BLOCKS * trace.block_tokens}],
    }
    rewrite = {
        "probability": rounded(forked.sum() / found.linked.sum()),
        "keep": quantiles((found.shared_tokens / np.maximum(before, 1))[forked].clip(0, 1), FEW, 3),
        "new_tokens": quantiles((trace.prompt_tokens - kept)[forked].clip(1), FEW),
    }
    return {
        "single": {
            "per_s": rounded(starts * (1 - go_on[0])),
            **common,
            "prompt_tokens": quantiles(trace.prompt_tokens[alone]),
            "output_tokens": quantiles(trace.output_tokens[alone]),
        },
        "conversation": {
            "per_s": rounded(starts * go_on[0]),
            **common,
            "prompt_tokens": quantiles(trace.prompt_tokens[followed]),
            "output_tokens": quantiles(trace.output_tokens[followed | found.linked]),
            "sessions": {
                "turns": {"mixture": turns},
                "pause_s": weighted_quantiles(pauses, weights),
                "new_tokens": quantiles((trace.prompt_tokens - before)[whole].clip(0)),
                "rewrite": rewrite,
                "warmup": "30 min",
            },
        },
    }


def sessions_of(found: Links) -> Places:
    """The first request of each request's session."""
    session = np.arange(len(found.parent))
    for r in np.flatnonzero(found.linked):  # parents come first
        session[r] = session[found.parent[r]]
    return session


def _continuation(
    trace: Trace, session: Places, fresh: npt.NDArray[np.bool_]
) -> tuple[list[float], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Chance of another turn after turns 1, 2 and later; pauses with weights."""
    order = np.lexsort((np.arange(len(session)), session))
    start = np.concatenate(([True], np.diff(session[order]) > 0))
    number = np.arange(len(order)) - np.maximum.accumulate(np.where(start, np.arange(len(order)), 0))
    time = trace.arrival_s[order]
    followed = np.concatenate((~start[1:], [False]))
    end = trace.arrival_s[-1]
    lasting = np.where(followed, np.concatenate((time[1:], [0.0])) - time, end - time)
    go_on = []
    for turn in (number == 0, number == 1, number >= 2):
        group = turn & fresh[order]
        _, weight = kaplan_meier(lasting[group], followed[group])
        go_on.append(float(weight.sum()))
    pauses, weights = kaplan_meier(lasting, followed)
    return go_on, pauses, weights


def _turns(go_on: list[float]) -> list[dict[str, Any]]:
    """Turns of sessions that have at least two."""
    parts, left = [], 1.0
    for turn in range(2, LONGEST_SESSION + 1):
        stop = 1.0 if turn == LONGEST_SESSION else 1 - go_on[min(turn, 3) - 1]
        parts.append({"weight": rounded(left * stop), "constant": turn})
        left *= 1 - stop
    return parts


def _drift_cv(trace: Trace) -> float | int:
    """Spread of the rate between minutes beyond chance: var(counts) = mean + (cv x mean)^2.

    Pauses smear the drift of session starts, and two clients drift apart: together they need about twice the variance.
    """
    counts = np.bincount((trace.arrival_s // 60).astype(int))[: int(trace.arrival_s[-1] // 60)]
    return rounded(math.sqrt(2 * max(counts.var() - counts.mean(), 1.0)) / counts.mean(), 3)
