"""The iteration table of a GPU replica: a roofline for each operator class, summed over the layers.

Tensor parallelism splits every matrix by columns or rows, with two all-reduces a layer. Pipeline parallelism
runs as many micro-batches at a time as there are stages: a sequence gets a token each time that its
micro-batch has passed all stages.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from meritorder.catalog.model import ACTIVATION_BYTES, WEIGHT_BITS, WEIGHT_BYTES
from meritorder.perf import kernels
from meritorder.perf.kernels import Cost
from meritorder.perf.placement import Placement
from meritorder.perf.table import IterationTable

Floats = npt.NDArray[np.float64]


def gpu_table(place: Placement) -> IterationTable:
    """The iteration table of a replica on GPUs."""
    tokens = np.arange(place.token_budget + 1, dtype=np.float64)
    sequences = np.arange(place.max_sequences + 1, dtype=np.float64)
    step = _step(place, tokens)
    prefill = _prefill(place, tokens)
    decode = _decode(place, sequences)
    kv = _kv_token(place)
    pair = _pairs(place, np.ones(1), place.model.full_layers)
    ones = np.ones_like(sequences)
    return IterationTable(
        step_s=step.seconds,
        prefill_s=prefill.seconds,
        decode_s=decode.seconds,
        decode_kv_s=kv.seconds * ones,
        pair_s=float(pair.seconds[0]),
        step_j=step.joules,
        prefill_j=prefill.joules,
        decode_j=decode.joules,
        decode_kv_j=kv.joules * ones,
        pair_j=float(pair.joules[0]),
        idle_w=place.chip.idle * place.chips,
    )


def _step(place: Placement, tokens: Floats) -> Cost:
    """What every token needs, be it prompt or decode: matrices, experts, collectives; and the engine itself."""
    chip, model = place.chip, place.model
    batch = np.maximum(tokens / place.pipeline, 1.0)
    uneven = place.slowest_stage * place.pipeline
    work = _attention_matrices(place, batch) + kernels.elementwise(chip, batch, model.hidden)
    if place.tensor > 1:
        message = batch * model.hidden * ACTIVATION_BYTES
        work = work + kernels.all_reduce(chip, message, place.tensor) * 2
    work = work * (model.layers * uneven)
    if model.moe_layers:
        work = work + _experts(place, batch) * (model.moe_layers * uneven)
    if model.moe_layers < model.layers:
        ffn = _feed_forward(place, batch, model.ffn)
        work = work + ffn * ((model.layers - model.moe_layers) * uneven)
    work = work + _output(place, np.ones(1))
    waiting = chip.gpu.host + chip.hop * (place.pipeline - 1)
    return Cost((work.seconds + waiting) * (tokens > 0), work.joules * _busy_chips(place, tokens))


def _busy_chips(place: Placement, tokens: Floats) -> Floats:
    """Chips at work on average: fewer tokens than stages leave stages empty."""
    return place.tensor * np.minimum(tokens, place.pipeline)


def _attention_matrices(place: Placement, batch: Floats) -> Cost:
    chip, model = place.chip, place.model
    mixture = place.weights == "mxfp4" and model.experts > 0
    weights = "bf16" if mixture else place.weights
    bits, size = chip.compute_bits(WEIGHT_BITS[weights]), WEIGHT_BYTES[weights]
    queries = model.heads / place.tensor * model.head_dim
    keys = 2 * place.kv_heads_per_chip * model.head_dim
    into = kernels.gemm(chip, batch, queries + keys, model.hidden, size, bits)
    return into + kernels.gemm(chip, batch, model.hidden, queries, size, bits)


def _feed_forward(place: Placement, batch: Floats, inner: int) -> Cost:
    chip, hidden = place.chip, place.model.hidden
    bits, size = chip.compute_bits(WEIGHT_BITS[place.weights]), WEIGHT_BYTES[place.weights]
    width = inner / place.tensor
    into = kernels.gemm(chip, batch, 2 * width, hidden, size, bits)
    return into + kernels.gemm(chip, batch, hidden, width, size, bits)


def _experts(place: Placement, batch: Floats) -> Cost:
    chip, model = place.chip, place.model
    bits, size = chip.compute_bits(WEIGHT_BITS[place.weights]), WEIGHT_BYTES[place.weights]
    touched = model.experts_touched(batch)
    params = model.expert_params / place.tensor
    work = kernels.experts(chip, batch, touched, params, model.active_experts, size, bits)
    work = work + kernels.gemm(chip, batch, model.experts, model.hidden, 2.0, 16)
    if model.shared_experts:
        work = work + _feed_forward(place, batch, model.shared_experts * model.expert_ffn)
    return work


def _output(place: Placement, sequences: Floats) -> Cost:
    """The output projection, for the last token of each sequence."""
    model = place.model
    return kernels.gemm(place.chip, sequences, model.vocab / place.tensor, model.hidden, 2.0, 16)


def _decode(place: Placement, sequences: Floats) -> Cost:
    """What a decoding sequence adds, its whole context left out: output projection, windows, the engine's work."""
    chip, model = place.chip, place.model
    batch = np.maximum(sequences / place.pipeline, 1.0)
    one = _output(place, np.ones(1))
    head = _output(place, batch)
    # Sequences shorter than the window read less; taking the whole window keeps the table affine.
    window = model.window_kv_bytes(place.kv) * place.kv_copies / place.tensor
    attention = kernels.decode_attention(chip, window * batch, place.kv)
    attention = attention + kernels.floor(chip, chip.gpu.decode_fixed * model.layers)
    seconds = head.seconds - one.seconds + attention.seconds + chip.gpu.host_sequence * sequences
    joules = np.maximum(head.joules - one.joules, 0.0) + attention.joules
    return Cost(seconds * (sequences > 0), joules * _busy_chips(place, sequences))


def _kv_token(place: Placement) -> Cost:
    """What one token in the KV caches of decoding sequences adds."""
    held = place.model.kv_bytes_per_token(place.kv) * place.kv_copies / place.tensor
    cost = kernels.decode_attention(place.chip, np.array([held]), place.kv)
    return Cost(cost.seconds / place.pipeline, cost.joules * place.tensor)


def _prefill(place: Placement, tokens: Floats) -> Cost:
    """What prompt tokens add, pairs left out: the floor of prompt attention, its lead, sliding windows."""
    chip, model = place.chip, place.model
    lead = _pairs(place, tokens * chip.gpu.prefill_lead, model.layers)
    windows = _pairs(place, tokens * model.window, model.window_layers)
    floor = kernels.floor(chip, chip.gpu.prefill_fixed * model.layers)
    work = lead + windows
    seconds = work.seconds + floor.seconds * (tokens > 0)
    return Cost(seconds, work.joules + floor.joules * _busy_chips(place, tokens))


def _pairs(place: Placement, pairs: Floats, layers: int) -> Cost:
    model = place.model
    flops = 4.0 * model.heads / place.tensor * model.head_dim * layers * pairs
    cost = kernels.prefill_attention(place.chip, flops)
    return Cost(cost.seconds / place.pipeline, cost.joules * place.tensor)
