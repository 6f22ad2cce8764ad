"""The iteration table of a machine whose iteration times were measured, and what leaves the measured range."""

from __future__ import annotations

import numpy as np

from meritorder.fleet.measured import Curve, MeasuredCoefficients
from meritorder.fleet.schema import Engine
from meritorder.perf.table import Floats, IterationTable


def measured_table(measured: MeasuredCoefficients, engine: Engine) -> IterationTable:
    """`t` as in `MeasuredCoefficients`; `busy_w` while it runs."""
    tokens = np.arange(engine.token_budget + 1, dtype=np.float64)
    sequences = np.arange(engine.max_sequences + 1, dtype=np.float64)
    above_idle = measured.busy_w - measured.idle_w
    step = measured.host_s + measured.per_token_s * tokens + along(measured.step_s, tokens)
    decode = measured.per_sequence_s * sequences + along(measured.decode_s, sequences)
    prompt = along(measured.prompt_s, tokens)
    kv = measured.per_kv_token_s + along(measured.kv_s, sequences)
    step[0] = prompt[0] = decode[0] = 0.0
    step[1:] = np.maximum(step[1:], 1e-9)  # with host and step at 0, prompt_s and decode_s are not: time passes
    return IterationTable(
        step_s=step,
        prefill_s=prompt,
        decode_s=decode,
        decode_kv_s=kv,
        pair_s=measured.per_pair_s,
        step_j=above_idle * step,
        prefill_j=above_idle * prompt,
        decode_j=above_idle * decode,
        decode_kv_j=above_idle * kv,
        pair_j=above_idle * measured.per_pair_s,
        idle_w=measured.idle_w,
    )


def along(curve: Curve, at: Floats) -> Floats:
    """A curve's values at some places: lines between its points, beyond the last as between the last two (or flat,
    where these fall), before the first as at the first; 0 where it has no points.
    """
    if not curve:
        return np.zeros_like(at)
    x, y = np.array(curve, np.float64).T
    slope = max((y[-1] - y[-2]) / (x[-1] - x[-2]), 0.0) if len(x) > 1 else 0.0
    values: Floats = np.interp(at, x, y) + slope * np.maximum(at - x[-1], 0.0)
    return values


def outside(measured: MeasuredCoefficients, engine: Engine, context: int) -> tuple[str, ...]:
    """What the engine may do that was never measured, and what was not given at all."""
    limits = measured.range
    found = [
        f"measured up to {most:,} {what}, may reach {reached:,}: extrapolated"
        for most, reached, what in (
            (limits.sequences, engine.max_sequences, "sequences at a time"),
            (limits.iteration_tokens, engine.token_budget, "tokens in an iteration"),
            (limits.context, context, "tokens of context"),
        )
        if most is not None and reached > most
    ]
    if not measured.busy_w:
        found.append("its power was not given: energy counts as 0")
    return tuple(found)
