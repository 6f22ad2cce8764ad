"""`Places`: which replicas stand on which machine, and in which rack, row and site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meritorder.facility.halls.seats import Placement
from meritorder.fleet.schema import Fleet
from meritorder.perf.replica import Replica

Ints = npt.NDArray[np.int64]

# Rack-scale systems fail by the tray (NVL72: 18 trays of 4 chips; TPU hosts likewise), nodes as a whole.
_NODE_CHIPS = 16
_TRAY_CHIPS = 4


@dataclass(frozen=True)
class Machines:
    """The machines of one pool: nodes, wafer systems, or trays of a rack-scale system.

    Machine m carries parts of the replicas `low[m]` to `high[m]` (the first not) of the pool; both grow with m.
    """

    chips: int  # of one machine
    system: Ints  # of the placement, that it belongs to
    low: Ints
    high: Ints


class Places:
    """Replicas, racks and rows are counted over the whole fleet, machines within their pool."""

    def __init__(self, fleet: Fleet, replicas: Sequence[Replica], placement: Placement) -> None:
        self.fleet = fleet
        self.placement = placement
        self.pools = list(fleet.pools)
        self.chips = [replica.accelerators for replica in replicas]
        counts = [pool.replicas for pool in fleet.pools.values()]
        self.first = np.concatenate([[0], np.cumsum(counts)])  # replica of each pool
        system_row = placement.rack_row[placement.system_rack]
        lengths = np.diff(placement.replica_system_of)
        self._all = np.arange(len(lengths))
        replica = np.repeat(self._all, lengths)
        system = placement.replica_systems
        self._of_rack = _grouped(placement.system_rack[system], replica, len(placement.rack_row))
        self._of_row = _grouped(system_row[system], replica, len(placement.row_site))
        self._machines: dict[str, Machines] = {}
        self._systems = np.concatenate([[0], np.cumsum([stand.systems for stand in placement.stands])])

    def machines(self, pool: str) -> Machines:
        """The machines of a pool."""
        if pool not in self._machines:
            self._machines[pool] = self._machines_of(pool)
        return self._machines[pool]

    def _machines_of(self, pool: str) -> Machines:
        index = self.pools.index(pool)
        stand, chips = self.placement.stands[index], self.chips[index]
        whole = _chips_of_system(self.fleet, pool, chips)
        of_one = whole if whole <= _NODE_CHIPS else _TRAY_CHIPS
        trays = -(-whole // of_one)
        # only systems that replicas stand on: there may be more for rounding
        used = stand.replicas * stand.together if stand.together > 1 else -(-stand.replicas // stand.shared)
        system, tray = np.divmod(np.arange(used * trays), trays)
        start = tray * of_one
        stop = np.minimum(start + of_one, whole)
        if stand.together > 1:
            low = system // stand.together
            busy = (system % stand.together) * whole + start < chips
            high = np.where(busy, low + 1, low)
        else:
            low = system * stand.shared + np.minimum(start // chips, stand.shared)
            high = system * stand.shared + np.minimum(-(-stop // chips), stand.shared)
            low, high = np.minimum(low, stand.replicas), np.minimum(high, stand.replicas)
        there = high > low
        return Machines(of_one, (system + self._systems[index])[there], low[there], high[there])

    def of_pool(self, pool: str) -> Ints:
        """All replicas of a pool."""
        index = self.pools.index(pool)
        return self._all[self.first[index] : self.first[index + 1]]

    def of_rack(self, rack: int) -> Ints:
        """The replicas with a part in a rack."""
        return _of(self._of_rack, rack)

    def of_row(self, row: int) -> Ints:
        """The replicas with a part in a row."""
        return _of(self._of_row, row)

    def of_site(self, site: str) -> Ints:
        """All replicas of a site."""
        here = [self.of_pool(name) for name, pool in self.fleet.pools.items() if pool.site == site]
        return np.concatenate([np.zeros(0, np.int64), *here])

    def pools_of(self, replicas: Ints) -> Ints:
        """Index of the pool of each of these replicas."""
        return np.searchsorted(self.first, replicas, side="right") - 1


def vendor_of(fleet: Fleet, pool: str) -> str:
    """Who makes a pool's machines; empty where nobody says."""
    accelerator = fleet.pools[pool].accelerator
    return "" if accelerator is None else fleet.accelerators[accelerator].vendor


def _chips_of_system(fleet: Fleet, pool: str, chips: int) -> int:
    """Chips of what stands in one rack place as one; a measured replica is a machine of its own."""
    accelerator = fleet.pools[pool].accelerator
    return chips if accelerator is None else fleet.accelerators[accelerator].stands.part_chips


def _grouped(group: npt.NDArray[np.int32], replica: Ints, count: int) -> tuple[Ints, Ints]:
    """Replicas by group, each once, one group behind the other, and where each begins."""
    pairs = np.unique(np.stack([group, replica], axis=1), axis=0) if len(group) else np.zeros((0, 2), np.int64)
    starts = np.searchsorted(pairs[:, 0], np.arange(count + 1))
    return starts, pairs[:, 1].astype(np.int64)


def _of(grouped: tuple[Ints, Ints], group: int) -> Ints:
    starts, members = grouped
    return members[starts[group] : starts[group + 1]]
