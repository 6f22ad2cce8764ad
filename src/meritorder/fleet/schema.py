"""The fleet file's data model: what there is (models, accelerators, sites, pools) and what it owes (services).

Python code gives SI floats (`Slo(ttft=0.5)`); files give quantities with units (`ttft: 500 ms`), see `fleet/load.py`.
The order of every mapping is the index order of all arrays.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, Strict, model_validator

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.model import KvPrecision, ModelSpec, Precision
from meritorder.fleet.control import Control, Flexible
from meritorder.fleet.dispatch import Dispatch, MeritOrder
from meritorder.fleet.engine import Engine as Engine
from meritorder.fleet.faults import Faults
from meritorder.fleet.gateway import Endpoint, Gateway, Live
from meritorder.fleet.halls import Spread
from meritorder.fleet.links import Link
from meritorder.fleet.measured import MeasuredCoefficients
from meritorder.fleet.network import Region
from meritorder.fleet.part import Degree, Moment, Name, Number, Part, Positive
from meritorder.fleet.plan.plan import Plan
from meritorder.fleet.site import Site as Site
from meritorder.fleet.speculation import Speculation
from meritorder.units import (
    Seconds,
    TokensPerSecond,
    UsdPerHour,
    UsdPerKg,
    UsdPerMtok,
    Watts,
)


class Pool(Part):
    """Replicas of one kind: accelerator, model, parallelism and engine settings at one site."""

    site: Name = Field(description="Name under `sites`.")
    accelerator: Name | None = Field(default=None, description="Name in the catalog or under `accelerators`.")
    measured: MeasuredCoefficients | None = Field(
        default=None, description="Measured iteration times (or a profile's file name), instead of `accelerator`."
    )
    model: Name = Field(description="Name in the catalog or under `models`.")
    replicas: Annotated[int, Strict(), Field(ge=1, le=1_000_000)] = Field(description="How many replicas.")
    role: Literal["both", "prefill", "decode"] = Field(
        default="both",
        description="`prefill`: computes prompts and hands their KV caches to pools with `decode`; "
        "`both`: serves requests whole.",
    )
    tensor: Degree = Field(default=1, description="Tensor parallel degree: chips per stage.")
    pipeline: Positive = Field(
        default=1, le=4096, description="Pipeline stages; of a wafer system: wafers in the pipeline."
    )
    data_parallel: Degree = Field(
        default=1,
        description="Copies of attention in a replica, each on `tensor` chips with its own sequences; "
        "experts are shared by all.",
    )
    expert_parallel: Degree = Field(
        default=1, description="Groups of chips that hold different experts; 1: every chip holds a part of each expert."
    )
    weights: Literal["", Precision] = Field(
        default="", description="Number format of the weights; absent: the model's own."
    )
    kv: KvPrecision = Field(default="fp16", description="Number format of the KV cache.")
    engine: Engine = Field(default=Engine(), description="Settings of the inference engine.")
    speculation: Speculation | None = Field(default=None, description="Speculative decoding; absent: none.")
    power_cap: Watts | None = Field(
        default=None, gt=0, description="Power limit of each chip's board, as a driver sets it; absent: the chip's own."
    )
    caps: tuple[Annotated[Number, Field(gt=0.2, lt=1)], ...] = Field(
        default=(),
        description="Power limits that a controller may set, parts of the board's own, falling: `[0.9, 0.7, 0.5]`; "
        "absent: it is never capped.",
    )
    spread: Spread = Field(default=Spread(), description="How near one another its machines stand in the halls.")
    usd_per_hour: UsdPerHour | None = Field(
        default=None, description="Cost of a whole replica, USD per hour, energy not included; absent: the catalog's."
    )
    usd_per_mtok_prompt: UsdPerMtok = Field(
        default=0.0, description="Price of a million prompt tokens, where the pool is a metered API."
    )
    usd_per_mtok_output: UsdPerMtok = Field(default=0.0, description="The same of a million output tokens.")
    max_in_flight: Positive | None = Field(
        default=None, description="Most requests that the gateway may have in flight in the pool; absent: no limit."
    )
    endpoint: Endpoint | None = Field(default=None, description="Where its replicas listen, for `merit serve`.")

    @model_validator(mode="after")
    def _one_machine(self) -> Self:
        if self.accelerator is None and self.measured is None:
            raise ValueError("has no machine; give `accelerator: h100` (a catalog name) or `measured:` coefficients")
        if self.accelerator is not None and self.measured is not None:
            raise ValueError("has both `accelerator` and `measured`; keep one of them")
        if self.measured is not None and self.power_cap is not None:
            raise ValueError("has `power_cap` beside `measured`, whose times hold for one limit only; drop it")
        if self.measured is not None and self.caps:
            raise ValueError("has `caps` beside `measured`, whose times hold for one limit only; drop them")
        return self

    @model_validator(mode="after")
    def _speculation_has_room(self) -> Self:
        if self.speculation is None:
            return self
        if self.measured is not None:
            raise ValueError("has `speculation` beside `measured`, whose times hold what the engine did; drop the one")
        checked = self.engine.max_sequences * (self.speculation.draft_tokens + 1)
        if self.engine.token_budget < checked:
            raise ValueError(
                f"engine.token_budget {self.engine.token_budget} has no room for a full batch with drafted tokens; "
                f"give at least {checked}, or fewer max_sequences or draft_tokens"
            )
        return self


class Slo(Part):
    """Service level: targets that a share of the requests must meet, all together; absent targets hold always."""

    ttft: Seconds | None = Field(
        default=None, gt=0, description="Time to first token as the client sees it, e.g. `500 ms`."
    )
    token_rate: TokensPerSecond | None = Field(
        default=None, gt=0, description="Tokens per second of one user after the first token, e.g. `30 tok/s`."
    )
    percentile: Number = Field(default=0.95, gt=0, le=1, description="Share of requests that must meet both targets.")


class Service(Part):
    """A product that customers buy: a model with a service level, a priority and a value."""

    model: Name = Field(description="Name in the catalog or under `models`.")
    share: Number | None = Field(
        default=None, ge=0, le=1, description="Part of the trace's requests that are this service's."
    )
    match: str | None = Field(
        default=None,
        description="Name in the trace's service column whose requests are this service's; absent, "
        "and no `share`: its own name.",
    )
    slo: Slo = Field(default=Slo(), description="Service level targets.")
    priority: Annotated[int, Strict()] = Field(default=0, ge=0, le=1000, description="0 is the most important.")
    value_usd_per_mtok: UsdPerMtok = Field(
        default=0.0, description="Revenue per million output tokens served within the SLO."
    )
    penalty_usd: Number = Field(default=0.0, ge=0, le=1e9, description="USD lost per request outside the SLO.")
    overload: Literal["queue", "shed"] = Field(
        default="queue", description="What to do when no replica can meet the SLO."
    )
    pools: tuple[Name, ...] | None = Field(default=None, min_length=1, description="Only these pools may serve it.")
    patience: Seconds | None = Field(default=None, gt=0, description="The client cancels this long after it asked.")
    flexible: Flexible | None = Field(default=None, description="Its requests may wait in the gateway; absent: no.")
    on_failure: Literal["lose", "retry", "continue"] = Field(
        default="continue",
        description="When a machine fails under a request: lose it, retry it elsewhere if nothing of its answer was "
        "sent, or also continue answers that were begun.",
    )
    live: Live = Field(default=Live(), description="How `merit serve` treats it.")

    @model_validator(mode="after")
    def _share_or_match(self) -> Self:
        if self.share is not None and self.match is not None:
            raise ValueError("has both `share` and `match`; keep one of them")
        return self


class Fleet(Part):
    """A fleet with all names resolved: every model and accelerator that is used is in it."""

    name: str = Field(default="", max_length=200, description="Shown in reports; absent: the file's name.")
    models: dict[Name, ModelSpec] = Field(default={}, description="Models written out; others come from the catalog.")
    accelerators: dict[Name, Accelerator] = Field(
        default={}, description="Accelerators written out, beside the catalog's."
    )
    sites: dict[Name, Site] = Field(min_length=1, description="Places with electricity and distance to clients.")
    regions: dict[Name, Region] = Field(
        default={},
        description="Client regions of the trace; the key `default` holds for those that are not named.",
    )
    pools: dict[Name, Pool] = Field(
        default={}, description="Replicas of one kind at one site; only a file with a `plan` may have none."
    )
    links: dict[Name, Link] = Field(
        default={}, description="Networks that carry KV caches from pools with `role: prefill` to those with `decode`."
    )
    services: dict[Name, Service] = Field(min_length=1, description="What customers buy.")
    dispatch: Dispatch = Field(default=MeritOrder(), description="How requests are sent to replicas.")
    carbon_price_usd_per_kg: UsdPerKg = Field(
        default=0.0, description="Price of carbon that dispatch counts, USD per kg CO2."
    )
    start: Moment | None = Field(
        default=None, description="Moment of the trace's time 0, for weather and prices: `2023-07-14T12:00:00Z`."
    )
    control: Control = Field(default=Control(), description="How sites are kept within their power.")
    faults: Faults = Field(default=Faults(), description="What breaks.")
    gateway: Gateway = Field(default=Gateway(), description="How `merit serve` listens and whom it lets in.")
    plan: Plan | None = Field(default=None, description="What `merit plan` is asked for.")

    @model_validator(mode="after")
    def _something_stands(self) -> Self:
        if not self.pools and self.plan is None:
            raise ValueError("has no pools; give `pools`, or a `plan` that builds them")
        return self

    @model_validator(mode="after")
    def _fill_in_weights(self) -> Self:
        """Pools that don't say a number format have their model's own."""
        for name, pool in self.pools.items():
            if not pool.weights and pool.model in self.models:
                self.pools[name] = pool.model_copy(update={"weights": self.models[pool.model].weights})
        return self
