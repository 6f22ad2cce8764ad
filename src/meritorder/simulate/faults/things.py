"""`Things`: everything of one kind and one owner that can break, and what falls with each of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from meritorder.fleet.faults import Breaks
from meritorder.simulate.faults.places import Ints, Places, vendor_of

if TYPE_CHECKING:
    from meritorder.facility.parts import Part

# What belongs to a pool, what technicians repair, and what is a part of a building.
OF_POOLS: tuple[Breaks, ...] = ("engine", "machine", "pipeline", "slow")
HARDWARE: tuple[Breaks, ...] = ("machine", "pipeline", "rack", "row", "cdu", "pump", "chiller", "tower", "slow")
OF_BUILDINGS: tuple[Breaks, ...] = ("cdu", "pump", "chiller", "tower", "feed", "grid")


@dataclass(frozen=True)
class Things:
    """Things 0 to `count` of an owner. `first`: number of thing 0 among racks, rows, parts or links of the fleet."""

    what: Breaks
    owner: str  # a pool, SITE/HALL, a site, a link or a supplier
    site: str  # where technicians would repair it; empty: nowhere
    count: int
    first: tuple[int, ...] = ()
    units: int = 1  # chips (machine), or machines (pipeline): such a thing fails so many times as often as one
    target: Literal["replicas", "part", "link"] = "replicas"

    def struck(self, places: Places, number: int) -> Ints:
        """The replicas that fall (or slow down) with thing `number`; none where a building or a link is struck."""
        if self.target != "replicas":
            return np.zeros(0, np.int64)
        if self.what == "rack":
            return places.of_rack(self.first[number])
        if self.what == "row":
            return places.of_row(self.first[number])
        if self.what == "site":
            return places.of_site(self.owner)
        if self.what == "supplier":
            made = [places.of_pool(pool) for pool in places.pools if vendor_of(places.fleet, pool) == self.owner]
            return np.concatenate(made)
        all_of = places.of_pool(self.owner)
        if self.what in ("engine", "pipeline"):
            return all_of[number : number + 1]
        machines = places.machines(self.owner)
        return all_of[machines.low[number] : machines.high[number]]

    def rollout(self, places: Places) -> list[Ints]:
        """The replicas of each machine of a supplier, machine by machine, for a release that spreads over them."""
        found = []
        for pool in places.pools:
            if vendor_of(places.fleet, pool) == self.owner:
                all_of, machines = places.of_pool(pool), places.machines(pool)
                found += [all_of[low:high] for low, high in zip(machines.low, machines.high, strict=True)]
        return found


def things(what: Breaks, places: Places, parts: Sequence[Part]) -> list[Things]:
    """All that can break in this way, by owner."""
    return list(_things(what, places, parts))


def _things(what: Breaks, places: Places, parts: Sequence[Part]) -> Iterator[Things]:
    fleet = places.fleet
    if what in OF_POOLS:
        for chips, (name, pool) in zip(places.chips, fleet.pools.items(), strict=True):
            machines = places.machines(name)
            if what in ("engine", "pipeline"):
                together = -(-chips // machines.chips) if what == "pipeline" else 1
                yield Things(what, name, pool.site, pool.replicas, units=together)
            else:
                yield Things(what, name, pool.site, len(machines.low), units=machines.chips if what == "machine" else 1)
    elif what in ("rack", "row"):
        yield from _rooms(what, places)
    elif what == "site":
        for site in fleet.sites:
            yield Things(what, site, site, 1)
    elif what == "link":
        for index, name in enumerate(fleet.links):
            yield Things(what, name, "", 1, (index,), target="link")
    elif what == "supplier":
        for vendor in dict.fromkeys(vendor_of(fleet, pool) for pool in fleet.pools):
            if vendor:
                yield Things(what, vendor, "", 1)
    else:
        yield from _parts(what, places, parts)


def _rooms(what: Literal["rack", "row"], places: Places) -> Iterator[Things]:
    """Racks and rows by hall."""
    placement = places.placement
    hall_of = placement.row_hall if what == "row" else placement.row_hall[placement.rack_row]
    for index, hall in enumerate(placement.halls):
        members = np.flatnonzero(hall_of == index)
        if len(members):
            yield Things(what, f"{hall.site}/{hall.name}", hall.site, len(members), tuple(map(int, members)))


def _parts(what: Breaks, places: Places, parts: Sequence[Part]) -> Iterator[Things]:
    """Parts of buildings: CDUs by hall (that of each row), the others by site."""
    owners: dict[str, list[int]] = {}
    site_of: dict[str, str] = {}
    for index, part in enumerate(parts):
        if part.kind != what:
            continue
        owner = part.site
        if what == "cdu":
            owner += "/" + places.placement.halls[places.placement.row_hall[part.number]].name
        owners.setdefault(owner, []).append(index)
        site_of[owner] = part.site
    for owner, found in owners.items():
        yield Things(what, owner, site_of[owner], len(found), tuple(found), target="part")
