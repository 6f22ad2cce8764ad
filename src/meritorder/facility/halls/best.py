"""Placing by mixed-integer programming (HiGHS): all systems within every limit, as much power as can be left usable.

Whole numbers for each kind of machine i and row r that suit each other:

    x_ir  systems that stand there        y_ir  racks they fill, x_ir <= k y_ir
    e_ir  systems that could be added     z_ir  racks for them,  e_ir <= k z_ir

    most  sum w_i (x_ir + e_ir) - 0.02 W
    such that
    of every row   sum p_i (y_ir + z_ir) <= places,  sum w_i (x_ir + e_ir) <= its power, and its cooling likewise,
    of every hall  sum w_i (x_ir + e_ir) <= its power,
    of every kind  sum over rows x_ir = its systems; whole replicas in a row or hall; shares as `spread` says.

W is the IT power of the site's fullest feed, where halls hang on different ones. The rows of a hall are equal. Of large
sites the rows of a hall are first put into groups (half of them, half of the rest, ..., single ones) that are filled
alike: far fewer numbers, hardly less room. The bound is that of the program without whole numbers, which groups don't
change. Only where groups find nothing is every row looked at by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meritorder.facility.halls.first_fit import share_of
from meritorder.facility.halls.program import Program, Solved
from meritorder.facility.halls.room import Room
from meritorder.facility.halls.rows import HallRows
from meritorder.facility.halls.stand import Stand

GAP = 0.001  # of the power that the halls can put to use: nearer to the most isn't looked for
NODES = 2000  # of the search tree; a limit in time alone would make equal inputs give different halls
SECONDS = 60.0  # the last resort
SMALL = 300  # rows times kinds, up to which every row is looked at by itself

_BALANCE, _COLDER = 0.02, 0.01  # worth of a kW less on the fullest feed, and of one not in a colder loop than it needs
_SINGLE = 5  # rows of a hall that are never in groups

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Found:
    """What the solver says. `rooms` is None where it found nothing; `none` if there surely is nothing to find."""

    rooms: list[Room] | None
    none: bool
    gap: float = 0.0  # power that a better placing might put to use at most, of what this one does


def best(halls: Sequence[HallRows], kinds: Sequence[Stand], all_of_them: bool = True, gap: float = GAP) -> Found:
    """The best placing of all kinds into the halls of one site, as near to the optimum as `gap` says.

    Without `all_of_them`: as much power of them as finds room, whatever that leaves for others, and no gap.
    """
    gap = gap if all_of_them else 0.0
    if sum(hall.rows for hall in halls) * len(kinds) > SMALL:
        found = _solved(halls, kinds, all_of_them, gap, [_groups(hall.rows) for hall in halls])
        if found.rooms is not None:
            return found
    return _solved(halls, kinds, all_of_them, gap, [np.ones(hall.rows, np.int64) for hall in halls])


def _groups(rows: int) -> Ints:
    """Sizes of groups of equal rows: half of them, half of the rest and so on, the last ones single."""
    sizes = []
    while rows > _SINGLE:
        sizes.append(rows // 2)
        rows -= rows // 2
    return np.array(sizes + [1] * rows)


@dataclass(frozen=True)
class _Put:
    """Columns of one kind in one hall: `each` systems a unit of `systems`, and racks, of a row of each group."""

    systems: Ints
    racks: Ints
    each: int
    sizes: Ints  # rows of each group

    def all_rows(self, of_one: float = 1.0) -> list[tuple[int, float]]:
        """Terms of what all systems are together, `of_one` a system."""
        return [(x, of_one * self.each * size) for x, size in zip(self.systems, self.sizes, strict=True)]


def _solved(
    halls: Sequence[HallRows], kinds: Sequence[Stand], all_of_them: bool, gap: float, groups: Sequence[Ints]
) -> Found:
    program = Program()
    rooms = [Room(hall, kinds) for hall in halls]
    placed: dict[tuple[int, int], _Put] = {}
    for h, room in enumerate(rooms):
        can = [i for i in range(len(kinds)) if not room.never(i)]
        here = {i: _systems(program, room.hall, kinds[i], groups[h], added=False) for i in can}
        placed |= {(i, h): put for i, put in here.items()}
        every = [(kinds[i], put) for i, put in here.items()]
        if all_of_them:
            further = [kinds[i] for i in _one_of_each(kinds) if i in can]
            every += [(stand, _systems(program, room.hall, stand, groups[h], added=True)) for stand in further]
        _limit(program, room.hall, every)
    for i, stand in enumerate(kinds):
        puts = {h: placed[i, h] for h in range(len(halls)) if (i, h) in placed}
        program.row(_joined(puts.values()), stand.systems if all_of_them else 0, stand.systems)
        _spread(program, halls, stand, puts)
    if all_of_them:
        _balance(program, halls, kinds, placed)
    done = program.solve(gap, NODES, SECONDS)
    if done.x is None:
        return Found(None, none=done.none and (max(map(max, groups)) == 1 or program.relaxed().none))
    for h, room in enumerate(rooms):
        _fill(room, done.x, {i: placed[i, h] for i in range(len(kinds)) if (i, h) in placed})
    return Found(rooms, none=False, gap=_distance(program, done, groups))


def _distance(program: Program, done: Solved, groups: Sequence[Ints]) -> float:
    """How far a placing is from the best at most: groups are bounded by the program without whole numbers."""
    bound = done.bound if max(map(max, groups)) == 1 else program.relaxed().cost
    return max(0.0, done.cost - bound) / max(1.0, -done.cost)


def _fill(room: Room, x: npt.NDArray[np.float64], puts: dict[int, _Put]) -> None:
    """Let stand what was found; rows are equal, so the fullest come first."""
    here = np.zeros((len(room.kinds), room.hall.rows), np.int64)
    for i, put in puts.items():
        here[i] = np.repeat(np.rint(x[put.systems]).astype(np.int64) * put.each, put.sizes)
    order = np.lexsort(-here[::-1])
    for i in range(len(room.kinds)):
        room.put(i, here[i][order])


def _systems(program: Program, hall: HallRows, stand: Stand, sizes: Ints, added: bool) -> _Put:
    """Columns for systems of a kind in a row of each group, and the racks that they fill."""
    k, racks = hall.per_rack(stand), hall.places // stand.places
    each, most, worth = 1, racks * k, stand.watts / 1e3
    if not added:
        each = stand.together if stand.spread.within == "row" else 1
        most = min(most, share_of(stand, stand.spread.most_per_row))
        worth = max(worth, 1e-3) * (1.0 if hall.coolant == stand.coolant else 1.0 - _COLDER)
    put = _Put(program.columns(len(sizes), most // each), program.columns(len(sizes), racks), each, sizes)
    for x, y in zip(put.systems, put.racks, strict=True):
        program.row([(x, each), (y, -k)], -np.inf, 0.0)
    program.worth(put.all_rows(worth))
    return put


def _limit(program: Program, hall: HallRows, every: Sequence[tuple[Stand, _Put]]) -> None:
    """Space, power and cooling of a row of each group, and the hall's power."""
    if not every:
        return
    of_row = [(stand.watts, *hall.heat(stand)) for stand, _ in every]
    for g in range(len(every[0][1].sizes)):
        program.row([(put.racks[g], stand.places) for stand, put in every], -np.inf, hall.places)
        for limit, watts in zip((hall.row_w, hall.cooling_w, hall.air_w), zip(*of_row, strict=True), strict=True):
            if np.isfinite(limit):
                terms = [(put.systems[g], put.each * w / 1e3) for (_, put), w in zip(every, watts, strict=True)]
                program.row(terms, -np.inf, limit / 1e3)
    if hall.power_w < hall.rows * hall.row_w:
        terms = [term for stand, put in every for term in put.all_rows(stand.watts / 1e3)]
        program.row(terms, -np.inf, hall.power_w / 1e3)


