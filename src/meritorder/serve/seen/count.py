"""Counting a request that was answered: its counters and histograms, in one compiled call."""

from __future__ import annotations

import numpy as np

from meritorder.compiled import compiled, inlined
from meritorder.records import Records
from meritorder.serve.seen import layout

_SECONDS, _A_TOKEN = np.array(layout.SECONDS), np.array(layout.SECONDS_A_TOKEN)
_TOKENS, _RATIOS = np.array(layout.TOKENS), np.array(layout.RATIOS)
_WAIT, _TTFT, _TPOT, _DURATION = layout.WAIT.start, layout.TTFT.start, layout.TPOT.start, layout.DURATION.start
_PROMPT, _OUTPUT, _ANSWER_RATIO = layout.PROMPT.start, layout.OUTPUT.start, layout.ANSWER_RATIO.start
_TTFT_RATIO, _TPOT_RATIO = layout.TTFT_RATIO.start, layout.TPOT_RATIO.start
_REASON, _CACHED, _JOULES, _USD, _KG = layout.REASON, layout.CACHED, layout.JOULES, layout.USD, layout.KG


@inlined
def enter(counts: Records, histogram: int, bounds: Records, value: float) -> None:
    """Enter a value into the histogram that starts there."""
    bucket = 0
    while bucket < len(bounds) and bounds[bucket] < value:
        bucket += 1
    counts[histogram + bucket] += 1.0
    counts[histogram + len(bounds) + 1] += value


@compiled
def count_placed(
    counts: Records,
    answer: int,
    outcome: int,
    target: int,
    line: int,
    reason: int,
    prompt: int,
    cached: int,
    output: int,
    received: float,
    placed: float,
    first: float,
    ended: float,
    joules: float,
    usd: float,
    kg: float,
    ttft: float,
    tpot: float,
) -> None:
    """Count a request that was sent to a backend, in the line that starts at `line`.

    `answer`, `outcome` and `target` (-1: none) are counters to be moved on by one.
    `first`: when the first token of a stream came; 0: not, or no stream. `ttft` and `tpot`: as predicted, of one that
    ran undisturbed where it was sent first; `ttft` 0: of another one.
    """
    counts[answer] += 1.0
    counts[outcome] += 1.0
    if target >= 0:
        counts[target] += 1.0
    counts[line + _REASON + reason] += 1.0
    counts[line + _JOULES] += joules
    counts[line + _USD] += usd
    counts[line + _KG] += kg
    counts[line + _CACHED] += cached
    enter(counts, line + _WAIT, _SECONDS, placed - received)
    enter(counts, line + _DURATION, _SECONDS, ended - received)
    enter(counts, line + _PROMPT, _TOKENS, float(prompt))
    enter(counts, line + _OUTPUT, _TOKENS, float(output))
    later = max(output - 1, 0)
    if first > 0.0:
        enter(counts, line + _TTFT, _SECONDS, first - received)
        if later > 0:
            enter(counts, line + _TPOT, _A_TOKEN, (ended - first) / later)
    if ttft > 0.0:
        enter(counts, line + _ANSWER_RATIO, _RATIOS, (ended - placed) / (ttft + later * tpot))
        if first > 0.0:
            enter(counts, line + _TTFT_RATIO, _RATIOS, (first - placed) / ttft)
            if later > 0 and tpot > 0.0:
                enter(counts, line + _TPOT_RATIO, _RATIOS, (ended - first) / (later * tpot))
