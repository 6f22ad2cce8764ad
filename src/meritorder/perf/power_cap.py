"""A power limit below the chip's own: the clock falls, which slows arithmetic but not memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from meritorder.catalog.formats import WEIGHT_BITS
from meritorder.perf.placement import Placement
from meritorder.perf.table import IterationTable

Floats = npt.NDArray[np.float64]

CORNER = 4.0  # sharpness of the corner between memory-bound and compute-bound iterations


def capped(table: IterationTable, place: Placement, limit: float) -> IterationTable:
    """The table of a replica whose chips' boards may draw `limit` watts each.

    Work that would draw `u` of the power range where only `c` is allowed runs at a clock of `(c / u) ** clock`. Prompt
    attention and large batches of tokens wait for it; what waits for memory keeps its pace and draws less.
    """
    idle, most = place.chip.board
    allowed = (limit - idle) / (most - idle)
    whole = (place.chip.max - place.chip.idle) * place.chips
    bound = _compute_bound(place, np.arange(table.token_budget + 1, dtype=np.float64))

    def slowed(seconds: Floats, joules: Floats, share: Floats | float) -> tuple[Floats, Floats]:
        used = joules / (whole * np.maximum(seconds, 1e-30))
        clock = (allowed / np.maximum(used, allowed)) ** place.chip.gpu.power.clock
        longer = seconds * (1.0 + share * (1.0 / clock - 1.0))
        return longer, np.minimum(joules, allowed * whole * longer)

    step_s, step_j = slowed(table.step_s, table.step_j, bound)
    prefill_s, prefill_j = slowed(table.prefill_s, table.prefill_j, 1.0)
    pair_s, pair_j = slowed(np.array([table.pair_s]), np.array([table.pair_j]), 1.0)
    return replace(
        table,
        step_s=step_s,
        step_j=step_j,
        prefill_s=prefill_s,
        prefill_j=prefill_j,
        pair_s=float(pair_s[0]),
        pair_j=float(pair_j[0]),
        decode_j=slowed(table.decode_s, table.decode_j, 0.0)[1],
        decode_kv_j=slowed(table.decode_kv_s, table.decode_kv_j, 0.0)[1],
    )


def _compute_bound(place: Placement, tokens: Floats) -> Floats:
    """Share of an iteration's matrix products that waits for arithmetic rather than for weights to be read."""
    chip, model = place.chip, place.model
    compute = tokens * model.flops_per_token / chip.flops(chip.compute_bits(WEIGHT_BITS[place.weights]))
    experts = model.moe_layers * model.experts_touched(tokens) * model.expert_bytes(place.weights)
    read = (model.dense_weight_bytes(place.weights) + experts) / chip.bandwidth
    return np.asarray(compute**CORNER / (compute**CORNER + read**CORNER))
