"""What is said of halls, as plain data (SI units)."""

from __future__ import annotations

import math
from itertools import groupby
from typing import Any

from meritorder.facility.halls.room import Room
from meritorder.facility.halls.seats import Placement
from meritorder.facility.halls.stranded import CAUSES, Left, left_of, rooms_of


def hall_facts(placing: Placement) -> list[dict[str, Any]]:
    """Each hall: racks placed, IT nameplate of its power, what can still be used of it, what not and why; its rows.

    Halls that were made to hold the machines of a site have no power of their own, so none is left or stranded; sites
    without a building have no halls.
    """
    return [room_facts(room) for room in rooms_of(placing) if math.isfinite(room.hall.row_w)]


def room_facts(room: Room) -> dict[str, Any]:
    """What is said of one hall."""
    hall = room.hall
    racks, kinds = room.racks, room.kinds
    here = [i for i in range(len(kinds)) if room.systems[i].any()]
    facts: dict[str, Any] = {
        "site": hall.site,
        "hall": hall.name,
        "given": hall.given,
        "coolant": hall.coolant,
        "feeds": [feed for feed in range(hall.feeds.bit_length()) if hall.feeds >> feed & 1],
        "rows": hall.rows,
        "places": hall.rows * hall.places,
        "places_in_row": hall.places,
        "places_taken": int(room.places.sum()),
        "nameplate_w": room.watts,
        "pools": {
            kinds[i].pool: {
                "machine": kinds[i].machine,
                "systems": int(room.systems[i].sum()),
                "racks": int(racks[i].sum()),
                "nameplate_w": float(room.systems[i].sum() * kinds[i].watts),
            }
            for i in here
        },
    }
    if not hall.given:
        return facts | {"row_power_w": float(room.used[0].max()), "row_groups": _rows(room, None)}
    left = left_of(room)
    return facts | {
        "power_w": min(hall.power_w, hall.rows * hall.row_w),
        "row_power_w": hall.row_w,
        "rack_power_w": hall.rack_w,
        "free_w": left.free,
        "deployable_w": left.deployable,
        "deployable": left.kind.machine if left.kind else "",
        "further_systems": left.systems,
        "stranded_w": {cause: left.stranded(cause) for cause in CAUSES},
        "row_groups": _rows(room, left),
    }


def _rows(room: Room, left: Left | None) -> list[dict[str, Any]]:
    """Rows one after the other, equal neighbours told once with their `count`."""
    racks = room.racks

    def row(r: int) -> dict[str, Any]:
        return {
            "places_taken": int(room.places[r]),
            "nameplate_w": float(room.used[0, r]),
            "deployable_w": float(left.deployable_w[r]) if left else 0.0,
            "stranded_w": {c: float(watts[r]) for c, watts in left.stranded_w.items() if watts[r] >= 1} if left else {},
            "racks": [
                {
                    "pool": kind.pool,
                    "racks": int(racks[i, r]),
                    "systems": int(room.systems[i, r]),
                    "places": int(racks[i, r]) * kind.places,
                    "nameplate_w": float(room.systems[i, r] * kind.watts),
                }
                for i, kind in enumerate(room.kinds)
                if racks[i, r]
            ],
        }

    groups = groupby(row(r) for r in range(room.hall.rows))
    return [{"count": sum(1 for _ in rows)} | one for one, rows in groups]
