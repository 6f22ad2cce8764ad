"""A building with a given number of loops, and a day of load for it."""

from __future__ import annotations

import time

import numpy as np

from meritorder.facility.build import build_facility
from meritorder.facility.state import FacilityState
from meritorder.facility.step import facility_step
from meritorder.fleet.load import loads
from meritorder.perf.compile import compile_replica

ROW_W = 1e6  # IT power of a row
FLEET = """\
start: 2023-07-14T00:00:00Z
sites:
  here:
    usd_per_kwh: 0.05
    kg_per_kwh: 50 g/kWh
    facility:
      grid: {grid} W
      power: {{storage: {{power: 2 MW, energy: 4 MWh}}, generators: {{power: {grid} W}}}}
      halls:
        air: {{rows: {rows}, racks: 40, coolant: air, rack_power: 40 kW, row_power: 1 MW}}
        cold: {{rows: {rows}, racks: 20, coolant: liquid-21c, rack_power: 60 kW, row_power: 1 MW}}
        warm: {{rows: {rest}, racks: 8, coolant: liquid-45c, rack_power: 140 kW, row_power: 1 MW}}
pools:
  air: {{site: here, accelerator: h100, model: llama-3.1-8b, replicas: {air}}}
  cold: {{site: here, accelerator: cs-3, model: llama-3.1-8b, replicas: {cold}}}
  warm: {{site: here, accelerator: gb200, model: llama-3.1-8b, tensor: 4, replicas: {warm}}}
services:
  chat: {{model: llama-3.1-8b}}
"""


def building(loops: int) -> FacilityState:
    """One site with `loops` rows of a megawatt, nearly all of them in use."""
    rows = loops // 3
    rest = loops - 2 * rows
    sizes = {"air": rows * 97 * 8, "cold": rows * 36, "warm": rest * 7 * 18}
    fleet = loads(FLEET.format(grid=1.15 * loops * ROW_W, rows=rows, rest=rest, **sizes), "building")
    state = build_facility(fleet, [compile_replica(fleet, name) for name in fleet.pools])
    if len(state.rows) != loops:
        raise RuntimeError(f"{len(state.rows)} rows, not {loops}")
    return state


def day(state: FacilityState, steps: int) -> float:
    """CPU seconds of `steps` steps of 1 s from now on; machines' joules are set before each, outside of the clock."""
    random = np.random.default_rng(0)
    span = state.rows.max_w - state.rows.idle_w
    shape = 0.6 + 0.3 * np.sin(np.arange(steps) * (2 * np.pi / 86_400)) + 0.1 * random.uniform(-1, 1, steps)
    start = float(state.clock[0].now_s)
    spent = 0.0
    for k, load in enumerate(shape):
        hour = k // 3600
        state.hours.dry_c[:] = 24.0 + 10.0 * np.sin(hour / 24 * 2 * np.pi)
        state.hours.wet_c[:] = 16.0 + 4.0 * np.sin(hour / 24 * 2 * np.pi)
        state.rows.it_j[:] = load * span
        begun = time.process_time()
        facility_step(state, start + k + 1.0, 1.0)
        spent += time.process_time() - begun
    return spent
