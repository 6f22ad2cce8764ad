"""What comes to a site from outside, in the fleet file: hot days and dear hours."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from meritorder.fleet.part import Number, Part
from meritorder.units import Seconds


class Scenario(Part):
    """A change of weather, price or carbon for some time."""

    what: Literal["heat-wave", "price-spike", "dirty-grid"] = Field(description="What changes.")
    start: Seconds = Field(default=0.0, ge=0, description="From the trace's time 0.")
    duration: Seconds = Field(gt=0, description="How long.")
    add: Number = Field(default=0.0, ge=-60, le=60, description="Heat wave: kelvin on top of the dry bulb.")
    times: Number = Field(default=1.0, ge=0, le=1000, description="Price spike, dirty grid: factor on price or carbon.")
