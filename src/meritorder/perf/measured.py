"""The iteration table of a machine whose iteration times were measured."""

from __future__ import annotations

import numpy as np

from meritorder.fleet.schema import Engine, MeasuredCoefficients
from meritorder.perf.table import IterationTable


def measured_table(measured: MeasuredCoefficients, engine: Engine) -> IterationTable:
    """`t = host + per_token (B + P) + per_sequence B + per_kv_token K + per_pair A`; `busy_w` while it runs."""
    tokens = np.arange(engine.token_budget + 1, dtype=np.float64)
    sequences = np.arange(engine.max_sequences + 1, dtype=np.float64)
    above_idle = measured.busy_w - measured.idle_w
    step = (measured.host_s + measured.per_token_s * tokens) * (tokens > 0)
    decode = measured.per_sequence_s * sequences
    kv = measured.per_kv_token_s * np.ones_like(sequences)
    nothing = np.zeros_like(tokens)
    return IterationTable(
        step_s=step,
        prefill_s=nothing,
        decode_s=decode,
        decode_kv_s=kv,
        pair_s=measured.per_pair_s,
        step_j=above_idle * step,
        prefill_j=nothing,
        decode_j=above_idle * decode,
        decode_kv_j=above_idle * kv,
        pair_j=above_idle * measured.per_pair_s,
        idle_w=measured.idle_w,
    )
