"""Attention kernels by batch, length and heads: prompt attention in tiles, decode attention split over the context."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.operators import Operator
from meritorder.perf.operators.efficiency import factor

Floats: TypeAlias = npt.NDArray[np.float64]

TILE = 128.0  # query tokens of one tile of prompt attention
_SPLITS = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0])[:, None]
_SHORTEST_SPLIT = 32.0


@dataclass(frozen=True)
class Heads:
    """Heads on one chip: of queries, of keys and values; elements of one head; bytes of a cached element."""

    queries: float | Floats
    kv: float | Floats
    size: float | Floats = 128.0
    cached: float = 2.0


def decode_seconds(chip: Accelerator, fit: Operator, batch: Floats, context: Floats, heads: Heads) -> Floats:
    """Seconds of one layer's decode attention of `batch` sequences that have `context` cached tokens each."""
    equation = decode_equation(chip, fit.coefficients, batch, context, heads)
    return np.asarray(equation * factor(fit, batch * heads.kv, context, heads.queries / heads.kv))


def decode_equation(chip: Accelerator, c: Mapping[str, float], batch: Floats, context: Floats, heads: Heads) -> Floats:
    """The equation without its map: the context of each KV head is read in as many splits as pay."""
    batch, context = np.broadcast_arrays(np.atleast_1d(batch), np.atleast_1d(context))
    items = batch * heads.kv
    read = 2.0 * heads.size * heads.cached * items * (context + c["lead"])
    busy = items * _SPLITS * c["per_item"] / c["cores"]
    waves = np.where(busy > 1, (np.ceil(busy) / busy) ** c["wave"], 1.0)
    took = read / (chip.bandwidth * c["bandwidth"] * np.minimum(1.0, busy)) * waves + c["split"] * (_SPLITS > 1)
    took = np.where((context / _SPLITS >= _SHORTEST_SPLIT) | (_SPLITS == 1), took, np.inf).min(axis=0)
    queries = batch * heads.queries * c["query"]
    return np.asarray(c["fixed"] + (took ** c["blend"] + queries ** c["blend"]) ** (1 / c["blend"]))


def prefill_seconds(chip: Accelerator, fit: Operator, batch: Floats, length: Floats, heads: Heads) -> Floats:
    """Seconds of one layer's causal attention of `batch` prompts of `length` tokens, nothing cached before."""
    equation = prefill_equation(chip, fit.coefficients, batch, length, heads)
    took = equation * factor(fit, batch * heads.queries, length, heads.queries / heads.kv)
    flops = 2.0 * batch * heads.queries * heads.size * length * (length + 1)
    return np.asarray(np.maximum(took, flops / chip.flops(8 if heads.cached < 2 else 16)))


def prefill_equation(chip: Accelerator, c: Mapping[str, float], batch: Floats, length: Floats, heads: Heads) -> Floats:
    """The equation without its map: padded tiles of queries, too few of which leave cores idle."""
    tiles = np.ceil(length / TILE)
    flops = 4.0 * heads.size * batch * heads.queries * tiles * TILE * ((length + TILE) / 2)
    busy = np.minimum(1.0, batch * heads.queries * tiles * c["per_tile"] / c["cores"])
    longest = 4.0 * heads.size * TILE * length * c["cores"]
    rate = chip.flops_16 * c["flops"]
    compute = np.maximum(flops / (rate * busy), longest / rate)
    elements = batch * length * heads.size * 2.0 * (heads.queries + 2.0 * heads.kv)
    memory = 2.0 * elements / (chip.bandwidth * c["bandwidth"])
    blended = (compute ** c["blend"] + memory ** c["blend"]) ** (1 / c["blend"])
    return np.asarray(c["fixed"] + blended + c["sequence"] * batch)
