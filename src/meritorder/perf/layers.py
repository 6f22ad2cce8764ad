"""The kernels of one layer on one chip of a placement, by kind: what an engine's factors and the power shares act on.

A kind is an operator and, for products, the bits of its arithmetic: `gemm_8`, `experts_4`, `attention`, `link`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from meritorder.catalog.model import ACTIVATION_BYTES, KV_BYTES, WEIGHT_BITS, WEIGHT_BYTES
from meritorder.perf import kernels
from meritorder.perf.attention_lines import decode_line, latent_line, prefill_line
from meritorder.perf.kernels import Cost
from meritorder.perf.operators.attention import Heads
from meritorder.perf.operators.experts import ExpertLayer
from meritorder.perf.placement import Placement

Floats: TypeAlias = npt.NDArray[np.float64]
Kernels: TypeAlias = Iterator[tuple[str, Cost]]


def matrix(place: Placement, precision: str, tokens: Floats, n: float, k: float) -> tuple[str, Cost]:
    """A product of `tokens` rows with a `[k, n]` matrix stored in `precision`."""
    bits = place.chip.compute_bits(WEIGHT_BITS[precision])
    cost = kernels.gemm(place.chip, tokens, n, k, WEIGHT_BYTES[precision], bits, block_scales(place, precision))
    return f"gemm_{bits}", cost


def block_scales(place: Placement, precision: str) -> bool:
    """Whether 8-bit weights have a scale per block: mixtures are published so (DeepSeek, Qwen, MiniMax, GLM)."""
    return precision == "fp8" and place.model.experts > 0


def full_attention(place: Placement, tokens: Floats) -> Kernels:
    """Projections of a full-attention layer. Latent attention: down-projections are not split, each chip does all."""
    model, split = place.model, place.tensor
    precision = model.attention_precision(place.weights)
    if not model.kv_lora:
        queries = model.heads / split * model.head_dim * (2 if model.gated_attention else 1)
        keys = (1 if model.keys_are_values else 2) * place.kv_heads_per_chip * model.head_dim
        yield matrix(place, precision, tokens, queries + keys, model.hidden)
        yield matrix(place, precision, tokens, model.hidden, model.heads / split * model.head_dim)
    else:
        heads = model.heads / split
        yield matrix(place, precision, tokens, model.q_lora + model.kv_lora + model.rope_dim, model.hidden)
        yield matrix(place, precision, tokens, heads * model.head_dim, model.q_lora or model.hidden)
        yield matrix(place, "bf16", tokens, heads * (model.nope_dim + model.value_dim), model.kv_lora)
        yield matrix(place, precision, tokens, model.hidden, heads * model.value_dim)
    if model.index_heads:
        width = model.index_heads * model.index_dim
        yield matrix(place, precision, tokens, width, model.q_lora or model.hidden)
        yield matrix(place, precision, tokens, model.index_dim + model.index_heads, model.hidden)


def window_attention(place: Placement, tokens: Floats) -> Kernels:
    """Projections of a sliding-window layer."""
    model, split = place.model, place.tensor
    precision = model.attention_precision(place.weights)
    kv_heads = -(-(model.window_kv_heads or model.kv_heads) // split)
    queries = model.heads / split * model.window_dim
    yield matrix(
        place,
        precision,
        tokens,
        queries * (2 if model.gated_attention else 1) + 2 * kv_heads * model.window_dim,
        model.hidden,
    )
    yield matrix(place, precision, tokens, model.hidden, queries)


def linear_mixer(place: Placement, tokens: Floats) -> Kernels:
    """Projections of a linear-attention or state-space layer: two thirds of its parameters lead in, a third out."""
    model = place.model
    width = model.linear_params / model.hidden / place.tensor
    precision = model.attention_precision(place.weights)
    yield matrix(place, precision, tokens, width * 2 / 3, model.hidden)
    yield matrix(place, precision, tokens, model.hidden, width / 3)


def feed_forward(place: Placement, tokens: Floats, inner: float, split: int) -> Kernels:
    """A dense feed-forward of inner width `inner`, split over `split` chips."""
    model = place.model
    precision = model.dense_precision(place.weights)
    yield matrix(place, precision, tokens, (model.ffn_matrices - 1) * inner / split, model.hidden)
    yield matrix(place, precision, tokens, model.hidden, inner / split)


def mixture(place: Placement, tokens: Floats) -> Kernels:
    """Router, routed and shared experts of a layer; `tokens`: of the whole stage, all attention copies together."""
    chip, model = place.chip, place.model
    bits = chip.compute_bits(WEIGHT_BITS[place.weights])
    layer = ExpertLayer(
        model.hidden,
        model.expert_params / model.hidden / model.ffn_matrices,
        model.active_experts,
        model.experts,
        place.expert_tensor,
        place.expert,
        model.ffn_matrices,
    )
    own = np.maximum(tokens / place.data, 1.0)
    yield (
        f"experts_{bits}",
        kernels.experts(chip, tokens, layer, WEIGHT_BYTES[place.weights], bits, block_scales(place, place.weights)),
    )
    yield "gemm_16", kernels.gemm(chip, own, model.experts, model.hidden, 2.0, 16)
    if model.shared_width:
        yield from feed_forward(place, own, model.shared_width, place.tensor)


def links(place: Placement, own: Floats, tokens: Floats, *, experts: bool) -> Kernels:
    """Collectives of a layer: sums over the split matrices; with attention copies, tokens travel to experts and back.

    `own`: tokens of one attention copy, `tokens`: of all, which every chip gathers and whose sums it scatters again.
    """
    chip, width = place.chip, place.model.hidden * ACTIVATION_BYTES
    if place.tensor > 1:
        yield "link", kernels.all_reduce(chip, own * width, place.tensor) * (1 if experts else 2)
    if experts and place.data > 1:
        yield "link", kernels.all_gather(chip, tokens * width, place.stage_chips)
        yield "link", kernels.reduce_scatter(chip, tokens * width, place.stage_chips)
    elif experts and place.tensor > 1:
        yield "link", kernels.all_reduce(chip, tokens * width, place.tensor)


def output(place: Placement, sequences: Floats) -> tuple[str, Cost]:
    """The output projection, for the last token of each sequence."""
    model = place.model
    return matrix(place, "bf16", sequences, model.vocab / place.tensor, model.hidden)


def decode_attention(place: Placement, sequences: Floats) -> tuple[Cost, Cost]:
    """One full layer's decode attention: at all, and for each KV token of the copy's sequences."""
    chip, model, heads = place.chip, place.model, place.model.heads / place.tensor
    if model.kv_lora:
        return latent_line(chip, sequences, heads, model.kv_lora, model.rope_dim, place.kv)
    return decode_line(
        chip, sequences, Heads(heads, place.kv_heads_per_chip, model.head_dim, KV_BYTES[place.kv]), place.kv
    )


def window_decode(place: Placement, sequences: Floats) -> Cost:
    """One sliding-window layer's decode attention. Shorter sequences read less: the whole window keeps it affine."""
    fixed, token = decode_line(place.chip, sequences, _window_heads(place), place.kv)
    return Cost(
        fixed.seconds + token.seconds * sequences * place.model.window_span,
        fixed.joules + token.joules * sequences * place.model.window_span,
    )


def prefill_attention(place: Placement, tokens: Floats) -> tuple[Cost, Cost]:
    """One full layer's prompt attention: beside its pairs, and for each pair. Latent keys are expanded."""
    model, heads = place.model, place.model.heads / place.tensor
    keys = heads if model.kv_lora else place.kv_heads_per_chip
    size = (model.head_dim + (model.value_dim or model.head_dim)) / 2
    return prefill_line(place.chip, tokens, Heads(heads, keys, size, KV_BYTES[place.kv]), place.kv)


def window_prefill(place: Placement, tokens: Floats) -> Cost:
    """One sliding-window layer's prompt attention."""
    fixed, pair = prefill_line(place.chip, tokens, _window_heads(place), place.kv)
    pairs = tokens * place.model.window_span
    return Cost(fixed.seconds + pair.seconds * pairs, fixed.joules + pair.joules * pairs)


def _window_heads(place: Placement) -> Heads:
    model = place.model
    keys = -(-(model.window_kv_heads or model.kv_heads) // place.tensor)
    return Heads(model.heads / place.tensor, keys, model.window_dim, KV_BYTES[place.kv])
