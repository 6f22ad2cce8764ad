"""What must hold: contracts, supplier shares, survival of losses, carbon, budgets, risk."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from meritorder.fleet.part import Name, Number, Part
from meritorder.fleet.plan.span import Month
from meritorder.units import Kilograms, Usd, Watts

Share = Annotated[Number, Field(ge=0, le=1)]
# A service's share of its demand; `default` holds for services that are not named.
Shares = dict[Name, Share]


class Contract(Part):
    """Power that must stand by a date."""

    supplier: str = Field(
        default="", max_length=80, description="Of this supplier's systems; absent, and no `offers`: of all."
    )
    offers: tuple[Name, ...] | None = Field(default=None, min_length=1, description="Of these, instead.")
    power: dict[Month, Watts] = Field(min_length=1, description="By date, each holds until the next.")
    measure: Literal["it", "facility"] = Field(
        default="it",
        description="Nameplate of the machines, or with the building's losses and cooling in its design hour.",
    )
    sense: Literal["at-least", "exactly", "at-most"] = Field(default="at-least", description="How it is meant.")

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        if self.supplier and self.offers:
            raise ValueError("has `supplier` and `offers`; keep one of them")
        return self


class Survive(Part):
    """Share of each service's demand that is still served in the busiest hour when something is lost."""

    site: Shares | None = Field(default=None, description="Any one site.")
    supplier: Shares | None = Field(default=None, description="All machines of any one supplier.")
    late: Shares | None = Field(default=None, description="All deliveries of any one offer in the period.")
    curtailment: Shares | None = Field(default=None, description="All curtailments at once.")
    when: Literal["every-period", "year-ends", "last"] = Field(
        default="year-ends", description="When this is asked for."
    )


class Risk(Part):
    """How much bad scenarios count."""

    aversion: Number = Field(
        default=0.0, ge=0, le=100, description="Weight of the tail's mean cost (CVaR) beside the expected cost."
    )
    tail: Number = Field(default=0.2, gt=0, le=1, description="The worst part of the scenarios, by probability.")


class Policy(Part):
    """Limits that whoever pays has set."""

    supplier_share: Shares = Field(
        default={}, description="Most of the installed power, by supplier; `default`: of any."
    )
    share_from: Month | None = Field(default=None, description="From then on; absent: always.")
    survive: Survive = Field(default=Survive(), description="What may be lost.")
    carbon: dict[Month, Kilograms] = Field(default={}, description="Most carbon a year, from a month on.")
    budget: dict[Month, Usd] = Field(
        default={}, description="Most cash for systems and blocks a year, from a month on."
    )
    risk: Risk = Field(default=Risk(), description="How much bad scenarios count.")
