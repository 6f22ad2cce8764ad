"""`Placement`: in which rows and racks the machines of every replica stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from meritorder.facility.halls.place import place
from meritorder.facility.halls.room import Room
from meritorder.facility.halls.rows import COOLANTS, SUPPLY_C, HallRows, first_rows
from meritorder.facility.halls.stand import Stand, stands
from meritorder.facility.state import SEAT
from meritorder.fleet.schema import Fleet
from meritorder.perf.replica import Replica
from meritorder.problems import InputError, Problem
from meritorder.records import Records, records

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Placement:
    """Where everything stands. Sites, halls, rows, racks, systems and replicas are counted over the whole fleet.

    A system is what fails as one: a node, a wafer system, a whole NVL72 rack (or the half of one that fills two).
    """

    halls: tuple[HallRows, ...]
    stands: tuple[Stand, ...]  # one a pool
    notes: tuple[str, ...]  # where the placing may not be the best
    counts: npt.NDArray[np.int64]  # systems [pools, rows]
    row_site: Ints
    row_hall: Ints
    row_coolant: Ints  # index into COOLANTS
    row_feeds: npt.NDArray[np.uint32]  # bit mask of the site's feeds
    row_limit_w: Floats  # IT watts of the row's busway, oversubscription left out; of automatic halls what stands there
    row_nameplate_w: Floats  # IT watts of what stands there at its most
    row_limit_c: Floats  # warmest supply that all of its machines take
    row_air_share: Floats  # of its heat
    rack_row: Ints
    rack_pool: Ints
    system_rack: Ints
    replica_system_of: npt.NDArray[np.int64]  # [replicas + 1]
    replica_systems: Ints  # of replica r: [replica_system_of[r] : replica_system_of[r + 1]]
    seat_of: npt.NDArray[np.int64]  # [replicas + 1]
    seats: Records  # SEAT: rows of replica r and their shares of its power: [seat_of[r] : seat_of[r + 1]]

    @property
    def rows(self) -> int:
        """Rows of all halls."""
        return len(self.row_site)

    @property
    def system_row(self) -> Ints:
        """The row that each system stands in."""
        return np.asarray(self.rack_row[self.system_rack])

    def racks_of(self, replica: int) -> Ints:
        """The racks of one replica, without repeats."""
        start, end = self.replica_system_of[replica : replica + 2]
        return np.unique(self.system_rack[self.replica_systems[start:end]])


def placement(fleet: Fleet, replicas: Mapping[str, Replica]) -> Placement:
    """Place every machine of the fleet. Raises InputError that says which racks find no room, where and why.

    Sites without halls get rows that just hold their machines.
    """
    every = stands(fleet, replicas)
    rooms: list[Room] = []
    notes: list[str] = []
    problems: list[Problem] = []
    for site in fleet.sites:
        try:
            found, note = place(fleet, site, [stand for stand in every if stand.site == site])
        except InputError as error:
            problems += error.problems
        else:
            rooms += found
            notes += [note] if note else []
    if problems:
        raise InputError(problems)
    return _seated(fleet, every, rooms, notes)


def _seated(fleet: Fleet, every: Sequence[Stand], rooms: Sequence[Room], notes: Sequence[str]) -> Placement:
    halls = tuple(room.hall for room in rooms)
    starts = first_rows(halls)
    rows = int(starts[-1])
    counts = np.zeros((len(every), rows), np.int64)
    racks = np.zeros((len(every), rows), np.int64)
    for start, room in zip(starts, rooms, strict=False):
        indices = [stand.index for stand in room.kinds]
        counts[indices, start : start + room.hall.rows] = room.systems
        racks[indices, start : start + room.hall.rows] = room.racks
    watts = np.array([stand.watts for stand in every], np.float64)
    nameplate: Floats = np.asarray(watts @ counts, np.float64)
    air: Floats = np.asarray((watts * [stand.air_share for stand in every]) @ counts, np.float64)
    sites = list(fleet.sites)
    of_hall = np.repeat(np.arange(len(halls), dtype=np.int32), [hall.rows for hall in halls])
    coolant = np.array([COOLANTS.index(hall.coolant) for hall in halls], np.int32)
    rack_pool, rack_row = (array.astype(np.int32) for array in _expanded(racks))
    _, system_row = _expanded(counts)
    return Placement(
        halls=halls,
        stands=tuple(every),
        notes=tuple(notes),
        counts=counts,
        row_site=np.array([sites.index(hall.site) for hall in halls], np.int32)[of_hall],
        row_hall=of_hall,
        row_coolant=coolant[of_hall],
        row_feeds=np.array([hall.feeds for hall in halls], np.uint32)[of_hall],
        row_limit_w=_limits(fleet, halls, of_hall, nameplate),
        row_nameplate_w=nameplate,
        row_limit_c=_supply(every, counts, coolant[of_hall]),
        row_air_share=np.where(
            coolant[of_hall] == 0, 1.0, np.divide(air, nameplate, out=np.zeros(rows), where=nameplate > 0)
        ),
        rack_row=rack_row,
        rack_pool=rack_pool,
        system_rack=_racks_of_systems(counts, racks, every, halls, of_hall),
        **_of_replicas(every, system_row)._asdict(),
    )


def _expanded(numbers: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Pool and row of each single thing, from numbers [pools, rows]: all of a pool one behind the other."""
    pool, row = np.divmod(np.repeat(np.arange(numbers.size), numbers.ravel()), numbers.shape[1])
    return pool, row


