"""`Speculation`: speculative decoding of a pool, as a fleet file describes it."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, Strict, model_validator

from meritorder.fleet.part import Number, Part
from meritorder.units import Seconds


class Speculation(Part):
    """Each pass drafts some tokens cheaply and has the model check them all at once."""

    draft_tokens: Annotated[int, Strict(), Field(ge=1, le=16)] = Field(
        description="Tokens drafted per sequence and pass (vLLM: num_speculative_tokens)."
    )
    acceptance: tuple[Annotated[float, Strict(), Field(ge=0, le=1)], ...] = Field(
        min_length=1,
        max_length=16,
        description="Probability that the first, second ... drafted token is accepted when those before it were; "
        "the last one holds for the rest, so `[0.8]` is one rate.",
    )
    draft_cost: Number = Field(
        default=0.05, ge=0, le=10, description="Time of drafting one token, as a share of the model's own pass."
    )
    draft_time: Seconds = Field(default=0.0, ge=0, description="Time of drafting one token, on top of that share.")

    @model_validator(mode="after")
    def _no_rate_without_a_token(self) -> Self:
        if len(self.acceptance) > self.draft_tokens:
            raise ValueError(
                f"acceptance has {len(self.acceptance)} entries for {self.draft_tokens} draft_tokens; "
                "give one for each position at most"
            )
        return self

    @property
    def tokens_per_pass(self) -> float:
        """Expected tokens per sequence and pass: 1 + p1 + p1 p2 + ..., the model's own token included."""
        expected, reached = 1.0, 1.0
        for position in range(self.draft_tokens):
            reached *= self.acceptance[min(position, len(self.acceptance) - 1)]
            expected += reached
        return expected
