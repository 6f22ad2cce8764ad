"""The iteration table of a GPU replica: the kernels of its layers, summed by kind, and what the engine adds.

Tensor parallelism splits every matrix by columns or rows, with two all-reduces a layer. Pipeline parallelism
runs as many micro-batches at a time as there are stages: a sequence gets a token each time that its
micro-batch has passed all stages.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from meritorder.catalog.model import ACTIVATION_BYTES
from meritorder.perf import kernels, layers
from meritorder.perf.energy import joules, limited
from meritorder.perf.graphs import padded
from meritorder.perf.kernels import Cost
from meritorder.perf.placement import Placement
from meritorder.perf.table import IterationTable

Floats: TypeAlias = npt.NDArray[np.float64]
Work: TypeAlias = dict[str, Cost]


@dataclass(frozen=True)
class Works:
    """The kernels of a replica by kind, for each column of its iteration table, no engine's factors applied yet."""

    step: Work
    prefill: Work
    decode: Work
    kv: Work
    pair: Work


def gpu_table(place: Placement) -> IterationTable:
    """The iteration table of a replica on GPUs."""
    return assembled(place, works(place))


def works(place: Placement) -> Works:
    """All kernels of the replica: what a fit of the engine's factors needs only once."""
    tokens = np.arange(place.token_budget + 1, dtype=np.float64)
    sequences = np.arange(place.max_sequences + 1, dtype=np.float64)
    return Works(
        step=step_work(place, tokens),
        prefill=prefill_work(place, tokens),
        decode=decode_work(place, sequences),
        kv=kv_work(place, sequences),
        pair=pair_work(place),
    )


def assembled(place: Placement, found: Works) -> IterationTable:
    """The iteration table of these kernels, with the factors of the placement's engine."""
    tokens = np.arange(place.token_budget + 1, dtype=np.float64)
    sequences = np.arange(place.max_sequences + 1, dtype=np.float64)
    step, prefill, decode = total(place, found.step), total(place, found.prefill), total(place, found.decode)
    kv, pair = total(place, found.kv), total(place, found.pair)
    return IterationTable(
        step_s=step.seconds * (tokens > 0),
        prefill_s=prefill.seconds * (tokens > 0),
        decode_s=decode.seconds * (sequences > 0),
        decode_kv_s=kv.seconds,
        pair_s=float(pair.seconds[0]),
        step_j=step.joules * _busy_chips(place, tokens),
        prefill_j=prefill.joules * _busy_chips(place, tokens),
        decode_j=decode.joules * _busy_chips(place, sequences),
        decode_kv_j=kv.joules * place.stage_chips * place.pipeline,
        pair_j=float(pair.joules[0]) * place.stage_chips * place.pipeline,
        idle_w=place.chip.idle * place.chips,
    )


def total(place: Placement, work: Work) -> Cost:
    """The sum over all kinds, each with the engine's factor."""
    parts = [cost * place.engine.factor(kind) for kind, cost in work.items()]
    seconds = np.asarray(sum(part.seconds for part in parts))
    return Cost(seconds, limited(place.chip, seconds, np.asarray(sum(part.joules for part in parts))))


def step_work(place: Placement, tokens: Floats) -> Work:
    """What every token needs, be it prompt or decode: matrices, experts, collectives; and the engine itself."""
    chip, model = place.chip, place.model
    computed = padded(place, tokens)
    batch = np.maximum(computed / place.pipeline, 1.0)
    own = np.maximum(batch / place.data, 1.0)
    uneven = place.uneven
    dense = model.ffn_layers + model.bare_layers
    work: Work = {}
    _add(work, layers.full_attention(place, own), model.full_layers * uneven)
    if model.window_layers:
        _add(work, layers.window_attention(place, own), model.window_layers * uneven)
    if model.linear_layers:
        _add(work, layers.linear_mixer(place, own), model.linear_layers * uneven)
        _add(work, [_wait(place, "linear_layer", place.engine.linear_layer)], model.linear_layers * uneven)
    if model.ffn_layers:
        _add(work, layers.feed_forward(place, own, model.ffn, place.tensor), model.ffn_layers * uneven)
    if model.moe_layers:
        _add(work, layers.mixture(place, batch), model.moe_layers * uneven)
        _add(work, layers.links(place, own, batch, experts=True), model.moe_layers * uneven)
        _add(work, [_wait(place, "expert_layer", place.engine.expert_layer)], model.moe_layers * uneven)
    if dense:
        _add(work, layers.links(place, own, batch, experts=False), dense * uneven)
    if place.engine.tensor_byte and place.tensor > 2:
        _add(work, [_slow_links(place, tokens)], model.layers * uneven)
    layer = place.engine.layer if chip.gpu.layer is None else chip.gpu.layer
    if place.weights == "fp8":
        layer += place.engine.narrow_layer
    _add(work, [_wait(place, "layer", layer)], model.layers * uneven)
    _add(work, [("elementwise", kernels.elementwise(chip, own, model.hidden))], model.layers * uneven)
    _add(work, [layers.output(place, np.ones(1))], 1)
    host = place.engine.host if chip.gpu.host is None else chip.gpu.host
    _add(work, [("host", _idle(host + chip.hop * (place.pipeline - 1)))], 1)
    return work


