"""Placing the machines of one site: into its halls as well as can be, or into rows made for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from meritorder.facility.halls.best import best
from meritorder.facility.halls.first_fit import first_fit
from meritorder.facility.halls.room import Room
from meritorder.facility.halls.rows import automatic_halls, given_halls
from meritorder.facility.halls.stand import Stand
from meritorder.facility.halls.why import reasons
from meritorder.fleet.schema import Fleet
from meritorder.problems import InputError, Problem

_TOLD = 0.01  # of the power in use or usable: what is nearer to the best needs no word


def place(fleet: Fleet, site: str, here: Sequence[Stand]) -> tuple[list[Room], str]:
    """Where the machines of `site` stand, and a note where that may not be the best. Raises InputError with reasons."""
    facility = fleet.sites[site].facility
    if facility is None or not facility.halls:
        return _made_for(fleet, site, here), ""
    halls = given_halls(fleet, site)
    if not here:
        return [Room(hall, here) for hall in halls], ""
    found = best(halls, here)
    if found.rooms is not None:
        told = (
            f"halls of {site}: another placing might leave {found.gap:.1%} more power usable, the search was cut short"
        )
        return found.rooms, told if found.gap > _TOLD else ""
    if not found.none:
        rooms, left = first_fit(halls, here)
        if not any(left):
            return rooms, f"halls of {site}: placed by first fit, the search for the best was cut short"
    raise InputError(reasons(site, halls, here))


def _made_for(fleet: Fleet, site: str, here: Sequence[Stand]) -> list[Room]:
    """Rows that just hold the machines of a site."""
    apart = [
        Problem(
            "asks for a share per row, hall or feed, but its site has no halls",
            key=f"pools.{stand.pool}.spread",
            fix=f"give `sites.{site}.facility.halls`, or drop it",
        )
        for stand in here
        if min(stand.spread.most_per_row, stand.spread.most_per_hall, stand.spread.most_per_feed) < 1
    ]
    if apart:
        raise InputError(apart)
    rooms, left = first_fit(automatic_halls(fleet, site, here), here)
    assert not any(left), "rows that are made for machines hold them"
    return [_trimmed(room) for room in rooms]


def _trimmed(room: Room) -> Room:
    """The same without the rows at its end in which nothing stands."""
    used = np.flatnonzero(room.systems.sum(axis=0))
    rows = int(used[-1]) + 1 if len(used) else 1
    smaller = Room(replace(room.hall, rows=rows), room.kinds)
    for kind in range(len(room.kinds)):
        smaller.put(kind, room.systems[kind, :rows])
    return smaller
