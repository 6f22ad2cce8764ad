"""The iteration table of a wafer pipeline: layers laid out over wafers, weights and KV cache in SRAM.

A token must pass all layers (the pipeline's latency), and tokens leave the slowest stage one slot apart:
`t = max(latency, B x slot)` for B decoding sequences, `latency + P x slot` for a prompt of P tokens.
"""

from __future__ import annotations

import numpy as np

from meritorder.perf.placement import Placement
from meritorder.perf.table import IterationTable


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
    kv = _kv_token_seconds(place) * np.ones_like(sequences)
    pair = _pair_seconds(place)

    # A slot costs the same joules whether the pipeline is full or not.
    above_idle = (place.chip.max - place.chip.idle) * place.pipeline
    return IterationTable(
        step_s=step,
        prefill_s=prefill,
        decode_s=decode,
        decode_kv_s=kv,
        pair_s=pair,
        step_j=above_idle * tokens * least,
        prefill_j=above_idle * tokens * (slot - least),
        decode_j=above_idle * sequences * (decode_slot - least),
        decode_kv_j=above_idle * kv,
        pair_j=above_idle * pair,
        idle_w=place.chip.idle * place.pipeline,
    )


def pipeline_latency(place: Placement) -> float:
    """Seconds of one token through all layers and over the links between wafers."""
    fit = place.chip.wafer
    layer = fit.layer_latency + fit.layer_latency_per_hidden * place.model.hidden
    return place.model.layers * layer + place.chip.hop * (place.pipeline - 1)


def token_slot(place: Placement) -> float:
    """Seconds between two prompt tokens that leave the slowest stage."""
    fit = place.chip.wafer
    flops = place.model.flops_per_token * place.slowest_stage
    return max(fit.token_floor, flops / (place.chip.flops_16 * fit.compute))


def _kv_token_seconds(place: Placement) -> float:
    held = place.model.kv_bytes_per_token(place.kv)
    return held / (place.chip.bandwidth * place.chip.wafer.kv_bandwidth)


def _pair_seconds(place: Placement) -> float:
    flops = place.model.flops_per_pair * place.slowest_stage
    return flops / (place.chip.flops_16 * place.chip.wafer.compute)
