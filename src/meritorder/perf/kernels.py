"""Seconds and joules of the kernels of one layer on one GPU.

Where the chip has kernels that were measured by shape (`Accelerator.operators`), their equations and maps give the
time; else the plain rooflines and slopes of its coefficients do (`Accelerator.gpu`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from meritorder.catalog.accelerator import Accelerator, Roofline
from meritorder.catalog.model import ACTIVATION_BYTES
from meritorder.catalog.operators import Operator
from meritorder.catalog.power import Kind
from meritorder.perf.energy import joules
from meritorder.perf.operators.collectives import collective_seconds
from meritorder.perf.operators.experts import ExpertLayer, expert_seconds, loads
from meritorder.perf.operators.gemm import gemm_seconds
from meritorder.perf.operators.sampled import rising, sampled

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Cost:
    """Seconds that a kernel takes, and joules above idle of one chip meanwhile; arrays of one shape."""

    seconds: Floats
    joules: Floats

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.seconds + other.seconds, self.joules + other.joules)

    def __mul__(self, times: float) -> Cost:
        return Cost(self.seconds * times, self.joules * times)


def gemm(
    chip: Accelerator, tokens: Floats, n: float, k: float, weight_bytes: float, bits: int, blocks: bool = False
) -> Cost:
    """`[tokens, k] x [k, n]`; `weight_bytes`: of one stored weight, `bits`: of the arithmetic.

    `blocks`: weights in 8 bits have a scale for each block, as DeepSeek's and Qwen's have, not one for each channel.
    """
    moved = n * k * weight_bytes + tokens * (k * bits / 8 + n * ACTIVATION_BYTES)
    flops = 2.0 * tokens * n * k
    fit = measured_kernel(chip, "gemm", bits, blocks)
    if fit is None:
        return _roofline(chip, chip.gpu.gemm(bits), moved, flops, tokens * k * chip.gpu.gemm(bits).traffic, bits)
    wide, long = np.array(float(n)), np.array(float(k))
    seconds = sampled(lambda m: gemm_seconds(chip, fit, m, wide, long, weight_bytes, bits), tokens)
    return Cost(seconds, joules(chip, seconds, moved, flops / chip.flops(bits), "gemm"))


def experts(
    chip: Accelerator, tokens: Floats, layer: ExpertLayer, weight_bytes: float, bits: int, blocks: bool = False
) -> Cost:
    """A fused layer of routed experts; `tokens` enter it on all groups together.

    Seconds are those of the fullest group, joules those of a mean chip, which waits for it.
    """
    fit = measured_kernel(chip, "experts", bits, blocks, weight_bytes)
    if fit is None:
        work = _expert_work(tokens, layer, layer.spread, weight_bytes)
        seconds = _roofline(chip, chip.gpu.experts(bits), *work, 0.0 * tokens, bits).seconds
    else:
        seconds = sampled(lambda m: expert_seconds(chip, fit, m, layer, weight_bytes, bits), tokens)
    read, flops = _expert_work(tokens, replace(layer, spread=1), layer.spread, weight_bytes)
    return Cost(seconds, joules(chip, seconds, read, flops / chip.flops(bits), _stored(weight_bytes)))


def _expert_work(tokens: Floats, layer: ExpertLayer, groups: float, weight_bytes: float) -> tuple[Floats, Floats]:
    """Bytes read and FLOPs of one of so many groups, whose experts are as full as `layer` says."""
    local = layer.count / groups * layer.params
    read = sampled(lambda m: loads(m, layer)[1].mean(axis=0), tokens) * local * weight_bytes
    return read, sampled(lambda m: np.prod(loads(m, layer), axis=0).mean(axis=0), tokens) * 2.0 * local


def decode_attention(chip: Accelerator, kv_bytes: Floats, kv: str) -> Cost:
    """What reading `kv_bytes` of a KV cache in format `kv` costs decode attention, its floor left out."""
    seconds = kv_bytes / (chip.bandwidth * decode_share(chip, kv))
    return Cost(seconds, joules(chip, seconds, kv_bytes, np.zeros_like(kv_bytes), "attention"))


def decode_share(chip: Accelerator, kv: str) -> float:
    """Share of the memory bandwidth at which decode attention reads long KV caches."""
    return chip.gpu.decode_bandwidth if kv == "fp16" else chip.gpu.decode_bandwidth_8


def prefill_attention(chip: Accelerator, flops: Floats) -> Cost:
    """What so many FLOPs of prompt attention cost (4 x heads x head size x pairs), its floor left out."""
    seconds = flops / (chip.flops_16 * chip.gpu.prefill_flops)
    return Cost(seconds, joules(chip, seconds, np.zeros_like(flops), flops / chip.flops_16, "attention"))


def floor(chip: Accelerator, seconds: float) -> Cost:
    """A fixed time of a busy chip that neither moves much nor computes much."""
    taken = np.array([seconds])
    return Cost(taken, joules(chip, taken, np.zeros(1), np.zeros(1)))


def all_reduce(chip: Accelerator, message: Floats, chips: int) -> Cost:
    """Sum of `message` bytes over `chips` chips: a + b (n - 1) + bytes over the link."""
    fit = chip.gpu
    sent = message * 2.0 * (chips - 1) / chips
    shortest = fit.allreduce_fixed + fit.allreduce_per_chip * (chips - 1)
    return _link(chip, "all_reduce", message, chips, shortest + sent / (chip.link * fit.allreduce_bandwidth))


def all_gather(chip: Accelerator, message: Floats, chips: int) -> Cost:
    """Every chip gets all of `message` bytes, of which each had its part."""
    return _one_way(chip, "all_gather", message, chips)


def reduce_scatter(chip: Accelerator, message: Floats, chips: int) -> Cost:
    """Every chip gets its part of the sum of `message` bytes over all chips."""
    return _one_way(chip, "reduce_scatter", message, chips)


def elementwise(chip: Accelerator, tokens: Floats, hidden: int) -> Cost:
    """The memory traffic of norms, rotary embedding and activations of one layer; their floor is `layer`."""
    moved = tokens * hidden * chip.gpu.layer_traffic
    seconds = moved / chip.bandwidth
    return Cost(seconds, joules(chip, seconds, moved, np.zeros_like(seconds)))


def _one_way(chip: Accelerator, kind: str, message: Floats, chips: int) -> Cost:
    """Without a table: the floor of an all-reduce and half its bytes."""
    fit = chip.gpu
    sent = message * (chips - 1) / chips
    shortest = fit.allreduce_fixed + fit.allreduce_per_chip * (chips - 1)
    return _link(chip, kind, message, chips, shortest + sent / (chip.link * fit.allreduce_bandwidth))


def _link(chip: Accelerator, kind: str, message: Floats, chips: int, plain: Floats) -> Cost:
    fit = chip.operators.get(f"{kind}_graph") or chip.operators.get(f"{kind}_nccl")
    seconds = plain
    if fit is not None:
        sizes = 2.0 ** np.arange(8.0, max(31.0, np.log2(max(message.max(), 1.0)) + 1), 0.25)
        took = collective_seconds(chip, fit, kind, sizes, np.array(float(chips)))
        seconds = np.interp(message, sizes, rising(took))
    return Cost(seconds, joules(chip, seconds, np.zeros_like(seconds), np.zeros_like(seconds), "link"))


def _stored(weight_bytes: float) -> Kind:
    """The kind of power of experts whose weights are stored like that."""
    return "experts_16" if weight_bytes >= 2 else "experts_8" if weight_bytes >= 1 else "experts_4"


def measured_kernel(
    chip: Accelerator, kernel: str, bits: int, blocks: bool = False, weight_bytes: float = 2.0
) -> Operator | None:
    """The measured kernel of this arithmetic, the nearest in storage first; None: the chip has none."""
    stored = ("mxfp4", "int4", "bf16") if weight_bytes < 1 else ("bf16",)
    formats = {16: stored, 8: ("fp8_block", "fp8") if blocks else ("fp8", "fp8_block"), 4: ("nvfp4",)}[bits]
    names = (f"{kernel}_{form}" for form in formats)
    return next((chip.operators[name] for name in names if name in chip.operators), None)


def _roofline(
    chip: Accelerator,
    fit: Roofline,
    moved: Floats,
    flops: Floats,
    quantised: Floats,
    bits: int,
) -> Cost:
    memory = moved / (chip.bandwidth * fit.bandwidth)
    compute = flops / (chip.flops(bits) * fit.flops)
    longer = np.maximum(np.maximum(memory, compute), 1e-30)
    shorter = np.minimum(memory, compute)
    kernel = longer * (1.0 + (shorter / longer) ** fit.blend) ** (1.0 / fit.blend)
    seconds = fit.fixed + kernel + quantised / chip.bandwidth
    return Cost(seconds, joules(chip, seconds, moved + quantised, flops / chip.flops(bits), "gemm"))
