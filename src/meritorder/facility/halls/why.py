"""Why the machines of a site find no room in its halls: which of them, by which limit, and what would help."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from meritorder.facility.halls.best import best
from meritorder.facility.halls.room import COOLANT, COOLING, DENSITY, HEIGHT, POWER, SPACE, Room
from meritorder.facility.halls.rows import HallRows
from meritorder.facility.halls.stand import Stand
from meritorder.fleet.halls import Spread
from meritorder.problems import Problem
from meritorder.units import show

# What is lifted, one at a time, to see whether it alone would do: words for the user, and the change.
_LIFTED: dict[str, dict[str, float]] = {
    "more `racks` in a row": {"places": 10**6},
    "more `power` of the hall": {"power_w": math.inf},
    "more `row_power`": {"row_w": math.inf, "power_w": math.inf},
    "more `row_cooling` or `row_air`": {"cooling_w": math.inf, "air_w": math.inf},
    "more `rack_power`": {"rack_w": math.inf},
}


def reasons(site: str, halls: Sequence[HallRows], kinds: Sequence[Stand]) -> list[Problem]:
    """Problems of the pools that can't all be placed; empty if a closer look places them."""
    never = [problem for kind in range(len(kinds)) for problem in _never(site, halls, kinds, kind)]
    if never:
        return never
    found = best(halls, kinds, all_of_them=False)
    if found.rooms is None:
        return [Problem(f"no placing was found for the machines of {site}", key=f"sites.{site}.facility.halls")]
    left = [stand.systems - sum(int(room.systems[i].sum()) for room in found.rooms) for i, stand in enumerate(kinds)]
    fix = _what_would_help(halls, kinds) if any(left) else ""
    return [
        Problem(_missing(site, found.rooms, kinds, i, count), key=f"pools.{kinds[i].pool}", fix=fix)
        for i, count in enumerate(left)
        if count
    ]


def _never(site: str, halls: Sequence[HallRows], kinds: Sequence[Stand], kind: int) -> list[Problem]:
    """The problem of machines that suit no hall at all."""
    stand, rooms = kinds[kind], [Room(hall, kinds) for hall in halls]
    causes = [room.never(kind) for room in rooms]
    if not all(causes):
        return []
    words = "; ".join(
        f"{hall.name}: {_unsuited(stand, hall, cause)}" for hall, cause in zip(halls, causes, strict=True)
    )
    what = f"its {stand.systems:,} systems of {stand.machine} can stand in no hall of {site} ({words})"
    fix = {
        COOLANT: f"add a hall with `coolant: {stand.coolant}`",
        DENSITY: f"give a hall `rack_power` of {show(stand.watts, 'W', 3)} or more",
        HEIGHT: f"give a hall `rack_units` of {stand.units} or more",
    }
    # the cause that is nearest to be mended
    nearest = next(cause for cause in (HEIGHT, DENSITY, COOLANT) if cause in causes)
    return [Problem(what, key=f"pools.{stand.pool}", fix=fix[nearest])]


def _unsuited(stand: Stand, hall: HallRows, cause: str) -> str:
    if cause == COOLANT:
        return f"cooled by {hall.coolant}, they need {stand.coolant}"
    if cause == DENSITY:
        return f"a rack may draw {show(hall.rack_w, 'W', 3)}, one system draws {show(stand.watts, 'W', 3)}"
    return f"racks of {hall.rack_units} units, a system has {stand.units}"


def _missing(site: str, rooms: Sequence[Room], kinds: Sequence[Stand], kind: int, count: int) -> str:
    stand = kinds[kind]
    racks = -(-count // stand.per_rack)
    power = show(count * stand.watts, "W", 3)
    head = f"{count:,} of its {stand.systems:,} systems of {stand.machine} ({racks:,} rack{'s' * (racks > 1)}, {power})"
    return f"{head} find{'s' * (count == 1)} no room in {site}: " + "; ".join(
        f"{room.hall.name} {_full(room, kind)}" for room in rooms
    )


def _full(room: Room, kind: int) -> str:
    """Why a hall takes no more of a kind, with numbers."""
    stand, hall = room.kinds[kind], room.hall
    never = room.never(kind)
    if never:
        return f"({_unsuited(stand, hall, never)})"
    more = room.more(kind)
    row = np.minimum.reduce(list(more.values()))
    if row.any():
        if not room.hall_more(kind):
            return f"has {show(room.watts, 'W', 3)} of the hall's {show(hall.power_w, 'W', 3)}"
        return f"has room for {int(row.sum()):,} more, but not as `spread` asks: {_asked(stand)}"
    binds = {cause: int((more[cause] == 0).sum()) for cause in (POWER, COOLING, SPACE)}
    most = max(binds, key=lambda cause: binds[cause])
    if most == SPACE:
        racks = int(room.places.sum())
        dense = hall.per_rack(stand)
        few = f", {dense} of them a rack (`rack_power` {show(hall.rack_w, 'W', 3)})" if dense < stand.per_rack else ""
        return f"has {racks:,} of {hall.rows * hall.places:,} rack places taken{few}"
    if most == POWER:
        taken, of = show(room.watts, "W", 3), show(hall.rows * hall.row_w, "W", 3)
        each = show(hall.row_w, "W", 3)
        return f"has {binds[POWER]:,} of {hall.rows:,} rows at their power of {each} ({taken} of {of} taken)"
    each = show(hall.cooling_w, "W", 3)
    air = f" and {show(hall.air_w, 'W', 3)} in its air" if math.isfinite(hall.air_w) else ""
    return f"has {binds[COOLING]:,} of {hall.rows:,} rows at their cooling of {each}{air}"


def _asked(stand: Stand) -> str:
    """What a pool's `spread` asks of its places."""
    spread, words = stand.spread, []
    if stand.together > 1 and spread.within != "site":
        words.append(f"{stand.together} systems of a replica within one {spread.within}")
    for share, where in (
        (spread.most_per_row, "in one row"),
        (spread.most_per_hall, "in one hall"),
        (spread.most_per_feed, "on one feed alone"),
    ):
        if share < 1:
            words.append(f"at most {share:.3g} of them {where}")
    return ", ".join(words)


def _what_would_help(halls: Sequence[HallRows], kinds: Sequence[Stand]) -> str:
    """The single limits that would let everything stand if they did not hold."""
    helpful = [words for words, change in _LIFTED.items() if _fits([_changed(hall, change) for hall in halls], kinds)]
    if _fits(halls, [replace(stand, spread=Spread(within="site")) for stand in kinds]):
        helpful.append("a looser `spread`")
    if helpful:
        return f"{', or '.join(helpful)} would do"
    return "no single limit is in the way; give more rows, or place fewer replicas"


def _changed(hall: HallRows, change: dict[str, float]) -> HallRows:
    if "row_w" in change and hall.cooling_w == hall.row_w:  # by default cooling goes with it
        change = change | {"cooling_w": math.inf}
    return replace(hall, **change)  # type: ignore[arg-type]


def _fits(halls: Sequence[HallRows], kinds: Sequence[Stand]) -> bool:
    rooms = best(halls, kinds, all_of_them=False).rooms or []
    return sum(int(room.systems.sum()) for room in rooms) == sum(stand.systems for stand in kinds)
