"""Placing by mixed-integer programming (HiGHS): all systems within every limit, as much power as can be left usable.

Whole numbers for each kind of machine i and row r that suit each other:

    x_ir  systems that stand there        y_ir  racks they fill, x_ir <= k y_ir
    e_ir  systems that could be added     z_ir  racks for them,  e_ir <= k z_ir

    most  sum w_i e_ir - 0.02 W
    such that
    of every row   sum p_i (y_ir + z_ir) <= places,  sum w_i (x_ir + e_ir) <= its power, and its cooling likewise,
    of every hall  sum w_i (x_ir + e_ir) <= its power,
    of every kind  sum over rows x_ir = its systems; whole replicas in a row or hall; shares as `spread` says.

W is the IT power of the site's fullest feed, where halls hang on different ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meritorder.facility.halls.first_fit import share_of
from meritorder.facility.halls.program import Program
from meritorder.facility.halls.room import Room
from meritorder.facility.halls.rows import HallRows
from meritorder.facility.halls.stand import Stand

GAP = 0.005  # of the objective: nearer to the optimum isn't looked for
NODES = 2000  # of the search tree; a limit in time would make equal inputs give different halls
SECONDS = 60.0  # the last resort

_BALANCE, _COLDER = 0.02, 0.01  # worth of a kW less on the fullest feed, and of one not in a colder loop than it needs


@dataclass(frozen=True)
class Found:
    """What the solver says. `rooms` is None where it found nothing; `none` if there surely is nothing to find."""

    rooms: list[Room] | None
    none: bool
    optimal: bool
    gap: float = 0.0


def best(
    halls: Sequence[HallRows], kinds: Sequence[Stand], all_of_them: bool = True, gap: float = GAP, nodes: int = NODES
) -> Found:
    """The best placing of all kinds into the halls of one site, as near to the optimum as `gap` says.

    Without `all_of_them`: as much power of them as finds room, whatever that leaves for others, and no gap.
    """
    program, placed, allowed = Program(), {}, {}
    rooms = [Room(hall, kinds) for hall in halls]
    for h, room in enumerate(rooms):
        for i in range(len(kinds)):
            if not room.never(i):
                placed[i, h] = _systems(program, room.hall, kinds[i])
        for i in _one_of_each(kinds):
            if (i, h) in placed and all_of_them:
                allowed[i, h] = _systems(program, room.hall, kinds[i], worth=kinds[i].watts / 1e3)
        _limit(
            program,
            room.hall,
            kinds,
            [{i: put[i, h] for i in range(len(kinds)) if (i, h) in put} for put in (placed, allowed)],
        )
    for i, stand in enumerate(kinds):
        _spread(
            program, halls, stand, {h: placed[i, h].systems for h in range(len(halls)) if (i, h) in placed}, all_of_them
        )
    if all_of_them:
        _balance(program, halls, kinds, placed)
    done = program.solve(gap if all_of_them else 0.0, nodes, SECONDS)
    if done.x is None:
        return Found(None, none=done.none, optimal=False)
    for h, room in enumerate(rooms):
        here = [
            np.rint(done.x[placed[i, h].systems]) * placed[i, h].each if (i, h) in placed else np.zeros(room.hall.rows)
            for i in range(len(kinds))
        ]
        order = np.lexsort([-column for column in reversed(here)])  # rows are equal: the fullest come first
        for i in range(len(kinds)):
            room.put(i, here[i][order].astype(np.int64))
    return Found(rooms, none=False, optimal=done.optimal, gap=done.gap)


@dataclass(frozen=True)
class _Put:
    """Columns of one kind in one hall: `each` systems a unit of `systems`, and racks, both [rows]."""

    systems: npt.NDArray[np.int64]
    each: int
    racks: npt.NDArray[np.int64]


def _systems(program: Program, hall: HallRows, stand: Stand, worth: float = 0.0) -> _Put:
    """Columns for systems of a kind in each row of a hall, and the racks that they fill."""
    k = hall.per_rack(stand)
    racks = hall.places // stand.places
    if worth:
        each, most, cost = 1, racks * k, -worth
    else:
        each = stand.together if stand.spread.within == "row" else 1
        most = min(racks * k, share_of(stand, stand.spread.most_per_row))
        cost = 0.0 if hall.coolant == stand.coolant else _COLDER * stand.watts / 1e3
    systems = program.columns(hall.rows, most // each, cost * each)
    filled = program.columns(hall.rows, racks)
    for x, y in zip(systems, filled, strict=True):
        program.row([(x, each), (y, -k)], -np.inf, 0.0)
    return _Put(systems, each, filled)


def _limit(program: Program, hall: HallRows, kinds: Sequence[Stand], puts: Sequence[dict[int, _Put]]) -> None:
    """Space, power and cooling of every row, and the hall's power."""
    every = [(kinds[i], put) for group in puts for i, put in group.items()]
    if not every:
        return
    for r in range(hall.rows):
        program.row([(put.racks[r], stand.places) for stand, put in every], -np.inf, hall.places)
        for limit, watts in zip(
            (hall.row_w, hall.cooling_w, hall.air_w),
            zip(*((stand.watts, *hall.heat(stand)) for stand, _ in every), strict=True),
            strict=True,
        ):
            if np.isfinite(limit):
                terms = [(put.systems[r], put.each * w / 1e3) for (_, put), w in zip(every, watts, strict=True)]
                program.row(terms, -np.inf, limit / 1e3)
    if hall.power_w < hall.rows * hall.row_w:
        terms = [(x, put.each * stand.watts / 1e3) for stand, put in every for x in put.systems]
        program.row(terms, -np.inf, hall.power_w / 1e3)


