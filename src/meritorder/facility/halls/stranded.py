"""Power of a hall that can still be used, and power that can't, by what is in the way.

Of a hall, with what stands in it left where it is:

* free: its power less the IT nameplate of what stands there.
* deployable: the most of it that further systems of one kind can have, of the kinds that stand at the site (where
  there are none, of those of the fleet).
* stranded: the rest, by cause. For the kind that can use most, limits are lifted one after the other, and what each
  gives back is put down to it: `density` (the power of a rack), `space` (places, and height of racks), `cooling`.
  What is then still left is `power`: too little in a row or the hall for one more system. Where no kind can stand
  in the hall at all, all that is free is put down to why: `coolant`, `density` or `space`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from meritorder.facility.halls.room import COOLANT, COOLING, DENSITY, HEIGHT, POWER, SPACE, Room
from meritorder.facility.halls.seats import Placement
from meritorder.facility.halls.stand import Stand

CAUSES = (POWER, COOLING, DENSITY, SPACE, COOLANT)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Left:
    """What is left of one hall. Watts of IT nameplate; per row [rows], and in all."""

    room: Room
    kind: Stand | None  # of which most can be added
    free_w: Floats
    deployable_w: Floats
    stranded_w: dict[str, Floats]  # by cause
    systems: dict[str, int]  # machine -> systems of it that could be added, it alone

    @property
    def deployable(self) -> float:
        """Watts in all."""
        return float(self.deployable_w.sum())

    @property
    def free(self) -> float:
        """Watts in all."""
        return float(self.free_w.sum())

    def stranded(self, cause: str) -> float:
        """Watts in all, by one cause."""
        return float(self.stranded_w[cause].sum())


def left(placing: Placement) -> list[Left]:
    """What is left of each hall that the fleet file gives, in order."""
    rooms = rooms_of(placing)
    return [left_of(room) for room in rooms if room.hall.given]


def rooms_of(placing: Placement) -> list[Room]:
    """The halls with what stands in them, the kinds being those of the whole site; where it has none, the fleet's."""
    found, start = [], 0
    for hall in placing.halls:
        kinds = [stand for stand in placing.stands if stand.site == hall.site] or list(placing.stands)
        room = Room(hall, kinds)
        for i, stand in enumerate(kinds):
            room.put(i, placing.counts[stand.index, start : start + hall.rows])
        found.append(room)
        start += hall.rows
    return found


def left_of(room: Room) -> Left:
    """What is left of one hall."""
    hall = room.hall
    in_hall = max(0.0, hall.power_w - room.watts)
    in_rows = np.maximum(0.0, hall.row_w - room.used[0])
    kinds = [i for i, stand in enumerate(room.kinds) if stand.watts > 0]
    can = [i for i in kinds if not room.never(i)]
    stranded = {cause: np.zeros(hall.rows) for cause in CAUSES}
    if not can:
        reasons = {room.never(i) for i in kinds} or {COOLANT}
        cause = next(c for c in (HEIGHT, DENSITY, COOLANT) if c in reasons)
        free = _within(in_rows, in_hall)
        stranded[SPACE if cause == HEIGHT else cause] = free
        return Left(room, None, free, np.zeros(hall.rows), stranded, {})
    steps = {i: _steps(room, i) for i in can}
    watts = {i: steps[i][0].sum() * room.kinds[i].watts for i in can}
    kind = max(can, key=lambda i: (watts[i], steps[i][-1].sum() * room.kinds[i].watts, -i))
    each, (now, dense, roomy, cool) = room.kinds[kind].watts, steps[kind]
    stranded[DENSITY], stranded[SPACE] = (dense - now) * each, (roomy - dense) * each
    stranded[COOLING] = (cool - roomy) * each
    # a hall may feed less than its rows could carry
    stranded[POWER] = _within(np.maximum(0.0, in_rows - cool * each), in_hall - float(cool.sum()) * each)
    free = cool * each + stranded[POWER]
    systems = {room.kinds[i].machine: int(steps[i][0].sum()) for i in reversed(can)}
    return Left(room, room.kinds[kind], free, now * each, stranded, dict(reversed(systems.items())))


def _steps(room: Room, kind: int) -> list[Floats]:
    """Further systems of a kind in each row as things are, and with density, space, and cooling lifted in turn."""
    stand, hall = room.kinds[kind], room.hall
    by_limit = room.more(kind)
    power, cooling = by_limit[POWER], by_limit[COOLING]
    dense = _denser(room, kind) if hall.per_rack(stand) < stand.per_rack else by_limit[SPACE]
    rows = (
        np.minimum.reduce([power, cooling, by_limit[SPACE]]),
        np.minimum.reduce([power, cooling, dense]),
        np.minimum(power, cooling),
        power,
    )
    most = room.hall_more(kind)
    found: list[Floats] = []
    for row in rows:
        # a lifted limit takes nothing away, and what the hall can't feed is nobody's
        before = found[-1] if found else np.zeros(hall.rows)
        found.append(before + _within(np.maximum(0.0, row - before), most - float(before.sum())))
    return found


def _denser(room: Room, kind: int) -> npt.NDArray[np.int64]:
    """Space for further systems of a kind if racks might draw any power."""
    freed = Room(replace(room.hall, rack_w=np.inf), room.kinds)
    for i in range(len(room.kinds)):
        freed.put(i, room.systems[i])
    return freed.more(kind)[SPACE]


def _within(rows: npt.NDArray[np.generic], most: float) -> Floats:
    """As much in the first rows as there is, `most` in all."""
    values = np.asarray(rows, np.float64)
    return np.asarray(np.clip(most - (np.cumsum(values) - values), 0.0, values))
