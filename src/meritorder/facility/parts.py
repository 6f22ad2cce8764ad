"""What can break in a building, numbered; and how a break shows in the state."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from meritorder.compiled import compiled, inlined
from meritorder.facility.halls.seats import Placement
from meritorder.facility.plant import AIR
from meritorder.facility.sizes import modules_installed
from meritorder.facility.state import PART, FacilityState
from meritorder.fleet.schema import Fleet
from meritorder.records import Records, records

COOLING_KEYS = ("air", "liquid_21c", "liquid_45c")  # of `facility.cooling` in the fleet file, as COOLANTS
KINDS = ("grid", "feed", "ups", "cdu", "pump", "chiller", "tower")
(GRID, FEED, UPS, CDU, PUMP, CHILLER, TOWER) = range(len(KINDS))


class Part(NamedTuple):
    """One thing that can break; its number is its index in `parts_of`."""

    kind: str  # of KINDS
    site: str
    number: int  # of its kind and site: feed, row over the whole fleet (cdu), unit over all plants of the site
    plant: str = ""  # of pumps, chillers and towers: key of `cooling`


def plants_of(fleet: Fleet, placement: Placement) -> list[tuple[int, int]]:
    """Site and coolant of every plant, in order: each building has one for air, and those that its rows want."""
    result = []
    for site, entry in enumerate(fleet.sites.values()):
        if entry.facility is not None:
            wanted = {AIR, *placement.row_coolant[placement.row_site == site].tolist()}
            result += [(site, coolant) for coolant in sorted(wanted)]
    return result


def parts_of(fleet: Fleet, placement: Placement) -> tuple[Part, ...]:
    """All parts of all buildings; of sites without `facility` there are none."""
    result = []
    plants = plants_of(fleet, placement)
    for index, (site, entry) in enumerate(fleet.sites.items()):
        if entry.facility is None:
            continue
        power = entry.facility.power
        result.append(Part("grid", site, 0))
        result += [Part("feed", site, k) for k in range(power.feeds)]
        here = placement.row_site == index
        installed = modules_installed(power, float(placement.row_nameplate_w[here].sum()))
        result += [Part("ups", site, k) for k in range(installed)]
        result += [Part("cdu", site, int(row)) for row in np.flatnonzero(here)]
        for kind in ("pump", "chiller", "tower"):
            number = 0
            for coolant in (coolant for at, coolant in plants if at == index):
                plant = getattr(entry.facility.cooling, COOLING_KEYS[coolant])
                if kind == "chiller" and plant.chillers == "none":
                    continue
                for _ in range(plant.units + plant.spare_units):
                    result.append(Part(kind, site, number, COOLING_KEYS[coolant]))
                    number += 1
    return tuple(result)


def part_records(fleet: Fleet, placement: Placement) -> Records:
    """The same as PART records, in the same order."""
    parts = parts_of(fleet, placement)
    plants = plants_of(fleet, placement)
    sites = list(fleet.sites)
    result = records(len(parts), PART)
    result.left[:] = 1.0
    for entry, part in zip(result, parts, strict=True):
        entry.kind, entry.site, entry.target = KINDS.index(part.kind), sites.index(part.site), part.number
        if part.plant:
            entry.target = plants.index((entry.site, COOLING_KEYS.index(part.plant)))
    return result


@inlined
def move_module(facility: FacilityState, site: int, sign: int) -> None:
    """A UPS module goes or comes back, with its share of the charge."""
    train = facility.trains[site]
    if sign < 0:
        moved = train.battery_now_j / max(1, train.modules_up)
    else:
        moved = -train.battery_out_j / max(1, train.modules - train.modules_up)
    train.battery_now_j -= moved
    train.battery_out_j += moved
    train.modules_up += sign


@compiled
def count_feeds(facility: FacilityState, site: int) -> None:
    """How many feeds' worth of power comes in at a site."""
    facility.trains[site].feeds_left = 0.0
    for k in range(len(facility.parts)):
        p = facility.parts[k]
        if p.kind == FEED and p.site == site and p.down == 0:
            facility.trains[site].feeds_left += p.left


@compiled
def dim_feed(facility: FacilityState, part: int, left: float) -> None:
    """A feed carries only the part `left` of what it did; with the inverse as `left` that is over again."""
    p = facility.parts[part]
    p.left *= left
    count_feeds(facility, p.site)


@compiled
def set_part(facility: FacilityState, part: int, up: int) -> None:
    """A part breaks (`up` 0) or is repaired (1); it is up when it was repaired as often as it broke."""
    p = facility.parts[part]
    before = p.down
    p.down += 1 if up == 0 else -1
    if before > 0 and p.down > 0:
        return
    sign = -1 if up == 0 else 1
    if p.kind == GRID:
        facility.trains[p.site].grid_up = up
    elif p.kind == FEED:
        facility.trains[p.site].feeds_up ^= np.uint32(1) << np.uint32(p.target)
        count_feeds(facility, p.site)
    elif p.kind == UPS:
        move_module(facility, p.site, sign)
    elif p.kind == CDU:
        facility.rows[p.target].flow = float(up)
    elif p.kind == PUMP:
        facility.plants[p.target].pumps_up += sign
    elif p.kind == CHILLER:
        if facility.plants[p.target].chillers > 0:  # it has some, in this climate
            facility.plants[p.target].chillers_up += sign
    elif p.kind == TOWER:
        facility.plants[p.target].towers_up += sign
