"""One layer on a square mesh of a wafer's cores: cycles of a decoding token, and of a prompt.

After WaferLLM (He et al., OSDI'25): matrices lie in tiles on `side x side` cores. A matrix-vector product ends with a
sum over rows or columns, whose messages travel the mesh a hop a cycle; a matrix-matrix product takes `side` steps of
computing and shifting tiles. So a larger mesh computes faster and talks longer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from meritorder.catalog.model import ModelSpec
from meritorder.catalog.wafer import WaferCoefficients

# Sums over rows or columns in a layer: 7 matrix products, scores, attention, 2 norms, soft-max. A router adds two.
SUMS, ROUTER_SUMS = 12, 2
# Matrix products of a layer: Q, K, V, O, gate, up, down, and two of attention.
PRODUCTS = 9
SMALLEST = 60  # cores a side


@dataclass(frozen=True)
class LayerWork:
    """The mean layer of a model, for one token that sees `context` others (`context` 0: without attention).

    `macs`: multiply-adds. `width`: values that its matrices give out. `inputs`: values that they take in.
    `mixtures`: share of the layers that have experts.
    """

    macs: float
    width: float
    inputs: float
    params: float
    mixtures: float


def layer_work(model: ModelSpec, context: float) -> LayerWork:
    """What one token needs of the mean layer of `model`."""
    layers, hidden = model.layers, model.hidden
    inner = model.ffn_layers * model.ffn
    inner += model.moe_layers * (model.active_experts * model.expert_ffn + model.shared_width)
    mixers = model.mixer_params / layers / hidden  # widths of Q, K, V, and of what O takes in
    seen = model.full_layers * context + model.window_layers * min(context, model.window_span)
    seen /= layers
    heads = model.heads * (model.value_dim or model.head_dim)
    params = (model.active_params - model.embedding_params) / layers
    ffn_out = model.ffn_matrices - 1
    return LayerWork(
        macs=params + seen * model.decode_pair_flops / 2,
        width=mixers + ffn_out * inner / layers + hidden + seen + heads,
        inputs=hidden * (3 + ffn_out) + heads + inner / layers,
        params=params,
        mixtures=model.moe_layers / layers,
    )


def decode_layer(wafer: WaferCoefficients, work: LayerWork, side: int) -> float:
    """Seconds of one token through one layer on `side x side` cores."""
    hops = wafer.hop_cycles * side * (1 + work.mixtures * ROUTER_SUMS / SUMS)
    cycles = hops + wafer.message_cycles * work.width / side + wafer.mac_cycles * work.macs / side**2
    return cycles * wafer.cycle


def context_seconds(wafer: WaferCoefficients, model: ModelSpec, side: int) -> float:
    """Seconds that one more token of context adds to the mean layer of a decoding token."""
    full = model.full_layers / model.layers
    cycles = wafer.message_cycles / side + wafer.mac_cycles * model.decode_pair_flops / 2 / side**2
    return full * cycles * wafer.cycle


def prefill_layer(wafer: WaferCoefficients, model: ModelSpec, tokens: int, side: int) -> float:
    """Seconds of a whole prompt through one layer on `side x side` cores, attention without a mask's savings."""
    work = layer_work(model, tokens)
    keys = model.kv_bytes_per_layer("fp16") / 2  # values of K and V of one token
    heads = model.heads * (model.value_dim or model.head_dim)
    shifted = tokens * (work.inputs + heads + keys) + work.params
    cycles = wafer.mac_cycles * tokens * work.macs / side**2
    cycles += wafer.shift_cycles * shifted / side + wafer.step_cycles * PRODUCTS * side
    return cycles * wafer.cycle


@lru_cache(maxsize=4096)
def best_side(wafer: WaferCoefficients, model: ModelSpec, context: float) -> int:
    """The mesh on which a token passes a layer soonest: where hops and messages weigh alike."""
    work = layer_work(model, context)
    sides = range(SMALLEST, math.isqrt(wafer.cores) + 1, 10)
    return min(sides, key=lambda side: decode_layer(wafer, work, side))


def kv_tokens_on_mesh(wafer: WaferCoefficients, model: ModelSpec, side: int) -> int:
    """Tokens of KV cache beside FP16 weights, the layers on regions of `side x side` cores, tokens spread over rows."""
    regions = max(1, wafer.cores // side**2)
    layers = model.layers / regions
    weights = layers * (model.active_params - model.embedding_params) / model.layers * 2 / side**2
    free = wafer.core_memory - wafer.core_reserve - weights
    return max(0, int(free / (layers * model.kv_bytes_per_layer("fp16") / side)) * side)


def product_seconds(wafer: WaferCoefficients, width: int) -> float:
    """Seconds of one square matrix-vector product of `width`, on the mesh that suits it best."""
    sides = range(SMALLEST, math.isqrt(wafer.cores) + 1, 10)
    cycles = (
        wafer.hop_cycles / SUMS * side + wafer.message_cycles * width / side + wafer.mac_cycles * (width / side) ** 2
        for side in sides
    )
    return min(cycles) * wafer.cycle
