"""What work needs at the data sheet's peaks: the two sides of the roofline that serves as a baseline."""

from __future__ import annotations

import numpy as np
from scripts.machine_fit.data import Row
from scripts.validation.study import Bounds

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.formats import WEIGHT_BITS
from meritorder.catalog.load import accelerators
from meritorder.catalog.model import ModelSpec
from meritorder.catalog.names import SYSTEMS
from meritorder.predict.operators import FORMATS, expert_layer, message_bytes


def iteration(
    chip: Accelerator, model: ModelSpec, weights: str, chips: int, batch: float, context: float, kv: str = "fp16"
) -> Bounds:
    """A decode iteration: all weights and all caches read once, the arithmetic of `batch` tokens."""
    moved = model.weight_bytes(weights) + batch * context * model.kv_bytes_per_token(kv)
    flops = batch * model.flops_per_token
    return Bounds(moved / chip.bandwidth / chips, flops / _peak(chip, weights) / chips, chip.title)


def prompt(chip: Accelerator, model: ModelSpec, weights: str, chips: int, tokens: float) -> Bounds:
    """A prompt: all weights read once, its arithmetic with attention."""
    flops = tokens * model.flops_per_token + tokens * tokens / 2 * model.flops_per_pair
    memory = model.weight_bytes(weights) / chip.bandwidth
    return Bounds(memory / chips, flops / _peak(chip, weights) / chips, chip.title)


def _peak(chip: Accelerator, weights: str) -> float:
    return chip.flops(chip.compute_bits(WEIGHT_BITS[weights]))


def gemm(row: Row) -> Bounds:
    """A row of the GEMM table."""
    m, n, k = (float(row[name]) for name in "mnk")
    _, bits, size = FORMATS[row["gemm_dtype"]]
    moved = n * k * size + m * k * bits / 8 + 2 * m * n
    return _of(row, moved, 2 * m * n * k / _chip(row).flops(bits), row["gemm_dtype"])


def prefill(row: Row) -> Bounds:
    """A row of the table of prefill attention."""
    batch, length, queries, kv, size, cached = _attention(row, "isl")
    moved = batch * length * (4 * queries * size + 2 * kv * size * cached)
    return _of(row, moved, 2 * batch * length * length * queries * size / _chip(row).flops_16, row["kv_cache_dtype"])


def decode(row: Row) -> Bounds:
    """A row of the table of decode attention."""
    batch, context, queries, kv, size, cached = _attention(row, "ctx")
    moved = batch * context * 2 * kv * size * cached
    return _of(row, moved, 4 * batch * context * queries * size / _chip(row).flops_16, row["kv_cache_dtype"])


def experts(row: Row) -> Bounds:
    """A row of the table of expert layers: every expert that an even spread would touch is read once."""
    layer = expert_layer(row)
    _, bits, size = FORMATS[row["moe_dtype"]]
    tokens = float(row["num_tokens"])
    params = 3 * layer.hidden * layer.inner
    touched = layer.count * (1 - (1 - layer.top / layer.count) ** tokens)
    share = layer.tensor * layer.spread
    flops = 2 * tokens * layer.top * params / share
    return _of(row, touched * params * size / share, flops / _chip(row).flops(bits), row["moe_dtype"])


def collectives(row: Row) -> Bounds:
    """A row of the table of collectives: what each rank sends over its link."""
    chips = float(row["num_gpus"])
    rounds = 2 if row["op_name"] == "all_reduce" else 1
    sent = float(message_bytes([row])[0]) * rounds * (chips - 1) / chips
    return Bounds(sent / _chip(row).link, 0.0, f"{row['system']} {row['variant']} {row['op_name']}")


def _attention(row: Row, length: str) -> tuple[float, float, float, float, float, float]:
    names = ("batch_size", length, "num_heads", "num_key_value_heads", "head_dim")
    batch, tokens, queries, kv, size = (float(row[name]) for name in names)
    return batch, tokens, queries, kv, size, FORMATS[row["kv_cache_dtype"]][2]


def _chip(row: Row) -> Accelerator:
    return accelerators()[SYSTEMS[row["system"]]]


def _of(row: Row, moved: float, compute: float, kind: str) -> Bounds:
    return Bounds(moved / _chip(row).bandwidth, float(np.maximum(compute, 0.0)), f"{row['system']} {kind}")
