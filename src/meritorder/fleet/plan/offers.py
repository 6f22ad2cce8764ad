"""What can be bought, rented or called: systems by offer, metered APIs, and pairs that split prompts from decoding."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from meritorder.catalog.model import KvPrecision, Precision
from meritorder.fleet.cooling import Coolant
from meritorder.fleet.engine import Engine
from meritorder.fleet.part import Degree, Name, Number, Part, Positive
from meritorder.fleet.plan.span import Month, Span, Stepped
from meritorder.fleet.speculation import Speculation
from meritorder.units import Months, Seconds, TokensPerSecond, Usd, UsdPerMtok, Watts

Count = Annotated[int, Field(ge=0, le=10_000_000)]


class Run(Part):
    """How a model runs on the systems of an offer: a replica, with a pool's keys."""

    tensor: Degree = Field(default=1, description="As of a pool.")
    pipeline: Positive = Field(default=1, le=4096, description="As of a pool.")
    data_parallel: Degree = Field(default=1, description="As of a pool.")
    expert_parallel: Degree = Field(default=1, description="As of a pool.")
    weights: Literal["", Precision] = Field(default="", description="As of a pool.")
    kv: KvPrecision = Field(default="fp16", description="As of a pool.")
    engine: Engine = Field(default=Engine(), description="As of a pool.")
    speculation: Speculation | None = Field(default=None, description="As of a pool.")


class Option(Part):
    """The right to more than the supply, at a price."""

    systems: Positive = Field(description="At most so many beyond `supply`, all together.")
    premium: Number = Field(default=1.0, ge=0.1, le=10, description="Factor on the price.")
    first: Month = Field(description="First delivery.")
    last: Month = Field(description="Last delivery.")


class Take(Part):
    """Take or pay."""

    systems: Positive = Field(description="At least so many, or they are paid for all the same.")
    by: Month = Field(description="Delivered by the end of this month's period.")


class Offer(Part):
    """A system that a supplier sells or rents: a wafer box, a node of eight GPUs, a rack."""

    accelerator: Name = Field(description="Name in the catalog or under `accelerators`.")
    chips: Positive = Field(default=1, description="Accelerators in one system.")
    supplier: str = Field(default="", max_length=80, description="Who sells it; absent: the catalog's vendor.")
    runs: dict[Name, Run] = Field(min_length=1, description="Models that it runs, and how.")
    price: Span[Usd] | None = Field(
        default=None, description="Of one system, bought, e.g. `{low: 500 kUSD, best: 800 kUSD, high: 1 MUSD}`."
    )
    price_per_year: Number = Field(default=1.0, gt=0, le=10, description="Factor on the price, a year from the start.")
    rent_per_month: Span[Usd] | None = Field(default=None, description="Of one system, rented; instead of `price`.")
    term: Months = Field(default=48.0, gt=0, description="It is rented for so long, or written off over it.")
    upkeep: Number = Field(default=0.0, ge=0, le=1, description="Of the price, a year: spares, support, staff.")
    lead: Months = Field(default=0.0, description="From order to delivery.")
    first: Month | None = Field(default=None, description="First delivery; absent: the horizon's start.")
    last: Month | None = Field(default=None, description="Last delivery; absent: the horizon's end.")
    supply: Stepped[Count] = Field(
        description="Most systems a quarter, one number or steps: `{2026-01: 100, 2026-07: 400}`."
    )
    lot: Positive = Field(default=1, description="Delivered in multiples of this.")
    option: Option | None = Field(default=None, description="More than that, at a premium.")
    take: tuple[Take, ...] = Field(default=(), description="What is paid whether it is taken or not.")
    standing: dict[Name, Annotated[int, Field(ge=1)]] = Field(
        default={}, description="Systems at a site that stand there at the start."
    )
    sites: tuple[Name, ...] | None = Field(
        default=None, min_length=1, description="Only there; absent: where its coolant is."
    )
    power: Watts | None = Field(default=None, gt=0, description="Most IT power of one system; absent: the catalog's.")
    coolant: Coolant | None = Field(default=None, description="Absent: the catalog's.")
    availability: Number = Field(default=0.97, gt=0, le=1, description="Share of its systems that is up.")

    @model_validator(mode="after")
    def _bought_or_rented(self) -> Self:
        if (self.price is None) == (self.rent_per_month is None):
            raise ValueError("needs one of `price` and `rent_per_month`")
        return self


class Pair(Part):
    """Prompts on one system, decoding on another at the same site."""

    prefill: Name = Field(description="An offer.")
    decode: Name = Field(description="An offer.")
    models: tuple[Name, ...] = Field(min_length=1, description="Models that are served so.")


class Api(Part):
    """A metered API, as of a cloud."""

    model: Name = Field(description="The model that it serves, named like a service's.")
    supplier: str = Field(min_length=1, max_length=80, description="Whose it is.")
    usd_per_mtok_prompt: UsdPerMtok = Field(description="Price of a million prompt tokens.")
    usd_per_mtok_output: UsdPerMtok = Field(description="The same of output tokens.")
    ttft: Seconds = Field(description="Time to the first token that it is known to keep, network included.")
    token_rate: TokensPerSecond = Field(description="Tokens per second of one user that it is known to keep.")
    most_requests_per_s: Number | None = Field(default=None, gt=0, description="Its limit.")
    most_usd_per_month: Usd | None = Field(default=None, description="Our budget for it.")
