"""What can break in a building, numbered; and how a break shows in the state."""

from __future__ import annotations

from typing import NamedTuple

from meritorder.compiled import compiled
from meritorder.facility.placement import Placement
from meritorder.facility.plant import AIR, COOLANTS
from meritorder.facility.state import PART, FacilityState
from meritorder.facility.train import modules_installed
from meritorder.fleet.schema import Fleet
from meritorder.records import Records, records

KINDS = ("grid", "feed", "ups", "cdu", "pump", "chiller", "tower")
(GRID, FEED, UPS, CDU, PUMP, CHILLER, TOWER) = range(len(KINDS))


class Part(NamedTuple):
    """One thing that can break; its number is its index in `parts_of`."""

    kind: str  # of KINDS
    site: str
    number: int  # of its kind and site: feed, row over the whole fleet (cdu), unit over all plants of the site
    plant: str = ""  # of pumps, chillers and towers: key of `cooling`


def plants_of(fleet: Fleet, placement: Placement) -> list[tuple[int, int]]:
    """(site, coolant) of every plant: each building's air plant, then those that its rows want."""
    result = []
    for site, entry in enumerate(fleet.sites.values()):
        if entry.facility is not None:
            wanted = {AIR} | {row.coolant for row in placement.rows if row.site == site}
            result += [(site, coolant) for coolant in sorted(wanted)]
    return result