def _spread(
    program: Program,
    halls: Sequence[HallRows],
    stand: Stand,
    columns: dict[int, npt.NDArray[np.int64]],
    all_of_them: bool,
) -> None:
    """All systems of a kind, replicas whole in a hall, and at most its shares in a hall and on a feed."""
    spread, n = stand.spread, stand.systems
    each = stand.together if spread.within == "row" else 1
    terms = [(x, float(each)) for put in columns.values() for x in put]
    if all_of_them:
        program.row(terms, n, n)
    else:
        program.row(terms, 0, n)
        for x, _ in terms:
            program.cost[x] -= each * max(stand.watts, 1.0) / 1e3
    alone: dict[int, list[tuple[int, float]]] = {}
    for h, put in columns.items():
        terms = [(x, float(each)) for x in put]
        if spread.most_per_hall < 1:
            program.row(terms, -np.inf, share_of(stand, spread.most_per_hall))
        if spread.within == "hall" and stand.together > 1:
            replicas = program.columns(1, stand.replicas)
            program.row([*terms, (replicas[0], -stand.together)], 0.0, 0.0)
        feeds = halls[h].feeds
        if feeds & (feeds - 1) == 0:
            alone.setdefault(feeds, []).extend(terms)
    if spread.most_per_feed < 1:
        for terms in alone.values():
            program.row(terms, -np.inf, share_of(stand, spread.most_per_feed))


def _balance(
    program: Program, halls: Sequence[HallRows], kinds: Sequence[Stand], placed: dict[tuple[int, int], _Put]
) -> None:
    """Let the fullest feed carry as little as may be, where halls hang on different ones."""
    if len({hall.feeds for hall in halls}) < 2:
        return
    fullest = program.columns(1, np.inf, _BALANCE, whole=False)[0]
    for feed in range(max(hall.feeds for hall in halls).bit_length()):
        terms = [
            (x, put.each * kinds[i].watts / 1e3 / halls[h].feeds.bit_count())
            for (i, h), put in placed.items()
            if halls[h].feeds >> feed & 1
            for x in put.systems
        ]
        program.row([*terms, (fullest, -1.0)], -np.inf, 0.0)


def _one_of_each(kinds: Sequence[Stand]) -> list[int]:
    """The first of the kinds with the same machine: what could be added is counted once."""
    first: dict[tuple[str, float], int] = {}
    for i, stand in enumerate(kinds):
        if stand.watts > 0:
            first.setdefault((stand.machine, stand.watts), i)
    return list(first.values())
