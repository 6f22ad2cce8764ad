"""Seconds and joules of the kernels of one layer on one GPU, from its data sheet and its fitted coefficients.

Matrix products are rooflines with a soft corner (`catalog.accelerator.Roofline`), the rest is a floor plus a slope.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from meritorder.catalog.accelerator import Accelerator, Roofline
from meritorder.catalog.model import ACTIVATION_BYTES
from meritorder.catalog.power import Kind
from meritorder.perf.energy import joules

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


def gemm(chip: Accelerator, tokens: Floats, n: float, k: float, weight_bytes: float, bits: int) -> Cost:
    """`[tokens, k] x [k, n]`; `weight_bytes`: of one stored weight, `bits`: of the arithmetic."""
    moved = n * k * weight_bytes + tokens * (k * bits / 8 + n * ACTIVATION_BYTES)
    quantised = tokens * k * chip.gpu.gemm(bits).traffic
    return _roofline(chip, chip.gpu.gemm(bits), moved, 2.0 * tokens * n * k, quantised, bits, "gemm")


def experts(
    chip: Accelerator, tokens: Floats, touched: Floats, params: float, active: float, weight_bytes: float, bits: int
) -> Cost:
    """A fused layer of experts of `params` parameters each, of which the tokens use `touched`, each token `active`."""
    flops = 2.0 * tokens * active * params
    kind: Kind = "experts_16" if weight_bytes == 2 else "experts_8" if weight_bytes == 1 else "experts_4"
    return _roofline(chip, chip.gpu.experts(bits), touched * params * weight_bytes, flops, 0.0 * tokens, bits, kind)


def decode_attention(chip: Accelerator, kv_bytes: Floats, kv: str) -> Cost:
    """What reading `kv_bytes` of a KV cache in format `kv` costs decode attention; its floor is `decode_fixed`."""
    share = chip.gpu.decode_bandwidth if kv == "fp16" else chip.gpu.decode_bandwidth_8
    seconds = kv_bytes / (chip.bandwidth * share)
    return Cost(seconds, joules(chip, seconds, kv_bytes, np.zeros_like(kv_bytes), "attention"))


def prefill_attention(chip: Accelerator, flops: Floats) -> Cost:
    """What so many FLOPs of prompt attention cost (4 x heads x head size x pairs); its floor is `prefill_fixed`."""
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
    seconds = shortest + sent / (chip.link * fit.allreduce_bandwidth)
    return Cost(seconds, joules(chip, seconds, np.zeros_like(seconds), np.zeros_like(seconds), "link"))


def elementwise(chip: Accelerator, tokens: Floats, hidden: int) -> Cost:
    """The memory traffic of norms, rotary embedding and activations of one layer; their floor is `layer`."""
    moved = tokens * hidden * chip.gpu.layer_traffic
    seconds = moved / chip.bandwidth
    return Cost(seconds, joules(chip, seconds, moved, np.zeros_like(seconds)))


def _roofline(
    chip: Accelerator, fit: Roofline, moved: Floats, flops: Floats, quantised: Floats, bits: int, kind: Kind
) -> Cost:
    memory = moved / (chip.bandwidth * fit.bandwidth)
    compute = flops / (chip.flops(bits) * fit.flops)
    longer = np.maximum(np.maximum(memory, compute), 1e-30)
    shorter = np.minimum(memory, compute)
    kernel = longer * (1.0 + (shorter / longer) ** fit.blend) ** (1.0 / fit.blend)
    seconds = fit.fixed + kernel + quantised / chip.bandwidth
    return Cost(seconds, joules(chip, seconds, moved + quantised, flops / chip.flops(bits), kind))
