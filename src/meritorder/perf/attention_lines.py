"""Attention as iteration tables hold it: affine in the KV tokens read by decode, and in the pairs of prompt tokens.

The measured kernels are neither: more splits, fuller tiles and caches bend them. The lines are those with the least
squares of relative errors over the contexts that serving has.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.operators import Operator
from meritorder.perf.energy import joules
from meritorder.perf.kernels import Cost, decode_attention, floor, prefill_attention
from meritorder.perf.operators.attention import Heads, decode_seconds, prefill_seconds
from meritorder.perf.operators.sampled import rising, sampled, steps

Floats: TypeAlias = npt.NDArray[np.float64]

CONTEXTS = 2.0 ** np.arange(8, 16)  # 256 to 32,768 tokens
_LONG = np.array([8192.0, 16384.0])


def decode_line(chip: Accelerator, sequences: Floats, heads: Heads, kv: str) -> tuple[Cost, Cost]:
    """One layer's decode attention of so many sequences: what it costs at all, and for each KV token that it reads.

    Both have the shape of `sequences`. `heads`: those on one chip; `kv`: format of the cache.
    """
    per_token = 2.0 * heads.kv * heads.size * heads.cached
    fit = _measured(chip, "decode", kv)
    if fit is None:
        fixed = floor(chip, chip.gpu.decode_fixed)
        token = decode_attention(chip, np.array([per_token]), kv)
        ones = np.ones_like(sequences)
        return (
            Cost(fixed.seconds * ones, fixed.joules * ones),
            Cost(token.seconds * ones, token.joules * ones),
        )
    batch = steps(float(sequences.max()))
    took = decode_seconds(chip, fit, batch.repeat(CONTEXTS.size), np.tile(CONTEXTS, batch.size), heads)
    read = batch[:, None] * CONTEXTS
    # Measured again and again, short caches stay near the cores; between the layers of a model they don't.
    reading = read * per_token / (chip.bandwidth * min(1.0, fit.coefficients["bandwidth"]))
    fixed_s, slope_s = _line(np.maximum(took.reshape(batch.size, -1), fit.coefficients["fixed"] + reading), read)
    # With as long contexts each, more sequences take no less time.
    fixed_s = np.interp(sequences, batch, rising(fixed_s))
    at = np.maximum(sequences, 1.0)
    slope_s = np.interp(at, batch, np.maximum.accumulate(slope_s * batch)) / at
    none = np.zeros_like(fixed_s)
    return (
        Cost(fixed_s, joules(chip, fixed_s, none, none, "attention")),
        Cost(slope_s, joules(chip, slope_s, none + per_token, none, "attention")),
    )


def latent_line(
    chip: Accelerator, sequences: Floats, heads: float, kv_lora: float, rope: float, kv: str
) -> tuple[Cost, Cost]:
    """The same of latent attention, weights absorbed: all heads read one latent vector of `kv_lora + rope` elements.

    No table holds it: the bytes cost what one KV head's do (DeepSeek-V2, arXiv 2405.04434, section 2.1), and each head
    multiplies the vector twice, at prompt attention's share of the peak; the two are blended as independent limits.
    """
    cached = 2.0 if kv == "fp16" else 1.0
    fixed, token = decode_line(chip, sequences, Heads(heads, 1.0, (kv_lora + rope) / 2.0, cached), kv)
    flops = 2.0 * heads * (2.0 * kv_lora + rope)
    compute = prefill_attention(chip, np.array([flops]))
    seconds = np.hypot(token.seconds, compute.seconds)
    none = np.zeros_like(seconds)
    moved = none + (kv_lora + rope) * cached
    return fixed, Cost(seconds, joules(chip, seconds, moved, none + flops / chip.flops_16, "attention"))


def prefill_line(chip: Accelerator, tokens: Floats, heads: Heads, kv: str) -> tuple[Cost, Cost]:
    """One layer's prompt attention of a prompt of so many tokens: what it costs besides its pairs, and for each pair.

    A pair is a prompt token and one that it attends to; the second cost has one element.
    """
    per_pair = 4.0 * heads.queries * heads.size
    fit = _measured(chip, "prefill", kv)
    if fit is None:
        pair = prefill_attention(chip, np.array([per_pair]))
        fixed, lead = floor(chip, chip.gpu.prefill_fixed), pair * chip.gpu.prefill_lead
        return (
            Cost(fixed.seconds + lead.seconds * tokens, fixed.joules + lead.joules * tokens),
            pair,
        )
    one = np.ones(1)
    long = prefill_seconds(chip, fit, one, _LONG, heads)
    slope = (long[1] - long[0]) / (_pairs(_LONG)[1] - _pairs(_LONG)[0])
    whole = sampled(lambda t: prefill_seconds(chip, fit, one, np.maximum(t, 1.0), heads), tokens)
    rest = np.maximum.accumulate(np.maximum(whole - slope * _pairs(tokens), 0.25 * float(whole.min())))
    none = np.zeros_like(rest)
    pair_s = np.array([slope])
    return (
        Cost(rest, joules(chip, rest, none, none, "attention")),
        Cost(pair_s, joules(chip, pair_s, 0.0 * pair_s, np.array([per_pair / chip.flops_16]), "attention")),
    )


def _pairs(tokens: Floats) -> Floats:
    return np.asarray(tokens * (tokens + 1) / 2)


def _line(took: Floats, read: Floats) -> tuple[Floats, Floats]:
    """Intercept and slope of each row of `took` over `read`, by least squares of relative errors, neither below 0."""
    weight = took**-2.0
    total = weight.sum(axis=1)
    x, y = (weight * read).sum(axis=1) / total, (weight * took).sum(axis=1) / total
    away = read - x[:, None]
    slope = (weight * away * (took - y[:, None])).sum(axis=1) / (weight * away**2).sum(axis=1)
    slope = np.maximum(slope, 1e-15)
    return np.maximum(y - slope * x, 0.1 * took.min(axis=1)), slope


def _measured(chip: Accelerator, kernel: str, kv: str) -> Operator | None:
    names = [f"{kernel}_fp8"] if kv != "fp16" else []
    return next((chip.operators[name] for name in (*names, f"{kernel}_bf16") if name in chip.operators), None)
