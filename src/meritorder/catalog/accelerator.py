"""`Accelerator`: what is known about one chip (a GPU or a wafer) as a buyer gets it, host share included."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from meritorder.units import Bytes, BytesPerSecond, FlopPerSecond, Seconds, UsdPerHour, Watts


class GpuCoefficients(BaseModel):
    """How far a GPU's kernels and its engine stay below the data sheet (equations: docs/machines.md).

    The defaults are rounded values of an H100, for machines written out by hand.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    gemm_bandwidth: float = Field(
        default=0.75, gt=0, le=1.5, description="share of the memory bandwidth that a GEMM reaches"
    )
    gemm_flops_16: float = Field(
        default=0.7, gt=0, le=1.5, description="share of the 16-bit peak that a large GEMM reaches"
    )
    gemm_flops_8: float = Field(
        default=0.65, gt=0, le=1.5, description="share of the 8-bit peak that a large GEMM reaches"
    )
    gemm_flops_4: float = Field(
        default=0.5, gt=0, le=1.5, description="share of the 4-bit peak that a large GEMM reaches"
    )
    gemm_blend: float = Field(
        default=3.0, ge=1, le=16, description="exponent p of the smooth maximum (x^p + y^p)^(1/p)"
    )
    gemm_fixed: Seconds = Field(default=3e-6, description="time of the smallest GEMM")
    moe_bandwidth: float = Field(
        default=0.6, gt=0, le=1.5, description="share of the bandwidth of a fused expert layer"
    )
    moe_flops: float = Field(default=0.4, gt=0, le=1.5, description="share of the peak of a fused expert layer")
    moe_fixed: Seconds = Field(
        default=3e-5, description="time of the smallest fused expert layer: routing, gather, scatter"
    )
    decode_bandwidth: float = Field(default=0.7, gt=0, le=1.5, description="share of the bandwidth of decode attention")
    decode_fixed: Seconds = Field(default=6e-6, description="time of the smallest decode attention of a layer")
    prefill_flops: float = Field(default=0.5, gt=0, le=1.5, description="share of the 16-bit peak of prefill attention")
    prefill_fixed: Seconds = Field(default=1e-5, description="time of the smallest prefill attention of a layer")
    allreduce_fixed: Seconds = Field(default=4e-6, description="floor a of an all-reduce, a + b (n - 1)")
    allreduce_per_chip: Seconds = Field(default=1e-6, description="slope b of the floor with each further chip")
    allreduce_bandwidth: float = Field(
        default=0.6, gt=0, le=1.5, description="share of the link that an all-reduce reaches"
    )
    layer: Seconds = Field(default=5e-6, description="norms, rotary embedding, activations and gaps of one layer")
    token_layer: float = Field(
        default=8.0, ge=0, description="memory traffic of those per token, in activations of a layer"
    )
    host: Seconds = Field(default=2e-3, description="engine time of an iteration that the chip waits for")
    host_sequence: Seconds = Field(default=1e-5, description="engine time per decoding sequence and iteration")
    memory_reserve: Bytes = Field(default=3e9, description="memory of a chip kept for context, graphs and activations")
    active_power: float = Field(default=0.25, ge=0, le=1, description="power of a busy chip, share of max - idle")
    bandwidth_power: float = Field(
        default=0.35, ge=0, le=1, description="power on top at full memory bandwidth, same share"
    )
    flops_power: float = Field(default=0.7, ge=0, le=1, description="power on top at full FLOP/s, same share")


class WaferCoefficients(BaseModel):
    """How a wafer pipeline runs a model (equations: docs/machines.md). The defaults are those of a CS-3."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    layer_latency: Seconds = Field(default=1e-5, description="one token through a layer of width 0")
    layer_latency_per_hidden: Seconds = Field(default=5.6e-10, description="more of it per unit of hidden width")
    token_floor: Seconds = Field(default=3.3e-5, description="least time between two tokens leaving the slowest stage")
    compute: float = Field(default=0.065, gt=0, le=1, description="share of the dense FLOP/s in prefill")
    decode_slot: float = Field(
        1.0, gt=0, description="time of a decoding sequence in the slowest stage, in prefill tokens"
    )
    kv_bandwidth: float = Field(
        default=0.05, gt=0, le=1, description="share of the SRAM bandwidth when attention reads KV"
    )
    sram: float = Field(default=0.8, gt=0, le=1, description="share of the SRAM for weights and KV")


class Accelerator(BaseModel):
    """One chip: a GPU, or a whole wafer system. Figures are per chip, SI; FLOP/s are dense, power is IT power.

    `idle`, `typical` and `max` include the chip's share of host, network and fans, not of the building.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["gpu", "wafer"]
    title: str = Field(default="", description="the name in full")
    flops_16: FlopPerSecond = Field(gt=0, description="dense FP16/BF16")
    flops_8: FlopPerSecond | None = Field(
        default=None, gt=0, description="dense FP8 or INT8; absent: computes in 16 bit"
    )
    flops_4: FlopPerSecond | None = Field(default=None, gt=0, description="dense FP4; absent: computes in 8 or 16 bit")
    memory: Bytes = Field(gt=0, description="HBM of a GPU, SRAM of a wafer")
    bandwidth: BytesPerSecond = Field(gt=0, description="of that memory")
    link: BytesPerSecond = Field(default=0.0, description="scale-up link per chip, one direction")
    domain: int = Field(default=1, ge=1, description="chips that the scale-up link joins")
    hop: Seconds = Field(default=5e-6, description="latency from one pipeline stage to the next")
    idle: Watts
    typical: Watts
    max: Watts
    usd_per_hour: UsdPerHour = Field(description="owner cost, energy not included")
    coolant: Literal["air", "liquid-21c", "liquid-45c", "liquid"] = "air"
    gpu: GpuCoefficients = GpuCoefficients()
    wafer: WaferCoefficients = WaferCoefficients()
    notes: tuple[str, ...] = Field(default=(), description="what is guessed, reused from another chip, or a range")

    @model_validator(mode="after")
    def _powers_in_order(self) -> Accelerator:
        if not 0 <= self.idle <= self.typical <= self.max or self.max == 0:
            raise ValueError("idle, typical and max power must stand in this order, max above 0")
        return self

    def compute_bits(self, weight_bits: int) -> int:
        """Bits of the arithmetic that weights of so many bits run in: 16, 8 or 4."""
        if weight_bits <= 4 and self.flops_4 is not None:
            return 4
        if weight_bits <= 8 and self.flops_8 is not None:
            return 8
        return 16

    def flops(self, bits: int) -> float:
        """Dense FLOP/s of arithmetic in 16, 8 or 4 bits, as `compute_bits` gives them."""
        return {16: self.flops_16, 8: self.flops_8, 4: self.flops_4}[bits] or self.flops_16