def _spread(program: Program, halls: Sequence[HallRows], stand: Stand, puts: dict[int, _Put]) -> None:
    """Replicas whole in a hall, and at most their shares in a hall and on a feed."""
    spread = stand.spread
    alone: dict[int, list[_Put]] = {}
    for h, put in puts.items():
        if spread.most_per_hall < 1:
            program.row(put.all_rows(), -np.inf, share_of(stand, spread.most_per_hall))
        if spread.within == "hall" and stand.together > 1:
            replicas = program.columns(1, stand.replicas)
            program.row([*put.all_rows(), (replicas[0], -stand.together)], 0.0, 0.0)
        feeds = halls[h].feeds
        if feeds & (feeds - 1) == 0:
            alone.setdefault(feeds, []).append(put)
    if spread.most_per_feed < 1:
        for on_feed in alone.values():
            program.row(_joined(on_feed), -np.inf, share_of(stand, spread.most_per_feed))


def _balance(
    program: Program, halls: Sequence[HallRows], kinds: Sequence[Stand], placed: dict[tuple[int, int], _Put]
) -> None:
    """Let the fullest feed carry as little as may be, where halls hang on different ones."""
    if len({hall.feeds for hall in halls}) < 2:
        return
    fullest = program.columns(1, np.inf, whole=False)[0]
    program.worth([(fullest, -_BALANCE)])
    for feed in range(max(hall.feeds for hall in halls).bit_length()):
        on_feed = [(i, h) for i, h in placed if halls[h].feeds >> feed & 1]
        terms = [
            term
            for i, h in on_feed
            for term in placed[i, h].all_rows(kinds[i].watts / 1e3 / halls[h].feeds.bit_count())
        ]
        program.row([*terms, (fullest, -1.0)], -np.inf, 0.0)


def _joined(puts: Iterable[_Put]) -> list[tuple[int, float]]:
    return [term for put in puts for term in put.all_rows()]


def _one_of_each(kinds: Sequence[Stand]) -> list[int]:
    """The first of the kinds with the same machine: what could be added is counted once."""
    first: dict[tuple[str, float], int] = {}
    for i, stand in enumerate(kinds):
        if stand.watts > 0:
            first.setdefault((stand.machine, stand.watts), i)
    return list(first.values())
