"""The dispatch policies that a fleet file can name, and their parameters (the policies live in `dispatch/`)."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, Strict


class _Policy(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class MeritOrder(_Policy):
    """Among replicas predicted to meet the request's targets, the one with the least marginal cost."""

    policy: Literal["merit-order"] = "merit-order"
    margin: Annotated[float, Strict()] = Field(
        default=0.8, gt=0, le=1, description="Part of each target that a prediction may use up."
    )
    scarcity: Annotated[float, Strict()] = Field(
        default=1.0, ge=0, description="Weight of the shadow price of scarce capacity; 0 ignores it."
    )
    pack: Annotated[bool, Strict()] = Field(
        default=True, description="Prefer replicas that already work, so that others may idle."
    )
    oracle_length: Annotated[bool, Strict()] = Field(
        default=False, description="Let the policy see output lengths, which no router can (bounds)."
    )


class RoundRobin(_Policy):
    """The replicas in turn."""

    policy: Literal["round-robin"] = "round-robin"


class Random(_Policy):
    """Any replica, all equally likely."""

    policy: Literal["random"] = "random"


class LeastRequest(_Policy):
    """The replica with the fewest requests in it."""

    policy: Literal["least-request"] = "least-request"


class LeastTokens(_Policy):
    """The replica with the fewest tokens still to compute."""

    policy: Literal["least-tokens"] = "least-tokens"


class PowerOfTwo(_Policy):
    """The less loaded of a few replicas drawn at random."""

    policy: Literal["power-of-two"] = "power-of-two"
    choices: Annotated[int, Strict()] = Field(default=2, ge=1, le=64, description="How many replicas are drawn.")


class PrefixAffinity(_Policy):
    """The replica that holds most of the prompt's prefix, unless load is too uneven."""

    policy: Literal["prefix-affinity"] = "prefix-affinity"
    min_match: Annotated[float, Strict()] = Field(
        default=0.3, ge=0, le=1, description="Least part of the prompt that must be cached to follow it."
    )
    max_imbalance: Annotated[int, Strict()] = Field(
        default=32, ge=0, description="Requests between most and least loaded that count as uneven."
    )
    max_ratio: Annotated[float, Strict()] = Field(
        default=1.5, ge=1, description="Ratio of most to least loaded that counts as uneven."
    )


class LatencyPredicted(_Policy):
    """The replica with the least predicted latency."""

    policy: Literal["latency-predicted"] = "latency-predicted"
    oracle_length: Annotated[bool, Strict()] = Field(
        default=False, description="Let the policy see output lengths, which no router can (bounds)."
    )


Dispatch: TypeAlias = Annotated[
    MeritOrder | RoundRobin | Random | LeastRequest | LeastTokens | PowerOfTwo | PrefixAffinity | LatencyPredicted,
    Field(discriminator="policy"),
]

POLICIES: dict[str, type[_Policy]] = {
    "merit-order": MeritOrder,
    "round-robin": RoundRobin,
    "random": Random,
    "least-request": LeastRequest,
    "least-tokens": LeastTokens,
    "power-of-two": PowerOfTwo,
    "prefix-affinity": PrefixAffinity,
    "latency-predicted": LatencyPredicted,
}
