"""How a site keeps within its power, in the fleet file: the grid's wishes, and what may be done about them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from meritorder.fleet.part import Number, Part
from meritorder.units import CarbonLimit, PriceLimit, Seconds, Watts

Lever = Literal["move", "cap", "hold", "shed"]


class DemandResponse(Part):
    """The grid (or a utility's programme) wants less for some time."""

    start: Seconds = Field(ge=0, description="From the trace's time 0.")
    duration: Seconds = Field(gt=0, description="How long.")
    reduce: Number | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Part of the grid power (mean of 5 minutes before) to give up.",
    )
    limit: Watts | None = Field(default=None, gt=0, description="Or: most grid power.")
    within: Seconds = Field(default=30.0, gt=0, description="By when it has to be kept.")

    @model_validator(mode="after")
    def _one_wish(self) -> Self:
        if (self.reduce is None) == (self.limit is None):
            raise ValueError("needs one of `reduce` and `limit`")
        return self


class Flexible(Part):
    """Requests of a service that may wait: for power, or for cheaper or cleaner hours."""

    within: Seconds = Field(gt=0, description="A request waits at most so long in the gateway.")
    price_below: PriceLimit | None = Field(default=None, description="Wait for a price below this, USD per kWh.")
    carbon_below: CarbonLimit | None = Field(default=None, description="Wait for carbon below this, kg CO2 per kWh.")


class Control(Part):
    """The controller that simulator and gateway share."""

    step: Seconds = Field(default=1.0, gt=0, le=3600, description="How often it looks.")
    order: Annotated[tuple[Lever, ...], Field(min_length=1)] = Field(
        default=("move", "cap", "hold", "shed"),
        description="Levers, the first first: send new requests elsewhere, cap machines, keep flexible requests "
        "waiting, refuse requests of the least important services.",
    )
    margin: Number = Field(default=0.03, ge=0, lt=0.5, description="Part of a limit that is kept free.")
    release: Seconds = Field(default=60.0, gt=0, description="How long power must suffice before a lever is let go.")