def _limits(fleet: Fleet, halls: Sequence[HallRows], of_hall: Ints, nameplate: Floats) -> Floats:
    """Watts of each row's busway; one that was made for what stands in it carries just that."""
    facilities = [fleet.sites[hall.site].facility for hall in halls]
    over = np.array([1.0 if facility is None else facility.power.oversubscription for facility in facilities])
    known = np.array([facility is not None for facility in facilities])
    given = np.array([hall.given for hall in halls])
    row_w = np.array([hall.row_w for hall in halls])
    result = np.where(given[of_hall], row_w[of_hall], nameplate) / over[of_hall]
    return np.asarray(np.where(known[of_hall], result, np.inf))


def _supply(every: Sequence[Stand], counts: npt.NDArray[np.int64], coolant: Ints) -> Floats:
    takes = np.where(counts > 0, np.array([stand.supply_c for stand in every])[:, None], np.inf)
    usual = np.array([SUPPLY_C[name] for name in COOLANTS])[coolant]
    return np.asarray(np.where(counts.any(axis=0), takes.min(axis=0), usual))


def _racks_of_systems(
    counts: npt.NDArray[np.int64],
    racks: npt.NDArray[np.int64],
    every: Sequence[Stand],
    halls: Sequence[HallRows],
    of_hall: Ints,
) -> Ints:
    """The rack of each system: those of a pool in a row fill one rack after the other."""
    per_rack = np.array([[max(1, hall.per_rack(stand)) for hall in halls] for stand in every])[:, of_hall]
    cell = np.repeat(np.arange(counts.size), counts.ravel())
    within = np.arange(len(cell)) - (np.cumsum(counts.ravel()) - counts.ravel())[cell]
    first = np.cumsum(racks.ravel()) - racks.ravel()
    return np.asarray(first[cell] + within // per_rack.ravel()[cell], np.int32)


class _OfReplicas(NamedTuple):
    replica_system_of: npt.NDArray[np.int64]
    replica_systems: Ints
    seat_of: npt.NDArray[np.int64]
    seats: Records


def _of_replicas(every: Sequence[Stand], system_row: npt.NDArray[np.int64]) -> _OfReplicas:
    """Systems and seats of every replica: those of a pool take its systems in order, which is that of the rows."""
    lengths, systems, first = [], [], 0
    for stand in every:
        count = stand.replicas * stand.together
        lengths.append(np.full(stand.replicas, stand.together))
        numbers = np.arange(stand.replicas) // stand.shared if stand.together == 1 else np.arange(count)
        systems.append(first + numbers)
        first += stand.systems
    length, system = np.concatenate(lengths), np.concatenate(systems)
    replica = np.repeat(np.arange(len(length)), length)
    row = system_row[system]
    # a new seat begins where the replica or the row changes
    begins = np.ones(len(system), bool)
    begins[1:] = (replica[1:] != replica[:-1]) | (row[1:] != row[:-1])
    at = np.flatnonzero(begins)
    seats = records(len(at), SEAT)
    seats.row[:] = row[at]
    seats.share[:] = np.diff(np.append(at, len(system))) / length[replica[at]]
    seat_of = np.concatenate([[0], np.cumsum(np.bincount(replica[at], minlength=len(length)))])
    system_of = np.concatenate([[0], np.cumsum(length)])
    return _OfReplicas(system_of.astype(np.int64), system.astype(np.int32), seat_of.astype(np.int64), seats)
