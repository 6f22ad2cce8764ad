"""`PowerCoefficients`: what a busy GPU draws above idle, by kind of kernel, traffic and arithmetic."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

Kind: TypeAlias = Literal[
    "gemm", "experts_16", "experts_8", "experts_4", "attention", "link", "other", "sequence", "mixed"
]


class PowerCoefficients(BaseModel):
    """Shares of the range from idle to max (equations: docs/machines.md). The defaults are rounded values of an H100.

    A kernel draws what its kind draws while it runs, plus what it moves and computes, never more than max. Expert
    layers differ by the width of the stored weights: unpacking narrow ones keeps a chip busy.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    gemm: float = Field(default=0.1, ge=0, le=1, description="power of a chip that runs matrix products")
    experts_16: float = Field(default=0.15, ge=0, le=1, description="the same of fused expert layers in 16 bit")
    experts_8: float = Field(default=0.55, ge=0, le=1, description="the same with 8-bit weights")
    experts_4: float = Field(default=0.5, ge=0, le=1, description="the same with 4-bit weights")
    attention: float = Field(default=0.1, ge=0, le=1, description="the same of attention")
    link: float = Field(default=0.1, ge=0, le=1, description="the same of collectives")
    other: float = Field(default=0.1, ge=0, le=1, description="the same of norms and gaps between kernels")
    sequence: float = Field(default=0.75, ge=0, le=1, description="the same while the engine samples tokens")
    mixed: float = Field(default=0.5, ge=0, le=1, description="the same while iterations with prompts take longer")
    bandwidth: float = Field(default=0.7, ge=0, le=3, description="power on top at full memory bandwidth")
    flops: float = Field(default=2.0, ge=0, le=5, description="power on top at the dense peak, as if max didn't bind")

    clock: float = Field(
        default=0.27, gt=0, le=1, description="under a power limit: clock ~ (power above idle) to this exponent"
    )

    def busy(self, kind: Kind) -> float:
        """Power of a running kernel of this kind, without its traffic and its arithmetic."""
        return float(getattr(self, kind))
