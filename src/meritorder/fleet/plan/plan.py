"""`plan`: what `merit plan` is asked for."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from meritorder.fleet.part import Name, Part
from meritorder.fleet.plan.demand import Future, ServiceDemand, Stretch
from meritorder.fleet.plan.ground import Ground
from meritorder.fleet.plan.offers import Api, Offer, Pair
from meritorder.fleet.plan.promises import Contract, Policy


class Plan(Part):
    """Demand over years, what can be had, where it can stand, what must hold."""

    horizon: Stretch = Field(description="From when, how long, in which steps.")
    demand: dict[Name, ServiceDemand] = Field(min_length=1, description="By service of the fleet.")
    scenarios: dict[Name, Future] = Field(
        default={}, description="Ways that it may go; absent: one, with the best growth."
    )
    offers: dict[Name, Offer] = Field(min_length=1, description="Systems that can be had.")
    pairs: dict[Name, Pair] = Field(default={}, description="Offers that split prompts from decoding.")
    apis: dict[Name, Api] = Field(default={}, description="Metered APIs.")
    sites: dict[Name, Ground] = Field(min_length=1, description="Sites of the fleet that may be built on.")
    contracts: dict[Name, Contract] = Field(default={}, description="Power that is owed or due by a date.")
    policy: Policy = Field(default=Policy(), description="Limits that whoever pays has set.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        total = sum(future.probability for future in self.scenarios.values())
        if self.scenarios and abs(total - 1.0) > 1e-6:
            raise ValueError(f"has scenarios with a probability of {total:g} together; they must add up to 1")
        return self
