"""What one power block's building draws by IT power and weather: the simulator's own building, a block large.

A small fleet is made in memory: machines of the block's coolant that take its whole power, in a building with the
site's `facility` settings. Its steps give facility power on a grid of weather and loads; between grid points it
is linear.
"""

from __future__ import annotations

from datetime import UTC, datetime
from math import ceil

import numpy as np

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.housing import Housing
from meritorder.facility.build import build_facility
from meritorder.facility.halls.rows import USUAL_ROW_W
from meritorder.facility.state import HOUR, FacilityState
from meritorder.facility.year import at_load
from meritorder.fleet.schema import Fleet, Pool, Site
from meritorder.perf.replica import Replica
from meritorder.perf.table import IterationTable
from meritorder.plan.instance import Floats
from meritorder.plan.systems import Machines
from meritorder.records import records

LOADS = np.linspace(0.0, 1.0, 11)  # of the block's IT power
STEP_K = 1.5  # of the grid of weather, dry bulb and wet-bulb depression
_START = datetime(2001, 1, 1, tzinfo=UTC)


class Building:
    """One block's building in steady states."""

    def __init__(self, site: Site, power_w: float, machines: Machines) -> None:
        """`site`: its `facility` is as large as the block (`building_with`), and nothing else limits it."""
        self.power_w = power_w
        self._state = _state(site, power_w, machines)

    def at(self, dry_c: Floats, wet_c: Floats) -> tuple[Floats, Floats]:
        """Facility power [n,L] per watt of the block at LOADS, and IT power [n] that path and cooling carry, <= 1."""
        hours = records(len(dry_c), HOUR)
        hours.dry_c[:], hours.wet_c[:] = dry_c, wet_c
        facility = np.empty((len(hours), len(LOADS)))
        for index, load in enumerate(LOADS):
            found = at_load(self._state, float(load), hours)
            facility[:, index] = found.facility_w / self.power_w
        return facility, np.minimum(1.0, found.allowed_it_w / self.power_w)

    def over(self, dry_c: Floats, wet_c: Floats) -> tuple[Floats, Floats]:
        """The same for thousands of hours: linear between points of a grid."""
        below_k = np.maximum(0.0, dry_c - wet_c)
        dry, below = _grid(dry_c), _grid(below_k)
        every_dry, every_below = (np.ravel(axis) for axis in np.meshgrid(dry, below, indexing="ij"))
        facility, carried = self.at(every_dry, every_dry - every_below)
        table = np.concatenate([facility, carried[:, None]], axis=1).reshape(len(dry), len(below), -1)
        i, x = _place(dry, dry_c)
        j, y = _place(below, below_k)
        x, y = x[:, None], y[:, None]
        lower = (1 - x) * table[i, j] + x * table[i + 1, j]
        upper = (1 - x) * table[i, j + 1] + x * table[i + 1, j + 1]
        found: Floats = (1 - y) * lower + y * upper
        return found[:, :-1], found[:, -1]


def _place(grid: Floats, values: Floats) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Floats]:
    """The grid's interval of each value, and how far along it the value is."""
    index = np.clip(np.searchsorted(grid, values, side="right") - 1, 0, len(grid) - 2)
    return index, (values - grid[index]) / (grid[index + 1] - grid[index])


def _grid(values: Floats) -> Floats:
    """Equal steps of at most STEP_K that hold all values."""
    low, high = float(values.min()), float(values.max())
    return np.linspace(low, max(high, low + 0.1), max(2, ceil((high - low) / STEP_K) + 1))


def _state(site: Site, power_w: float, machines: Machines) -> FacilityState:
    """The building's state, with one large rack a row that draws nothing when idle."""
    count = ceil(power_w / USUAL_ROW_W - 1e-9)
    housing = Housing(
        system_chips=1, systems_per_rack=1, air_share=machines.air_share, coolant_supply=machines.supply_c
    )
    watts = power_w / count
    chip = Accelerator(
        kind="gpu",
        flops_16=1.0,
        memory=1.0,
        bandwidth=1.0,
        idle=0.0,
        typical=watts,
        max=watts,
        usd_per_hour=0.0,
        coolant=machines.coolant,
        housing=housing,
    )
    fleet = Fleet.model_construct(
        sites={"block": site},
        accelerators={"machine": chip},
        pools={"machines": Pool(site="block", accelerator="machine", model="any", replicas=count)},
        services={},
        start=_START,
    )
    return build_facility(fleet, [_busy(watts)], span_s=1.0, bins=1)


def _busy(watts: float) -> Replica:
    """A replica of which only its power counts."""
    one, none = np.ones(2), np.zeros(2)
    table = IterationTable(one, none, none, none, 0.0, none, none, none, none, 0.0, idle_w=0.0)
    return Replica(
        table=table,
        kv_blocks=1,
        block_tokens=16,
        max_context=1,
        accelerators=1,
        weight_bytes=0.0,
        kv_bytes_per_token=0.0,
        memory_bytes=1.0,
        max_w=watts,
        usd_per_hour=0.0,
    )
