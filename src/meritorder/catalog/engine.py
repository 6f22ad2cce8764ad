"""`EngineProfile`: what an inference engine of one version adds to the kernels of a machine, and how it schedules."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from meritorder.units import Seconds


class EngineProfile(BaseModel):
    """One engine in one version on one machine; every default is neutral: the machine's own figures hold.

    A factor multiplies the time that the operator models give for a kind of kernel: engines ship other kernels than
    those that were measured, and wrap them in quantising, routing and copying that the measurement leaves out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = ""
    version: str = ""
    host: Seconds | None = Field(default=None, description="engine time of an iteration; absent: the machine's own")
    host_sequence: Seconds | None = Field(default=None, description="the same per decoding sequence")
    layer: Seconds | None = Field(default=None, description="norms, rotary embedding and gaps of a layer")
    expert_layer: Seconds = Field(default=0.0, description="routing and gaps of an expert layer, on top")
    linear_layer: Seconds = Field(default=0.0, description="convolution, gates and gaps of a linear layer, on top")
    factors: dict[str, float] = Field(default={}, description="kind of kernel -> factor on its time (absent: 1)")
    request: Seconds = Field(default=0.0, description="front end's delay of a request, before and after prefill")
    prompt_token: Seconds = Field(default=0.0, description="the same per prompt token")
    token_budget: int = Field(default=8192, ge=1, description="tokens of an iteration where nobody sets them")
    notes: tuple[str, ...] = Field(default=(), description="what is borrowed: another version, no data")

    def factor(self, kind: str) -> float:
        """The factor on the time of this kind of kernel."""
        return self.factors.get(kind, 1.0)
