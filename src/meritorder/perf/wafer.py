"""The iteration table of a wafer pipeline: layers laid out over wafers, weights and KV cache in SRAM.

A token must pass all layers (the pipeline's latency), and tokens leave the slowest stage one slot apart:
`t = max(latency, B x slot)` for B decoding sequences, `latency + P x slot` for a prompt of P tokens.
"""

from __future__ import annotations

import numpy as np

from meritorder.catalog.model import ACTIVATION_BYTES
from meritorder.perf.placement import Placement
from meritorder.perf.table import IterationTable
from meritorder.perf.wafer_array import best_side, context_seconds, decode_layer, layer_work


def wafer_table(place: Placement) -> IterationTable:
    """The iteration table of a replica on a pipeline of wafers."""
    latency, slot = pipeline_latency(place), token_slot(place)
    decode_slot = slot * place.chip.wafer.decode_slot
    least = min(slot, decode_slot)
    tokens = np.arange(place.token_budget + 1, dtype=np.float64)
    sequences = np.arange(place.max_sequences + 1, dtype=np.float64)

    # Together these give the two formulas above when an iteration holds only one kind of work.
    step = np.maximum(latency, tokens * least) * (tokens > 0)
    prompt = np.maximum(latency, tokens * slot) - np.maximum(latency, tokens * least)
    prefill = prompt + np.minimum(latency, tokens * slot)
    decode = np.maximum(latency, sequences * decode_slot) - np.maximum(latency, sequences * least)
    # A lone sequence waits for every layer to read its KV cache, of many the fullest stage reads all.
    cache = _kv_token_seconds(place)
    kv = cache * np.maximum(1 / np.maximum(sequences, 1), place.slowest_stage)
    pair = pair_seconds(place)

    # A slot costs the same joules whether the pipeline is full or not; so does a cached token, read by one wafer
    # after the other.
    one_wafer = place.chip.max - place.chip.idle
    above_idle = one_wafer * place.pipeline
    return IterationTable(
        step_s=step,
        prefill_s=prefill,
        decode_s=decode,
        decode_kv_s=kv,
        pair_s=pair,
        step_j=above_idle * tokens * least,
        prefill_j=above_idle * tokens * (slot - least),
        decode_j=above_idle * sequences * (decode_slot - least),
        decode_kv_j=np.full_like(kv, one_wafer * cache),
        pair_j=above_idle * pair,
        idle_w=place.chip.idle * place.pipeline,
    )


def pipeline_latency(place: Placement) -> float:
    """Seconds of one token of a short context through all layers and over the links between wafers.

    Each layer runs on the mesh that suits it best: the wafer has room for several.
    """
    chip, model = place.chip, place.model
    side = best_side(chip.wafer, model, 0.0)
    layer = decode_layer(chip.wafer, layer_work(model, 0.0), side) * chip.wafer.software
    sent = model.hidden * ACTIVATION_BYTES / chip.link if chip.link else 0.0
    return chip.wafer.pass_fixed + model.layers * layer + (chip.hop + sent) * (place.pipeline - 1)


def token_slot(place: Placement) -> float:
    """Seconds between two prompt tokens that leave the slowest stage."""
    fit = place.chip.wafer
    flops = place.model.flops_per_token * place.slowest_stage
    return max(fit.token_floor, flops / (place.chip.flops_16 * fit.compute))


def _kv_token_seconds(place: Placement) -> float:
    wafer, model = place.chip.wafer, place.model
    return context_seconds(wafer, model, best_side(wafer, model, 0.0)) * model.layers * wafer.software


def pair_seconds(place: Placement) -> float:
    """Seconds of the slowest stage for one pair of tokens that attend to one another, in prefill."""
    flops = place.model.flops_per_pair * place.slowest_stage
    return flops / (place.chip.flops_16 * place.chip.wafer.compute)
