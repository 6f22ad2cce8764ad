"""Demand over years: where it starts, how its day looks, how it grows, and what else might happen."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Discriminator, Field, Tag, model_validator

from meritorder.fleet.part import Name, Number, Part
from meritorder.fleet.plan.span import Factor, Month
from meritorder.units import Months, UsdPerMtok

Day: TypeAlias = Annotated[
    Annotated[str, Tag("name")] | Annotated[tuple[Annotated[Number, Field(ge=0)], ...], Tag("hours")],
    Discriminator(lambda value: "name" if isinstance(value, str) else "hours"),
]
Rate = Annotated[Number, Field(gt=0, le=1e9)]


class Growth(Part):
    """How demand grows from the first month on."""

    per_year: Factor = Field(
        default=Factor(low=1.0, best=1.0, high=1.0),
        description="Times as much a year, e.g. `{low: 1.5, best: 2.5, high: 6}`.",
    )
    ceiling: Factor | None = Field(
        default=None, description="S-curve: it tends to so many times the start, one figure or a range; absent: no end."
    )

    @model_validator(mode="after")
    def _tends_to_its_ceiling(self) -> Self:
        if self.ceiling is None:
            return self
        for which in ("low", "best", "high"):
            rate, end = getattr(self.per_year, which), getattr(self.ceiling, which)
            if end == 1.0 or (end < 1.0 and rate > 1.0):
                raise ValueError(
                    f"grows by {rate:g} a year to {end:g} times the start, which no S-curve does; "
                    "give a `ceiling` above 1, or one below 1 with `per_year` below 1"
                )
        return self


class ServiceDemand(Part):
    """What is asked of one service."""

    traffic: str = Field(
        min_length=1, max_length=4096, description="What its requests are like: a preset, a public trace or a file."
    )
    requests_per_s: Rate | None = Field(default=None, description="Mean of the first month.")
    history: str = Field(
        default="",
        max_length=4096,
        description="CSV `month,requests_per_s` of the past instead: start and growth, with its interval, are fitted.",
    )
    forecast: str = Field(
        default="",
        max_length=4096,
        description="CSV `month,requests_per_s` or `month,low,best,high` of every month of the horizon instead, "
        "`region` as another column where regions go their own ways.",
    )
    regions: dict[Name, Annotated[Number, Field(gt=0, le=1)]] = Field(
        default={"default": 1.0}, description="Share of the requests from each client region; together 1."
    )
    day: Day = Field(
        default=(),
        description="Demand by the hour of the day (UTC): 24 numbers whose size doesn't matter, a CSV "
        "`time,requests_per_s`, or a preset whose rate curve is taken; absent: the same all day. By the region's "
        "own clock where it has `utc_offset`.",
    )
    peak: Number = Field(
        default=1.0,
        ge=1,
        le=100,
        description="Demand of the design hour over that of the month's busiest typical hour.",
    )
    growth: Growth = Field(default=Growth(), description="How it grows; not beside `history` and `forecast`.")
    unmet_usd_per_mtok: UsdPerMtok | None = Field(
        default=None, description="Lost per million output tokens not served; absent: all must be served."
    )

    @model_validator(mode="after")
    def _one_start(self) -> Self:
        starts = [key for key in ("requests_per_s", "history", "forecast") if getattr(self, key)]
        if len(starts) != 1:
            given = " and ".join(f"`{key}`" for key in starts) or "no demand"
            raise ValueError(f"has {given}; give one of `requests_per_s`, `history` and `forecast`")
        if "growth" in self.model_fields_set and starts != ["requests_per_s"]:
            raise ValueError(f"has `growth` beside `{starts[0]}`, in which it is; drop the one")
        if abs(sum(self.regions.values()) - 1.0) > 1e-6:
            raise ValueError(f"has regions with {sum(self.regions.values()):g} of the requests; they must add up to 1")
        if not isinstance(self.day, str) and (len(self.day) not in (0, 24) or (self.day and sum(self.day) <= 0)):
            raise ValueError(f"has a `day` of {len(self.day)} numbers; give 24, one above 0")
        return self


class Future(Part):
    """One way that things may go (a scenario)."""

    probability: Number = Field(gt=0, le=1, description="Of all scenarios together 1.")
    growth: Literal["low", "best", "high"] = Field(
        default="best", description="Which growth of every service; of a `history` the 10th, 50th or 90th percentile."
    )
    demand: dict[Name, Annotated[Number, Field(gt=0, le=1000)]] = Field(
        default={},
        description="Factor on a service's demand, coming on over the year after the first period; "
        "`default`: of all others.",
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
