"""Speculative decoding, compiled into an iteration table: the kernel goes on counting one token per iteration.

A pass checks `d` drafted tokens and one of its own per sequence and yields `a` of them on average
(`1 + p1 + p1 p2 + ...`). In the table it stands as `a` iterations of one token each, of `1 / a` of the pass's time.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from meritorder.fleet.speculation import Speculation
from meritorder.perf.gpu import gpu_table
from meritorder.perf.placement import Placement
from meritorder.perf.table import IterationTable
from meritorder.perf.wafer import wafer_table


def machine_table(place: Placement, speculation: Speculation | None = None) -> IterationTable:
    """The iteration table of a placement, with speculative decoding where it is given."""
    build = wafer_table if place.chip.kind == "wafer" else gpu_table
    if speculation is None:
        return build(place)
    tokens = speculation.draft_tokens + 1
    wide = replace(place, token_budget=max(place.token_budget, place.max_sequences * tokens))
    if place.chip.kind == "wafer":  # in its pipeline, every token to check takes a slot as a sequence does
        wide = replace(wide, max_sequences=place.max_sequences * tokens)
    return speculate(build(wide), speculation, place.max_sequences, place.token_budget)


def speculate(table: IterationTable, speculation: Speculation, sequences: int, budget: int) -> IterationTable:
    """`table` with speculative decoding, for at most `sequences` sequences and `budget` tokens.

    `table` must reach to `sequences x (d + 1)` tokens. Where it has as many sequences too, the tokens to check count
    as sequences; else a sequence's own costs (KV cache, sampling) arise once per pass.
    """
    yields, width = speculation.tokens_per_pass, speculation.draft_tokens + 1
    batch = np.arange(sequences + 1)
    checked = batch * width
    own = checked if table.max_sequences >= sequences * width else batch
    alone_s = table.step_s[batch] + table.decode_s[batch]
    alone_j = table.step_j[batch] + table.decode_j[batch]
    watts = np.divide(alone_j, alone_s, out=np.zeros_like(alone_j), where=alone_s > 0)
    draft_s = speculation.draft_tokens * (speculation.draft_cost * alone_s + speculation.draft_time * (batch > 0))
    pass_s = table.step_s[checked] + table.decode_s[own] + draft_s
    pass_j = table.step_j[checked] + table.decode_j[own] + draft_s * watts

    step_s, step_j = table.step_s[: budget + 1], table.step_j[: budget + 1]
    rest = 1 - 1 / yields  # of a step that prompts pay for in full
    return replace(
        table,
        step_s=step_s / yields,
        step_j=step_j / yields,
        prefill_s=table.prefill_s[: budget + 1] + step_s * rest,
        prefill_j=table.prefill_j[: budget + 1] + step_j * rest,
        # more tokens never take less time, but for steps of a kernel's tiling
        decode_s=np.maximum(pass_s - table.step_s[batch], 0.0) / yields,
        decode_j=np.maximum(pass_j - table.step_j[batch], 0.0) / yields,
        decode_kv_s=table.decode_kv_s[: sequences + 1] / yields,
        decode_kv_j=table.decode_kv_j[: sequences + 1] / yields,
        mixed_kv_s=table.mixed_kv_s / yields,
    )
