"""Demand over years: where it starts, how its day looks, how it grows, and what else might happen."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from meritorder.fleet.part import Name, Number, Part
from meritorder.fleet.plan.span import Factor, Month
from meritorder.units import Months, UsdPerMtok

Rate = Annotated[Number, Field(gt=0, le=1e9)]


class Growth(Part):
    """How demand grows from the first month on."""

    per_year: Factor = Field(
        default=Factor(low=1.0, best=1.0, high=1.0),
        description="Times as much a year, e.g. `{low: 1.5, best: 2.5, high: 6}`.",
    )
    ceiling: Number | None = Field(
        default=None, gt=0, description="S-curve: growth ends at so many times the start; absent: it doesn't end."
    )


class ServiceDemand(Part):
    """What is asked of one service."""

    traffic: str = Field(
        min_length=1, max_length=4096, description="What its requests are like: a preset, a public trace or a file."
    )
    requests_per_s: Rate | None = Field(default=None, description="Mean of the first month.")
    history: str = Field(
        default="",
        max_length=4096,
        description="CSV `month,requests_per_s` instead: the start and the growth, with its interval, are fitted to it.",
    )
    regions: dict[Name, Annotated[Number, Field(gt=0, le=1)]] = Field(
        default={"default": 1.0}, description="Share of the requests from each client region; together 1."
    )
    day: tuple[Annotated[Number, Field(ge=0)], ...] | str = Field(
        default=(),
        description="Demand by the hour of the day (UTC): 24 numbers whose size doesn't matter, a CSV "
        "`time,requests_per_s`, or a preset whose rate curve is taken; absent: the same all day.",
    )
    growth: Growth = Field(default=Growth(), description="How it grows; not beside `history`.")
    unmet_usd_per_mtok: UsdPerMtok | None = Field(
        default=None, description="Lost per million output tokens not served; absent: all must be served."
    )

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        if (self.requests_per_s is None) == (not self.history):
            raise ValueError("needs one of `requests_per_s` and `history`")
        if self.history and "growth" in self.model_fields_set:
            raise ValueError("has `growth` beside `history`, to which it is fitted; drop the one")
        if abs(sum(self.regions.values()) - 1.0) > 1e-6:
            raise ValueError(f"has regions with {sum(self.regions.values()):g} of the requests; they must add up to 1")
        if not isinstance(self.day, str) and (len(self.day) not in (0, 24) or (self.day and sum(self.day) <= 0)):
            raise ValueError(f"has a `day` of {len(self.day)} numbers; give 24, one above 0")
        return self


class Future(Part):
    """One way that things may go (a scenario)."""

    probability: Number = Field(gt=0, le=1, description="Of all scenarios together 1.")
    growth: Literal["low", "best", "high"] = Field(default="best", description="Which growth of every service.")
    demand: dict[Name, Rate] = Field(
        default={},
        description="Factor on a service's demand, after the first period growing in over a year; `default`: of all others.",
    )
    speed: dict[Name, Annotated[Number, Field(gt=0, le=10)]] = Field(
        default={}, description="Factor on what the systems of an offer carry."
    )
    power_price: Number = Field(default=1.0, gt=0, le=100, description="Factor on prices of electricity.")
    late: dict[Name, Months] = Field(default={}, description="Deliveries of an offer come so much later.")


class Stretch(Part):
    """The horizon."""

    start: Month = Field(description="First month, e.g. `2026-01`.")
    periods: Annotated[int, Field(ge=1, le=60)] = Field(description="How many.")
    length: Months = Field(default=3.0, description="Of a period: `1 month`, `1 quarter`, `6 months` or `1 year`.")
    discount_rate: Number = Field(default=0.08, ge=0, le=1, description="A year.")
    hours: Annotated[int, Field(ge=1, le=25)] = Field(
        default=6, description="Hours of a typical day, the design hour among them, that the optimisation looks at."
    )

    @model_validator(mode="after")
    def _whole_months(self) -> Self:
        if self.length not in (1.0, 2.0, 3.0, 6.0, 12.0):
            raise ValueError("has a `length` that doesn't divide a year; give 1, 2, 3, 6 or 12 months")
        return self