def decode_work(place: Placement, sequences: Floats) -> Work:
    """What decoding sequences add, their context left out: output projection, windows, states, the engine's work."""
    chip, model = place.chip, place.model
    batch = np.maximum(sequences / place.pipeline, 1.0)
    own = np.maximum(batch / place.data, 1.0)
    work: Work = {}
    kind, one = layers.output(place, np.ones(1))
    _, head = layers.output(place, own)
    _add(work, [(kind, Cost(head.seconds - one.seconds, head.joules - one.joules))], 1)
    fixed, token = layers.decode_attention(place, own)
    if model.sparse_tokens:  # shorter sequences read less; the whole choice keeps the table affine
        chosen = own * model.sparse_tokens
        fixed = Cost(fixed.seconds + token.seconds * chosen, fixed.joules + token.joules * chosen)
    _add(work, [("attention", fixed)], model.full_layers * place.uneven)
    if model.window_layers:
        _add(work, [("attention", layers.window_decode(place, own))], model.window_layers * place.uneven)
    if model.state_bytes:
        state = own * model.state_bytes * 2 / place.tensor
        _add(work, [("state", kernels.decode_attention(chip, state, "fp16"))], place.uneven)
    host = place.engine.host_sequence if chip.gpu.host_sequence is None else chip.gpu.host_sequence
    sampling = host * own * place.pipeline
    drawn = joules(chip, sampling, 0.0 * own, 0.0 * own, "sequence")
    _add(work, [("sequence", Cost(sampling, drawn))], 1)
    return work


def kv_work(place: Placement, sequences: Floats) -> Work:
    """What one token in the KV caches of so many sequences adds; with sparse attention, only to the indexer."""
    chip, model = place.chip, place.model
    own = np.maximum(sequences / place.pipeline / place.data, 1.0)
    if model.sparse_tokens:
        token = kernels.decode_attention(chip, np.full_like(own, float(model.index_dim)), "fp8")
    else:
        _, token = layers.decode_attention(place, own)
    return {"attention": token * (model.full_layers * place.slowest_stage / place.data)}


def prefill_work(place: Placement, tokens: Floats) -> Work:
    """What prompt tokens add, pairs left out: the rest of prompt attention, sliding windows, scans of linear layers."""
    chip, model = place.chip, place.model
    own = tokens / place.data / place.pipeline
    work: Work = {}
    fixed, pair = layers.prefill_attention(place, own)
    if model.sparse_tokens:
        chosen = own * model.sparse_tokens
        fixed = Cost(fixed.seconds + pair.seconds * chosen, fixed.joules + pair.joules * chosen)
    _add(work, [("prefill", fixed)], model.full_layers * place.uneven)
    if model.window_layers:
        _add(work, [("prefill", layers.window_prefill(place, own))], model.window_layers * place.uneven)
    if model.linear_layers:
        # A scan in chunks multiplies every token twice with the state, whose elements have four bytes.
        scan = own * model.state_bytes / place.tensor
        _add(work, [("state", kernels.prefill_attention(chip, scan))], place.uneven)
    engine = place.engine
    slower = engine.mixed + model.layers * place.uneven * (engine.prompt_layer + own * engine.prompt_token)
    _add(work, [("mixed", Cost(slower, joules(chip, slower, 0.0 * slower, 0.0 * slower, "mixed")))], 1)
    return work


def pair_work(place: Placement) -> Work:
    """What a prompt token adds for each token that it attends to; with sparse attention, only to the indexer."""
    chip, model = place.chip, place.model
    if model.sparse_tokens:
        pair = kernels.prefill_attention(chip, np.array([model.index_pair_flops]))
    else:
        _, pair = layers.prefill_attention(place, np.ones(1))
    return {"prefill": pair * (model.full_layers * place.slowest_stage / place.data)}


def _add(work: Work, found: Iterable[tuple[str, Cost]], times: float) -> None:
    for kind, cost in found:
        work[kind] = work[kind] + cost * times if kind in work else cost * times


def _slow_links(place: Placement, tokens: Floats) -> tuple[str, Cost]:
    """What the engine's two all-reduces of a layer take beyond the measured kernel."""
    message = tokens / place.pipeline / place.data * (ACTIVATION_BYTES * place.model.hidden)
    seconds = 2.0 * message * place.engine.tensor_byte
    return "engine_link", Cost(seconds, joules(place.chip, seconds, 0.0 * seconds, 0.0 * seconds, "link"))


def _wait(place: Placement, kind: str, seconds: float) -> tuple[str, Cost]:
    return kind, kernels.floor(place.chip, seconds)


def _idle(seconds: float) -> Cost:
    """Time in which the chip waits for the engine."""
    return Cost(np.array([seconds]), np.zeros(1))


def _busy_chips(place: Placement, tokens: Floats) -> Floats:
    """Chips at work on average: fewer tokens than stages leave stages empty."""
    return place.stage_chips * np.minimum(tokens, place.pipeline)
