"""Halls and rows of all sites as arrays: those of the fleet file, or such as just hold the machines of a site."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meritorder.catalog.housing import Coolant
from meritorder.facility.halls.stand import Stand
from meritorder.fleet.schema import Fleet

COOLANTS: tuple[Coolant, ...] = ("air", "liquid-21c", "liquid-45c")
SUPPLY_C = {"air": 30.0, "liquid-21c": 21.0, "liquid-45c": 45.0}  # warmest of a class, where nothing stands

# Rows of automatic halls: 16 places, and about what one row-size CDU carries.
USUAL_PLACES, USUAL_ROW_W = 16, 1.5e6


@dataclass(frozen=True)
class HallRows:
    """One hall: equal rows, `first_row` on. Powers are IT watts, with the site's oversubscription already in them."""

    site: str
    name: str
    coolant: Coolant
    rows: int
    places: int  # in a row
    rack_w: float
    row_w: float
    cooling_w: float  # of a row: its CDU, or its air handlers
    air_w: float  # of a row: heat of liquid-cooled machines that goes to the air
    power_w: float  # of the hall
    rack_units: int
    feeds: int  # bit mask of the site's feeds
    given: bool  # in the fleet file

    def per_rack(self, stand: Stand) -> int:
        """Systems that a rack may hold here, by power and height."""
        by_power = _whole(self.rack_w / stand.watts) if stand.watts > 0 else stand.per_rack
        by_height = self.rack_units // stand.units if stand.units else stand.per_rack
        return min(stand.per_rack, by_power, by_height)

    def heat(self, stand: Stand) -> tuple[float, float]:
        """Watts that a system leaves in the row's coolant, and in the air beside it."""
        if self.coolant == "air":
            return stand.watts, 0.0
        return (1.0 - stand.air_share) * stand.watts, stand.air_share * stand.watts


def feeds_mask(feeds: Sequence[int]) -> int:
    """Bit mask of feeds."""
    return sum(1 << feed for feed in set(feeds))


def given_halls(fleet: Fleet, site: str) -> list[HallRows]:
    """The halls that the fleet file gives a site."""
    facility = fleet.sites[site].facility
    assert facility is not None
    over = facility.power.oversubscription
    every = range(facility.power.feeds)
    return [
        HallRows(
            site=site,
            name=name,
            coolant=hall.coolant,
            rows=hall.rows,
            places=hall.racks,
            rack_w=hall.rack_power,
            row_w=over * hall.row_power,
            cooling_w=over * (hall.row_power if hall.row_cooling is None else hall.row_cooling),
            air_w=math.inf if hall.row_air is None else over * hall.row_air,
            power_w=over * (hall.rows * hall.row_power if hall.power is None else hall.power),
            rack_units=hall.rack_units,
            feeds=feeds_mask(hall.feeds or every),
            given=True,
        )
        for name, hall in facility.halls.items()
    ]


def automatic_halls(fleet: Fleet, site: str, here: Sequence[Stand]) -> list[HallRows]:
    """Halls with room for what stands at a site, one for each class of coolant; without a building, of one row each."""
    facility = fleet.sites[site].facility
    halls = []
    for coolant in COOLANTS:
        of_class = [stand for stand in here if stand.coolant == coolant]
        if not of_class:
            continue
        if facility is None:
            rows, places, row_w = 1, sum(_racks(stand) for stand in of_class), math.inf
        else:
            places = max(USUAL_PLACES, *(_least(stand) * stand.places for stand in of_class))
            row_w = max(USUAL_ROW_W, *(_least(stand) * stand.rack_watts for stand in of_class))
            rows = sum(_rows_for(stand, places, row_w) for stand in of_class)
        halls.append(
            HallRows(
                site=site,
                name=coolant,
                coolant=coolant,
                rows=rows,
                places=places,
                rack_w=math.inf,
                row_w=row_w,
                cooling_w=math.inf,
                air_w=math.inf,
                power_w=math.inf,
                rack_units=max(stand.units * stand.per_rack for stand in of_class),
                feeds=feeds_mask(range(2 if facility is None else facility.power.feeds)),
                given=False,
            )
        )
    return halls


def first_rows(halls: Sequence[HallRows]) -> npt.NDArray[np.int64]:
    """Where each hall's rows begin, and how many there are in all: i8 [halls + 1]."""
    return np.concatenate([[0], np.cumsum([hall.rows for hall in halls])]).astype(np.int64)


def _racks(stand: Stand) -> int:
    return -(-stand.systems // stand.per_rack) * stand.places


def _least(stand: Stand) -> int:
    """Racks that one row must have room for."""
    return -(-stand.together // stand.per_rack) if stand.spread.within == "row" else 1


def _rows_for(stand: Stand, places: int, row_w: float) -> int:
    """Rows that surely hold a pool alone."""
    racks = places // stand.places
    if stand.watts > 0:
        racks = min(racks, _whole(row_w / stand.rack_watts))
    systems = racks * stand.per_rack
    if stand.spread.within == "row":
        systems -= systems % stand.together
    return -(-stand.systems // systems)


def _whole(number: float) -> int:
    """The whole part, with what floating point sums may lose."""
    return int(min(1e9, number + 1e-9))
