"""`Accelerator`: what is known about one chip (a GPU or a wafer) as a buyer gets it, host share included."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from meritorder.catalog.housing import ASSUMED, Coolant, Housing, cooled_by
from meritorder.catalog.operators import Operators, operators
from meritorder.catalog.power import PowerCoefficients
from meritorder.catalog.ranges import Span, unknown_keys
from meritorder.catalog.wafer import WaferCoefficients
from meritorder.units import Bytes, BytesPerSecond, FlopPerSecond, Seconds, UsdPerHour, Watts

USUAL_SCALE_OUT = 50e9  # bytes a second: a port of 400 Gbit/s for each chip, where nothing else is known


class Roofline(BaseModel):
    """A kernel's time: `fixed + (memory^blend + compute^blend)^(1 / blend)`, a roofline with a soft corner."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fixed: Seconds = Field(description="time of the smallest call")
    bandwidth: float = Field(gt=0, le=2, description="share of the memory bandwidth reached")
    flops: float = Field(gt=0, le=2, description="share of the dense peak reached by large calls")
    blend: float = Field(default=3.0, ge=1, le=16, description="sharpness of the corner")
    traffic: float = Field(default=0.0, ge=0, description="bytes per input activation of a separate quantising pass")


class GpuCoefficients(BaseModel):
    """How far a GPU's kernels and its engine stay below the data sheet (equations: docs/machines.md).

    The defaults are rounded values of an H100, for machines written out by hand. The number at the end of a
    name is the width of the arithmetic in bits.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    gemm_16: Roofline = Roofline(fixed=3e-6, bandwidth=0.83, flops=0.79)
    gemm_8: Roofline = Roofline(fixed=5e-6, bandwidth=0.8, flops=0.7)
    gemm_4: Roofline = Roofline(fixed=6e-6, bandwidth=0.8, flops=0.6)
    experts_16: Roofline = Roofline(fixed=3e-5, bandwidth=0.7, flops=0.4)
    experts_8: Roofline = Roofline(fixed=3e-5, bandwidth=0.7, flops=0.4)
    experts_4: Roofline = Roofline(fixed=3e-5, bandwidth=0.7, flops=0.4)
    decode_fixed: Seconds = Field(default=1.3e-5, description="time of the smallest decode attention of a layer")
    decode_bandwidth: float = Field(default=0.8, gt=0, le=2, description="share of the bandwidth of decode attention")
    decode_bandwidth_8: float = Field(default=0.67, gt=0, le=2, description="the same with an 8-bit KV cache")
    prefill_fixed: Seconds = Field(default=1.4e-5, description="time of the smallest prefill attention of a layer")
    prefill_flops: float = Field(default=0.66, gt=0, le=2, description="share of the 16-bit peak of prefill attention")
    prefill_lead: float = Field(default=500.0, ge=0, description="a prompt token costs as much as so many more pairs")
    allreduce_fixed: Seconds = Field(default=3.3e-6, description="floor a of an all-reduce, a + b (n - 1)")
    allreduce_per_chip: Seconds = Field(default=1e-7, description="slope b of the floor with each further chip")
    allreduce_bandwidth: float = Field(default=0.65, gt=0, le=2, description="share of the link that it reaches")
    layer: Seconds | None = Field(default=None, description="norms and gaps of a layer; absent: the engine's")
    layer_traffic: float = Field(default=16.0, ge=0, description="bytes they move per token and unit of hidden width")
    host: Seconds | None = Field(
        default=None, description="time of an iteration that the chip waits for its host; absent: the engine's"
    )
    host_sequence: Seconds | None = Field(default=None, description="the same per decoding sequence")
    memory_reserve: Bytes = Field(default=2e9, description="memory kept for context, graphs and activations")
    power: PowerCoefficients = PowerCoefficients()

    def gemm(self, bits: int) -> Roofline:
        """The GEMM in arithmetic of 16, 8 or 4 bits."""
        return {16: self.gemm_16, 8: self.gemm_8, 4: self.gemm_4}[bits]

    def experts(self, bits: int) -> Roofline:
        """The fused expert layer in arithmetic of 16, 8 or 4 bits."""
        return {16: self.experts_16, 8: self.experts_8, 4: self.experts_4}[bits]


class Accelerator(BaseModel):
    """One chip: a GPU, or a whole wafer system. Figures are per chip, SI; FLOP/s are dense, power is IT power.

    `idle`, `typical` and `max` include the chip's share of host, network and fans, not of the building.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

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
    scale_out: BytesPerSecond = Field(
        default=USUAL_SCALE_OUT, gt=0, description="network out of the scale-up domain per chip, one direction"
    )
    idle: Watts
    typical: Watts
    max: Watts
    tdp: Watts | None = Field(default=None, gt=0, description="power limit of the chip's board, host left out")
    board_idle: Watts | None = Field(default=None, gt=0, description="the board alone, waiting with a loaded model")
    usd_per_hour: UsdPerHour = Field(description="owner cost, energy not included")
    coolant: Literal["air", "liquid-21c", "liquid-45c", "liquid"] = "air"
    vendor: str = Field(
        default="", max_length=80, description="who supplies it; all its machines fail together at times"
    )
    housing: Housing | None = Field(
        default=None, description="how it stands in racks; absent: as its kind usually does"
    )
    gpu: GpuCoefficients = GpuCoefficients()
    wafer: WaferCoefficients = WaferCoefficients()
    kernels: str = Field(default="", description="machine whose kernels, measured by shape, go before those in `gpu`")
    # The kernels of that machine; other ones in cross-validation.
    operators: SkipJsonSchema[Operators] = Field(default_factory=Operators, exclude=True, repr=False)
    ranges: dict[str, Span] = Field(
        default={}, description="figures known as a range only, for example `wafer.decode_slot: {low: 0.2, high: 5}`"
    )
    notes: tuple[str, ...] = Field(default=(), description="what is guessed, reused from another chip, or a range")

    @model_validator(mode="after")
    def _ranges_have_an_effect(self) -> Accelerator:
        if wrong := unknown_keys(self.ranges):
            raise ValueError(f"there can be no range of {', '.join(wrong)}; see docs/machines.md for those that may be")
        return self

    @model_validator(mode="before")
    @classmethod
    def _with_kernels(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("kernels"), str) and "operators" not in data:
            return {**data, "operators": operators(data["kernels"])}
        return data

    @model_validator(mode="after")
    def _powers_in_order(self) -> Accelerator:
        if not 0 <= self.idle <= self.typical <= self.max or self.max == 0:
            raise ValueError("idle, typical and max power must stand in this order, max above 0")
        return self

    @property
    def stands(self) -> Housing:
        """How it stands in racks: as given, or as machines of its kind usually do."""
        return ASSUMED[self.kind] if self.housing is None else self.housing

    @property
    def loop(self) -> tuple[Coolant, float]:
        """The class of loop that suits it, and the warmest supply (Celsius) that it takes."""
        return cooled_by(self.coolant, self.stands.coolant_supply)

    @property
    def board(self) -> tuple[float, float]:
        """Watts of the board alone, waiting and at its limit; where nobody states them, a fifth of the limit."""
        limit = self.max if self.tdp is None else self.tdp
        return (0.2 * limit if self.board_idle is None else self.board_idle), limit

    def compute_bits(self, weight_bits: int) -> int:
        """Bits of the arithmetic that weights of so many bits run in: their own, where the chip has it, else 16."""
        if weight_bits == 4 and self.flops_4 is not None:
            return 4
        if weight_bits == 8 and self.flops_8 is not None:
            return 8
        return 16

    def flops(self, bits: int) -> float:
        """Dense FLOP/s of arithmetic in 16, 8 or 4 bits, as `compute_bits` gives them."""
        return {16: self.flops_16, 8: self.flops_8, 4: self.flops_4}[bits] or self.flops_16
