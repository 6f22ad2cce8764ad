"""`WaferCoefficients`: how a wafer's array of cores runs a model, and how a public service runs it."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from meritorder.units import Bytes, BytesPerSecond, Seconds


class WaferCoefficients(BaseModel):
    """How a pipeline of wafers runs a model (equations: docs/machines.md). The defaults are those of a CS-3.

    "Cycles" are those of a core. A layer runs on a square mesh of cores; a "side" is that of the square.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cores: int = Field(default=900_000, ge=1, description="cores of one wafer")
    cycle: Seconds = Field(default=9.1e-10, gt=0, description="cycle of a core")
    core_memory: Bytes = Field(default=48e3, gt=0, description="SRAM of a core")
    hop_cycles: float = Field(
        default=19.4, ge=0, description="cycles per core of the mesh's side: the sums over rows and columns of a layer"
    )
    message_cycles: float = Field(default=29.0, ge=0, description="cycles per value that a core hands on in a layer")
    mac_cycles: float = Field(default=0.5, gt=0, description="cycles of a 16-bit multiply-add of a core")
    shift_cycles: float = Field(
        default=4.1, ge=0, description="cycles per value that a core shifts in a matrix product"
    )
    step_cycles: float = Field(default=262.0, ge=0, description="cycles of one of a matrix product's `side` steps")
    core_reserve: Bytes = Field(default=8e3, ge=0, description="SRAM of a core for code and buffers")
    software: float = Field(
        default=0.7, gt=0, description="time of a layer in decode, over that of the research kernels on the best mesh"
    )
    pass_fixed: Seconds = Field(default=2.5e-4, ge=0, description="output head, sampling and host, per pass")
    token_floor: Seconds = Field(default=2.9e-5, description="least time between two tokens leaving the slowest stage")
    compute: float = Field(default=0.06, gt=0, le=1, description="share of the dense FLOP/s in prefill")
    decode_slot: float = Field(
        default=1.0, gt=0, description="a decoding sequence in the slowest stage, in prompt tokens"
    )
    sram: float = Field(default=0.85, gt=0, le=1, description="share of the SRAM for weights and KV")
    kv_node: Bytes = Field(default=6e12, ge=0, description="DDR memory beside a wafer that keeps parked KV caches")
    kv_node_link: BytesPerSecond = Field(default=150e9, gt=0, description="link between that memory and the wafer")
