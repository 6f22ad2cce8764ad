"""Sites that tests of the building share: one with machines of all coolants, one of which only a PUE is known."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from meritorder.facility.build import build_facility
from meritorder.facility.state import FacilityState
from meritorder.facility.step import facility_step
from meritorder.fleet.load import loads
from meritorder.fleet.schema import Fleet
from meritorder.fleet.site import Facility
from meritorder.perf.compile import compile_replica
from meritorder.perf.replica import Replica

TEXT = """\
sites:
  north: {facility: {}, usd_per_kwh: 0.05, kg_per_kwh: 50 g/kWh}
  south: {pue: 1.3, usd_per_kwh: 0.1, kg_per_kwh: 400 g/kWh, power_limit: 15 kW}
pools:
  air: {site: north, accelerator: h100, model: llama-3.1-8b, replicas: 800}
  rack: {site: north, accelerator: gb200, model: llama-3.1-8b, replicas: 720}
  wafer: {site: north, accelerator: cs-3, model: llama-3.1-8b, replicas: 20}
  far: {site: south, accelerator: h100, model: llama-3.1-8b, replicas: 16}
services:
  chat: {model: llama-3.1-8b}
"""


@cache
def _known() -> tuple[Fleet, tuple[Replica, ...]]:
    fleet = loads(TEXT)
    return fleet, tuple(compile_replica(fleet, name) for name in fleet.pools)


def fleet_with(**facility: Any) -> Fleet:
    """The fleet, with these settings of the northern building."""
    fleet, _ = _known()
    north = fleet.sites["north"].model_copy(update={"facility": Facility.model_validate(facility)})
    return fleet.model_copy(update={"sites": {**fleet.sites, "north": north}})


def replicas() -> tuple[Replica, ...]:
    """One of each pool."""
    return _known()[1]


def state_with(**facility: Any) -> FacilityState:
    """The state of that fleet at rest."""
    return build_facility(fleet_with(**facility), replicas())


def run(state: FacilityState, load: float, seconds: float, dt: float = 1.0) -> None:
    """Steps at a load: 0 is idle, 1 is nameplate; tripped rows draw nothing."""
    start = float(state.clock[0].now_s)
    for k in range(round(seconds / dt)):
        draw(state, load, dt)
        facility_step(state, start + (k + 1) * dt, dt)


def draw(state: FacilityState, load: float, dt: float) -> None:
    """Tell what machines drew above idle in a step."""
    rows, pools = state.rows, state.pools
    idle = idle_w(state)
    rows.idle_w[:] = np.where(rows.tripped == 0, idle, 0.0)
    rows.it_j[:] = np.where(rows.tripped == 0, load * (rows.max_w - idle), 0.0) * dt
    pools.it_j[:] = load * pools.idle_w * dt


def idle_w(state: FacilityState) -> Any:
    """Idle power of each row with all machines up; about a quarter of what they draw at their most."""
    return 0.25 * state.rows.max_w
