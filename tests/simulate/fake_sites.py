"""The made-up `Result` with buildings around its machines: real states, moved on by the real step, without a kernel."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from tests.simulate.fake import fake_result

from meritorder.control.build import build_control
from meritorder.control.state import CAP, HOLD
from meritorder.facility.build import build_facility
from meritorder.facility.state import GRID
from meritorder.facility.step import facility_step
from meritorder.fleet.power_train import PowerTrain
from meritorder.fleet.site import Facility
from meritorder.simulate.faults import causes
from meritorder.simulate.result import Result, Status

STEP_S = 15.0


def fake_site_result(n: int = 3000, policy: str = "merit-order", grid_w: float = 5.2e3) -> Result:
    """`fake_result` with a building in the north; machines draw what the series of the pools say."""
    plain = fake_result(n, policy=policy)
    sites = dict(plain.fleet.sites)
    known = sites["north"].model_dump(exclude={"pue"})
    building = Facility(grid=grid_w, power=PowerTrain(module=10e3))
    sites["north"] = type(sites["north"])(**known | {"facility": building, "weather": "singapore", "price": "ercot"})
    fleet = plain.fleet.model_copy(update={"sites": sites, "start": datetime(2023, 7, 14, 18, tzinfo=UTC)})
    facility = build_facility(fleet, plain.replicas, span_s=plain.span_s, bins=64)
    control = build_control(fleet, plain.replicas, facility)
    drawn = plain.series["energy_j"]
    width = plain.bin_s
    rows_of = [facility.seats[facility.seat_of[r] : facility.seat_of[r + 1]] for r in (0, 1, 5)]
    for k in range(1, round(plain.span_s / STEP_S) + 1):
        cell = min(int((k - 0.5) * STEP_S / width), drawn.shape[1] - 1)
        for pool in range(3):
            joules = drawn[pool, cell] * STEP_S / width
            facility.pools[pool].it_j += joules
            for seat in rows_of[pool]:
                facility.rows[seat.row].it_j += joules * seat.share
        facility_step(facility, k * STEP_S, STEP_S)
    _tell(control, 600.0, CAP, 1, 2)
    _tell(control, 900.0, CAP, 1, 1)
    _tell(control, 1500.0, CAP, 1, 0)
    _tell(control, 1200.0, HOLD, 2, 1)
    status, cause = plain.status.copy(), plain.cause.copy()
    shed, done = np.flatnonzero(status == Status.SHED), np.flatnonzero(status == Status.COMPLETED)
    cause[shed] = causes.OVERLOADED
    cause[shed[:2]] = causes.SHORT_OF_POWER
    status[done[:3]], cause[done[:3]] = Status.LOST, causes.FEED
    attempts, parked = plain.attempts.copy(), plain.parked_s.copy()
    attempts[done[3:8]] = 1
    parked[done[10:14]] = 30.0
    changed = {"status": status, "cause": cause, "attempts": attempts, "parked_s": parked}
    return replace(plain, fleet=fleet, facility=facility, control=control, **changed)


def _tell(control: object, time: float, lever: int, target: int, level: int) -> None:
    settings = control.settings[0]  # type: ignore[attr-defined]
    deed = control.deeds[settings.deeds % len(control.deeds)]  # type: ignore[attr-defined]
    deed.time, deed.site, deed.row, deed.lever, deed.target = time, 0, -1, lever, target
    deed.level, deed.binding, deed.watts = level, GRID, 500.0
    settings.deeds += 1
