"""Halls in the fleet file: rows of racks with what each can feed and cool, and how pools spread over them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Strict

from meritorder.fleet.cooling import Coolant
from meritorder.fleet.part import Number, Part, Positive
from meritorder.units import Watts

Share = Annotated[Number, Field(gt=0, le=1)]


class Hall(Part):
    """Equal rows of equal rack places, on one class of coolant. A row has its own busway and its own CDU."""

    rows: Positive = Field(le=10_000, description="How many rows.")
    racks: Positive = Field(le=1000, description="Rack places in a row.")
    coolant: Coolant = Field(description="What its rows are cooled with.")
    rack_power: Watts = Field(gt=0, description="Most IT power of one rack.")
    row_power: Watts = Field(gt=0, description="Most IT power of a row's busway.")
    row_cooling: Watts | None = Field(
        default=None,
        gt=0,
        description="Most heat of a row: of its CDU where `coolant` is a liquid, else of its air handlers; "
        "absent: `row_power`.",
    )
    row_air: Watts | None = Field(
        default=None,
        gt=0,
        description="Most heat that liquid-cooled machines of a row may leave in the hall's air; absent: all of it.",
    )
    power: Watts | None = Field(default=None, gt=0, description="Most IT power of the hall; absent: that of its rows.")
    rack_units: Annotated[int, Strict()] = Field(default=48, ge=1, le=100, description="Height of a rack.")
    feeds: tuple[Annotated[int, Strict(), Field(ge=0)], ...] = Field(
        default=(), description="Feeds of the site, counted from 0, that it hangs on; absent: all of them."
    )


class Spread(Part):
    """How near the machines of a pool stand: those of one replica together, its replicas apart."""

    within: Literal["row", "hall", "site"] = Field(
        default="hall", description="A replica of several machines stands within one of these."
    )
    most_per_row: Share = Field(default=1.0, description="At most this part of the pool's machines in one row.")
    most_per_hall: Share = Field(default=1.0, description="At most this part of them in one hall.")
    most_per_feed: Share = Field(
        default=1.0, description="At most this part of them on one feed alone: in halls with no other."
    )
