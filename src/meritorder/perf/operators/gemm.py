"""Matrix products: tiles in waves over the cores, memory that few tiles cannot saturate, a cache, split sums.

For each tile of the output and each number of parts that the sum over k is split into, the time is

    waves x tile_m x tile_n x 2 (k / parts + prologue) / (FLOP/s of one core x efficiency of the tile)

or that of the bytes moved, blended; the library takes the best. On top: a launch, and a pass that quantises the
activations where the arithmetic is narrower than they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.model import ACTIVATION_BYTES
from meritorder.catalog.operators import Operator
from meritorder.perf.operators.efficiency import factor

Floats: TypeAlias = npt.NDArray[np.float64]

_TILES = np.array([(16, 64), (16, 128), (32, 64), (32, 128), (64, 64), (64, 128), (64, 256)], float)
_TILES = np.concatenate([_TILES, [(128, 64), (128, 128), (128, 256), (256, 128), (256, 256)]])
_PARTS = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])
# Rows: tile height, tile width, parts of the sum; one candidate a line.
_CANDIDATES = np.column_stack([np.repeat(_TILES, len(_PARTS), axis=0), np.tile(_PARTS, len(_TILES))])[:, :, None]
_SHORTEST_PART = 128.0


def gemm_seconds(
    chip: Accelerator, fit: Operator, m: Floats, n: Floats, k: Floats, size: float, bits: int, graph: bool = True
) -> Floats:
    """Seconds of `[m, k] x [k, n]`; `size`: bytes of a stored weight.

    `graph`: launched from a graph, so that the host's time for a launch (part of some measurements) isn't seen.
    """
    coefficients = {**fit.coefficients, "host": 0.0} if graph else fit.coefficients
    equation = gemm_equation(chip, coefficients, m, n, k, size, bits) * factor(fit, m, n, k)
    return np.asarray(np.maximum(equation, 2.0 * m * n * k / chip.flops(bits)))


def gemm_equation(
    chip: Accelerator, c: Mapping[str, float], m: Floats, n: Floats, k: Floats, size: float, bits: int
) -> Floats:
    """The equation without its map; `c`: its coefficients by name."""
    tall, wide, parts = _CANDIDATES[:, 0], _CANDIDATES[:, 1], _CANDIDATES[:, 2]
    m, n, k = np.atleast_1d(m), np.atleast_1d(n), np.atleast_1d(k)
    moved = n * k * size + m * k * (ACTIVATION_BYTES if bits == 16 else size) + m * n * ACTIVATION_BYTES * c["output"]
    cached = 1.0 / (1.0 + (moved / (c["cache_share"] * c["cache"])) ** 4)
    rate = chip.bandwidth * c["bandwidth"] / (1.0 - cached + cached / c["cache_speed"])
    tiles = np.ceil(m / tall) * np.ceil(n / wide) * parts
    share = c["flops"] * tall * wide / (tall * wide + c["tile"] * (tall + wide))
    wave = 2.0 * tall * wide * (k / parts + c["prologue"]) * c["cores"] / (chip.flops(bits) * share)
    compute = np.ceil(tiles / c["cores"]) * wave
    partial = np.where(parts > 1, 8.0 * m * n * parts, 0.0)
    memory = (moved + partial) / (rate * np.minimum(1.0, c["saturation"] * tiles / c["cores"]))
    longer, shorter = np.maximum(compute, memory), np.minimum(compute, memory)
    took = longer * (1.0 + (shorter / longer) ** c["blend"]) ** (1.0 / c["blend"]) + c["split"] * (parts > 1)
    took = np.where((k / parts >= _SHORTEST_PART) | (parts == 1), took, np.inf)
    best = c["fixed"] + c["quantise"] * m * k / chip.bandwidth + took.min(axis=0)
    return np.asarray((best**8 + c["host"] ** 8) ** 0.125)
