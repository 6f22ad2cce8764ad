"""Ride-through in closed form against the loops as they are stepped."""

from __future__ import annotations

import math

import pytest
from plant_cases import MEGAWATT, site

from meritorder.facility.cool import cool
from meritorder.facility.loop import felt_c
from meritorder.facility.ride_through import Loss, ride_through_s
from meritorder.facility.state import FacilityState
from meritorder.fleet.cooling import Coolant, Plant

LOOPS: dict[Coolant, Plant] = {
    "air": Plant(rejection="tower", chillers="water-cooled", supply=22.0),
    "liquid-21c": Plant(rejection="tower", chillers="water-cooled", supply=16.0),
    "liquid-45c": Plant(rejection="dry-cooler", chillers="none"),
}


def settled(coolant: Coolant, load: float) -> FacilityState:
    facility = site(LOOPS[coolant], coolant, rows=3)
    facility.rows.air_share[:] = 0.0
    facility.rows.heat_w[:] = load * MEGAWATT
    for _ in range(200):
        cool(facility, 0, 60.0)
    return facility


def integrated(facility: FacilityState, lost: Loss, dt: float, row: int = 0) -> float:
    plant = facility.plants[-1]
    if lost == "cdu":
        facility.rows.flow[row] = 0.0
    elif lost == "pump":
        plant.pumps_up = 0
    else:
        plant.chillers_up = plant.towers_up = 0
    seconds = 0.0
    before = felt_c(plant, facility.rows[row])
    while True:
        cool(facility, 0, dt)
        after = felt_c(plant, facility.rows[row])
        if after >= facility.rows[row].limit_c:
            return seconds + dt * (facility.rows[row].limit_c - before) / (after - before)
        seconds, before = seconds + dt, after


@pytest.mark.parametrize("coolant", list(LOOPS))
@pytest.mark.parametrize("lost", ["cdu", "pump", "rejection"])
@pytest.mark.parametrize("load", [0.35, 0.95])
def test_closed_form_is_what_is_integrated(coolant: Coolant, lost: Loss, load: float) -> None:
    facility = settled(coolant, load)
    expected = ride_through_s(facility.plants[-1], facility.rows[0], lost)
    assert integrated(facility, lost, dt=0.05) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("coolant", list(LOOPS))
def test_more_that_is_still_coupled_lasts_longer(coolant: Coolant) -> None:
    facility = settled(coolant, 0.9)
    plant, row = facility.plants[-1], facility.rows[0]
    pump, rejection = (ride_through_s(plant, row, lost) for lost in ("pump", "rejection"))
    assert pump < rejection
    if coolant != "air":
        assert ride_through_s(plant, row, "cdu") < 30  # "throttling within seconds"


def test_what_is_still_removed_buys_time() -> None:
    facility = settled("liquid-45c", 0.9)
    plant, row = facility.plants[-1], facility.rows[0]
    whole = ride_through_s(plant, row, "rejection")
    assert ride_through_s(plant, row, "rejection", removed=0.5) > 1.5 * whole
    assert ride_through_s(plant, row, "rejection", removed=1.0) == math.inf
    assert ride_through_s(plant, row, "rejection", to_c=30.0) == 0.0


def test_long_ramps_are_capacity_times_rise_over_heat() -> None:
    facility = settled("liquid-45c", 0.9)
    plant, row = facility.plants[-1], facility.rows[0]
    near, far = (ride_through_s(plant, row, "rejection", to_c=to) for to in (100.0, 200.0))
    capacity = row.design_w * (plant.plate_j_k + plant.secondary_j_k + plant.primary_j_k) + plant.water_j_k / 3
    heat = plant.heat_w / 3
    assert far - near == pytest.approx(capacity * 100.0 / heat, rel=1e-3)
