"""Sites to build on: power blocks, grid, crews, batteries, and what the grid may ask for."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from meritorder.fleet.cooling import Coolant
from meritorder.fleet.part import Name, Number, Part, Positive
from meritorder.fleet.plan.offers import Count
from meritorder.fleet.plan.span import Month, Stepped
from meritorder.units import Joules, Months, Usd, UsdPerKwhOfRoom, UsdPerKwMonth, UsdPerWatt, Watts


class Block(Part):
    """A power block: shell, power and cooling for one class of coolant, built as a whole."""

    power: Watts = Field(gt=0, description="IT power of one.")
    coolant: Coolant = Field(description="What it cools with.")
    standing: Count = Field(default=0, description="At the start.")
    most: Positive = Field(description="As many as there is land for, those of the start among them.")
    lead: Months = Field(default=0.0, description="From the decision until it carries power.")
    first: Month | None = Field(default=None, description="The first new one stands then, at the earliest.")
    most_per_quarter: Positive | None = Field(default=None, description="New ones a quarter.")
    price: UsdPerWatt = Field(default=0.0, description="Of a new one.")
    life: Months = Field(default=180.0, gt=0, description="Its price is written off over it.")
    rent: UsdPerKwMonth = Field(default=0.0, description="Per kW of IT power and month, from then on, used or not.")

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        if self.standing > self.most:
            raise ValueError(
                f"has {self.standing} standing of {self.most} at most; give `most` with those of the start"
            )
        return self


class Curtailment(Part):
    """The grid may want less in its worst hours; what is served then all the same, the policy's `survive` says."""

    depth: Number = Field(gt=0, le=1, description="Part of the grid's limit that is gone.")


class Battery(Part):
    """A battery at the meter that may be bought."""

    most: Joules = Field(gt=0, description="Energy, e.g. `40 MWh`.")
    hours: Number = Field(default=4.0, gt=0, le=100, description="Energy per power.")
    price: UsdPerKwhOfRoom = Field(description="Per kWh of energy.")
    efficiency: Number = Field(default=0.88, gt=0, le=1, description="There and back.")
    life: Months = Field(default=144.0, gt=0, description="Its price is written off over it.")


class Ground(Part):
    """A site of the fleet as a place to build."""

    blocks: dict[Name, Block] = Field(min_length=1, description="Kinds of power block.")
    grid: Stepped[Watts] | None = Field(
        default=None, description="Most facility power, one figure or steps: `{2026-01: 40 MW, 2027-07: 120 MW}`."
    )
    open_price: Usd = Field(default=0.0, description="Paid once when the first thing is built there.")
    first: Month | None = Field(default=None, description="Nothing stands there before.")
    ramp: Watts | None = Field(default=None, gt=0, description="Crews install at most so much nameplate a quarter.")
    oversubscription: Number = Field(default=1.0, ge=1, le=2, description="Nameplate per IT power of its blocks.")
    curtailment: Curtailment | None = Field(default=None, description="What the grid may ask for.")
    battery: Battery | None = Field(default=None, description="That may be bought, beside the one of its `facility`.")

    @model_validator(mode="after")
    def _one_kind_per_coolant(self) -> Self:
        kinds: dict[str, str] = {}
        for name, block in self.blocks.items():
            if block.coolant in kinds:
                both = f"{kinds[block.coolant]} and {name}"
                raise ValueError(f"has two kinds of block for {block.coolant}, {both}; give one per coolant")
            kinds[block.coolant] = name
        return self
