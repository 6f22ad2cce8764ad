"""`MeasuredCoefficients`: a machine given by its measured iteration times, in a fleet file or a profile of its own."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, Self, TypeAlias

from pydantic import Field, Strict, model_validator

from meritorder.fleet.part import Number, Part, Positive
from meritorder.units import Bytes, Seconds, UsdPerHour

Point: TypeAlias = tuple[Positive, Annotated[float, Strict(), Field(ge=0, le=1e4)]]
Curve: TypeAlias = tuple[Point, ...]  # straight lines between the points; see `perf/measured.py` for what lies outside


class MeasuredRange(Part):
    """How far the measurements went; predictions beyond are flagged."""

    sequences: Positive | None = Field(default=None, description="Most sequences that decoded at a time.")
    iteration_tokens: Positive | None = Field(default=None, description="Most tokens in an iteration.")
    context: Positive | None = Field(default=None, description="Longest prompt and answer together.")


class MeasuredCoefficients(Part):
    """A machine given by its measured iteration times instead of a catalog name.

    For `B` decoding sequences with `K` tokens in their KV caches and `P` prompt tokens that attend to `A` token pairs

        t = host_s + per_token_s*(B+P) + step_s(B+P) + prompt_s(P) + per_sequence_s*B + decode_s(B)
            + (per_kv_token_s + kv_s(B))*K + per_pair_s*A
    """

    host_s: Number = Field(default=0.0, ge=0, le=1e4, description="Seconds of every iteration, whatever is in it.")
    per_token_s: Number = Field(
        default=0.0, ge=0, le=1e4, description="Seconds per token of the iteration (prompt or decode)."
    )
    per_sequence_s: Number = Field(default=0.0, ge=0, le=1e4, description="Seconds per decoding sequence.")
    per_kv_token_s: Number = Field(default=0.0, ge=0, le=1e4, description="Seconds per KV token read by decode.")
    per_pair_s: Number = Field(
        default=0.0, ge=0, le=1e4, description="Seconds per token pair that prompt tokens attend to."
    )
    step_s: Curve = Field(default=(), description="Seconds by tokens of the iteration: pairs [tokens, seconds].")
    prompt_s: Curve = Field(
        default=(), description="Seconds by prompt tokens of the iteration, where it has any: pairs [tokens, seconds]."
    )
    decode_s: Curve = Field(
        default=(), description="Seconds by decoding sequences, where there are any: pairs [sequences, seconds]."
    )
    kv_s: Curve = Field(
        default=(), description="Seconds per KV token read, by decoding sequences: pairs [sequences, seconds]."
    )
    range: MeasuredRange = Field(default=MeasuredRange(), description="How far the measurements went.")
    idle_w: Number = Field(default=0.0, ge=0, le=1e9, description="Watts of the idle replica.")
    busy_w: Number = Field(default=0.0, ge=0, le=1e9, description="Watts of the replica while an iteration runs.")
    kv_tokens: Positive = Field(description="Tokens of KV cache that fit.")
    usd_per_hour: UsdPerHour = Field(default=0.0, description="Cost of the replica, USD per hour, energy not included.")
    accelerators: Positive = Field(default=1, description="Chips of one replica.")
    weight_bytes: Bytes | None = Field(default=None, description="Size of the weights, for example `0.3 GB`.")

    @model_validator(mode="after")
    def _time_passes_and_power_rises(self) -> Self:
        if self.busy_w < self.idle_w:
            raise ValueError(
                f"busy_w {self.busy_w:g} is less than idle_w {self.idle_w:g}; give busy_w of idle_w or more"
            )
        for name in ("step_s", "prompt_s", "decode_s", "kv_s"):
            curve: Curve = getattr(self, name)
            for (before, _), (at, _) in pairwise(curve):
                if at <= before:
                    raise ValueError(f"{name} goes from {before} to {at}; order its points, each place once")
        starts = self.host_s + (self.step_s[0][1] if self.step_s else self.per_token_s)
        if not starts and not (_positive(self.decode_s) and _positive(self.prompt_s)):
            raise ValueError("lets an iteration take no time; give host_s, or step_s, or decode_s and prompt_s")
        return self


class ProfileEngine(Part):
    """The settings of a pool's engine that a profile knows; the pool's own come first."""

    max_sequences: Positive | None = Field(default=None, description="As in `engine`.")
    token_budget: Positive | None = Field(default=None, description="As in `engine`.")
    max_context: Positive | None = Field(default=None, description="As in `engine`.")
    request_overhead: Seconds | None = Field(default=None, description="As in `engine`.")
    prompt_token_overhead: Seconds | None = Field(default=None, description="As in `engine`.")


class Profile(Part):
    """A machine profile, as `merit calibrate` writes it and a fleet file names it."""

    measured: MeasuredCoefficients = Field(description="What a pool may hold as `measured`.")
    engine: ProfileEngine = Field(default=ProfileEngine(), description="Settings of the engine that were found.")
    source: dict[str, Any] = Field(default={}, description="What was measured, when and how.")
    quality: dict[str, Any] = Field(default={}, description="How well the measurements are met.")
    check: dict[str, Any] = Field(default={}, description="Predicted against measured under load.")


def _positive(curve: Curve) -> bool:
    return bool(curve) and all(seconds > 0 for _, seconds in curve)
