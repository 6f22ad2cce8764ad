"""The iteration table of a model whose kernels were profiled on its GPU, and what engine and link add."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from meritorder.catalog.layers import LayerTimes, Point
from meritorder.perf.placement import Placement
from meritorder.perf.table import Floats, IterationTable


@dataclass(frozen=True)
class Additions:
    """Seconds that profiles of single kernels on one GPU leave out."""

    layer: float  # gaps between the kernels of a layer
    prompt_layer: float  # further seconds of a layer in iterations with prompts, which run in pieces
    attention: float  # factor on reading KV caches: sequences of unequal length
    link_fixed: float  # a collective of two GPUs, per call
    link_byte: float  # ... and per byte of the message


def engine_table(times: LayerTimes, place: Placement, modelled: IterationTable) -> IterationTable:
    """The table of a placement whose kernels were profiled; watts, which were not, as in the one `modelled`."""
    engine = place.engine
    added = Additions(
        layer=engine.layer,
        prompt_layer=engine.prompt_layer,
        attention=engine.factor("attention"),
        link_fixed=engine.link_fixed,
        link_byte=engine.link_byte,
    )
    table = profiled_table(times, added, place.max_sequences, place.token_budget, place.data)
    return replace(
        table,
        step_j=_watts(modelled.step_j, modelled.step_s) * table.step_s,
        prefill_j=_watts(modelled.prefill_j, modelled.prefill_s) * table.prefill_s,
        decode_j=_watts(modelled.decode_j, modelled.decode_s) * table.decode_s,
        decode_kv_j=_watts(modelled.decode_kv_j, modelled.decode_kv_s) * table.decode_kv_s,
        pair_j=modelled.pair_j / modelled.pair_s * table.pair_s,
        idle_w=modelled.idle_w,
    )


def _watts(joules: Floats, seconds: Floats) -> Floats:
    return np.divide(joules, seconds, out=np.zeros_like(joules), where=seconds > 0)


def profiled_table(
    times: LayerTimes, added: Additions, max_sequences: int, token_budget: int, ranks: int = 1
) -> IterationTable:
    """The table of one engine, or of `ranks` data-parallel engines that go in step and share their experts.

    Engines in step: sequences are spread evenly, and while one computes a prompt the others wait for it.
    """
    tokens, sequences = np.arange(token_budget + 1.0), np.arange(max_sequences + 1.0)
    own, batch = tokens / ranks, np.maximum(sequences / ranks, 1.0)
    layers = times.layers
    dense = layers * along(times.dense, own) + along(times.ends, own)
    alone = layers * along(times.dense, tokens) + along(times.ends, tokens)
    head, one = along(times.head, batch), along(times.head, np.ones(1))
    collectives = 2.0 * layers * (added.link_fixed + own * times.hidden * 2.0 * added.link_byte)
    step = dense + one + layers * mixture(times, tokens, ranks) + layers * added.layer
    if times.tensor * ranks > 1:
        step = step + collectives
    prompts = np.maximum(alone - dense, 0.0) + layers * (tokens * times.prompt_token * 1e-6 + added.prompt_layer)
    kv = added.attention * along(times.kv, batch) * (layers / ranks / 1e3)
    nothing, none = np.zeros_like(tokens), np.zeros_like(sequences)
    return IterationTable(
        step_s=step * (tokens > 0),
        prefill_s=prompts * (tokens > 0),
        decode_s=(head - one + layers * along(times.attention, batch)) * (sequences > 0),
        decode_kv_s=kv,
        pair_s=times.pairs * 1e-12 * layers,
        step_j=nothing,
        prefill_j=nothing,
        decode_j=none,
        decode_kv_j=none,
        pair_j=0.0,
        idle_w=0.0,
        mixed_kv_s=added.attention * times.mixed_kv * 1e-9 * layers / ranks,
    )


def mixture(times: LayerTimes, tokens: Floats, ranks: int) -> Floats:
    """Seconds of a layer's experts, spread over the ranks, for so many tokens on all of them."""
    if not times.mixture:
        return np.zeros_like(tokens)
    here = times.experts / ranks
    touched = here * (1.0 - (1.0 - times.active_experts / times.experts) ** tokens)
    known = {(t, e): us for t, e, us in times.mixture}
    sizes, counts = sorted({t for t, _ in known}), sorted({e for _, e in known})
    # few tokens can't touch many experts: what was not profiled is as with more tokens
    grid = np.array([[known.get((t, e), np.nan) for e in counts] for t in sizes])
    for row in range(len(sizes) - 2, -1, -1):
        grid[row] = np.where(np.isnan(grid[row]), grid[row + 1], grid[row])
    by_count = np.array([np.interp(touched, counts, row) for row in grid])  # [sizes, tokens]
    place = np.interp(tokens / ranks, sizes, np.arange(len(sizes)))
    below = np.minimum(place.astype(int), len(sizes) - 2)
    part, at = place - below, np.arange(len(tokens))
    values: Floats = ((1 - part) * by_count[below, at] + part * by_count[below + 1, at]) * 1e-6
    return values


def along(curve: tuple[Point, ...], at: Floats) -> Floats:
    """Seconds along a curve of microseconds; beyond its last point as between the last two."""
    x, y = np.array(curve, np.float64).T
    slope = (y[-1] - y[-2]) / (x[-1] - x[-2])
    values: Floats = (np.interp(at, x, y) + slope * np.maximum(at - x[-1], 0.0)) * 1e-6
    return values
