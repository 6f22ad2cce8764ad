"""Halls in the fleet file: rows of racks with what each can feed and cool."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, Strict

from meritorder.fleet.cooling import Coolant
from meritorder.fleet.part import Part, Positive
from meritorder.units import Watts


class Hall(Part):
    """Equal rows of equal rack places, on one class of coolant. A row has its own busway and its own CDU."""

    rows: Positive = Field(le=10_000, description="How many rows.")
    racks: Positive = Field(le=1000, description="Rack places in a row.")
    coolant: Coolant = Field(description="What its rows are cooled with.")
    rack_power: Watts = Field(gt=0, description="Most IT power of one rack.")
    row_power: Watts = Field(gt=0, description="Most IT power of a row's busway.")
    row_cooling: Watts | None = Field(default=None, gt=0, description="Most heat its CDU carries; absent: row_power.")
    power: Watts | None = Field(default=None, gt=0, description="Most IT power of the hall; absent: that of its rows.")
    rack_units: Annotated[int, Strict()] = Field(default=48, ge=1, le=100, description="Height of a rack.")
    feeds: tuple[Annotated[int, Strict(), Field(ge=0)], ...] = Field(
        default=(), description="Feeds of the site, counted from 0, that it hangs on; absent: all of them."
    )
