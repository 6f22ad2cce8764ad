"""Loops and plants over time: no joule is lost, steps of any length end in the same place, warm machines slow down."""

from __future__ import annotations

import numpy as np
import pytest
from plant_cases import MEGAWATT, site

from meritorder.facility.cool import cool, plant_power
from meritorder.facility.state import TOO_HOT, FacilityState
from meritorder.fleet.cooling import Coolant, Plant

DRY = Plant(rejection="dry-cooler", chillers="none")
CASES: list[tuple[Plant, Coolant]] = [
    (DRY, "liquid-45c"),
    (Plant(rejection="adiabatic"), "liquid-45c"),
    (Plant(rejection="tower", chillers="water-cooled"), "liquid-21c"),
    (Plant(rejection="closed-tower", chillers="air-cooled"), "air"),
]


def run(facility: FacilityState, heat_w: float, seconds: float, dt: float) -> None:
    facility.rows.heat_w[:] = heat_w
    for _ in range(round(seconds / dt)):
        cool(facility, 0, dt)


@pytest.mark.parametrize(("spec", "coolant"), CASES)
@pytest.mark.parametrize("dt", [0.1, 1.0, 60.0, 3600.0])
def test_no_joule_is_lost(spec: Plant, coolant: Coolant, dt: float) -> None:
    facility = site(spec, coolant)
    rng = np.random.default_rng(int(dt))
    facility.trains.room_w[:] = 3e5
    for _ in range(40):
        facility.rows.heat_w[:] = rng.uniform(0, 1.3, len(facility.rows)) * MEGAWATT
        facility.rows.flow[:] = rng.integers(0, 2, len(facility.rows))
        facility.sites.dry_c[:], facility.sites.wet_c[:] = rng.uniform(20, 45), rng.uniform(0, 20)
        facility.plants.pumps_up[:] = rng.integers(0, 6)
        facility.plants.power[:] = rng.uniform(0, 1)
        before = facility.plants.stored_j.copy()
        cool(facility, 0, dt)
        change = facility.plants.stored_j - before
        off = facility.plants.heat_w * dt - facility.plants.rejected_w * dt - change
        assert np.all(np.abs(off) <= 1e-9 * np.maximum(np.abs(facility.plants.stored_j), facility.plants.heat_w * dt))
        outside = facility.rows.heat_w.sum() + 3e5
        inside = facility.plants.heat_w.sum() - facility.plants.pump_w.sum()
        assert inside >= outside * (1 - 1e-12)  # all heat of rows and rooms comes to one plant or another


@pytest.mark.parametrize(("spec", "coolant"), CASES)
def test_long_and_short_steps_end_in_the_same_state(spec: Plant, coolant: Coolant) -> None:
    short, long = site(spec, coolant), site(spec, coolant)
    run(short, 0.8 * MEGAWATT, 7200, 1.0)
    run(long, 0.8 * MEGAWATT, 7200, 3600.0)
    for name in ("cold_plate_c", "secondary_c", "primary_c"):
        np.testing.assert_allclose(short.rows[name], long.rows[name], atol=1e-3)
    np.testing.assert_allclose(short.plants.supply_c, long.plants.supply_c, atol=1e-3)
    np.testing.assert_allclose(short.plants.fan_w, long.plants.fan_w, rtol=1e-3)


def test_a_step_of_a_second_follows_finer_ones() -> None:
    coarse, fine = site(DRY, "liquid-45c"), site(DRY, "liquid-45c")
    for facility in (coarse, fine):
        run(facility, 0.3 * MEGAWATT, 3600, 60.0)
    run(coarse, 1.0 * MEGAWATT, 30, 1.0)
    run(fine, 1.0 * MEGAWATT, 30, 0.02)
    rise = fine.rows.cold_plate_c[0] - 40.0
    assert abs(coarse.rows.cold_plate_c[0] - fine.rows.cold_plate_c[0]) < 0.03 * abs(rise)


def test_full_load_on_the_design_day_keeps_machines_at_their_supply() -> None:
    facility = site(Plant(rejection="tower", chillers="water-cooled"), "liquid-21c", dry_c=36.0, wet_c=24.0)
    run(facility, 0.9 * MEGAWATT, 7200, 60.0)
    assert facility.rows.secondary_c.max() <= 21.0 + 0.2
    assert facility.plants.compressor[1] > 0.5
    assert facility.rows.stretch.max() == 1.0


def test_what_no_plant_can_remove_warms_the_loop_until_machines_slow_down_and_trip() -> None:
    facility = site(DRY, "liquid-45c", dry_c=43.0, wet_c=24.0)
    run(facility, 1.0 * MEGAWATT, 600, 1.0)
    assert facility.plants.supply_c[1] > 43.0
    assert 1.0 < facility.rows.stretch[0] < 1.3
    assert not facility.rows.tripped.any()
    facility.plants.towers_up[1] = 0
    run(facility, 1.0 * MEGAWATT, 600, 1.0)
    assert (facility.rows.tripped & TOO_HOT).all()
    facility.plants.towers_up[1] = 5
    facility.sites.dry_c[:] = 20.0
    facility.rows.heat_w[:] = 0.0
    tripped = []
    for _ in range(900):
        cool(facility, 0, 1.0)
        tripped.append((facility.rows.secondary_c[0], bool(facility.rows.tripped[0])))
    between = [on for celsius, on in tripped if 46.5 < celsius < 54.5]
    assert between
    assert all(between)  # hysteresis: still off while it cools through what would not have tripped it
    assert not facility.rows.tripped.any()


def test_a_row_without_its_cdu_overheats_within_seconds_and_alone() -> None:
    facility = site(DRY, "liquid-45c")
    run(facility, 0.9 * MEGAWATT, 600, 1.0)
    facility.rows.flow[3] = 0.0
    seconds = 0
    while not facility.rows.tripped[3] and seconds < 60:
        cool(facility, 0, 1.0)
        seconds += 1
    assert 5 < seconds < 40
    assert facility.rows.tripped.sum() == 1
    assert facility.rows.stretch[4] == 1.0


def test_pumps_slow_down_with_the_load_to_a_floor() -> None:
    watts = []
    for load in (1.0, 0.7, 0.4, 0.1, 0.05):
        facility = site(DRY, "liquid-45c")
        run(facility, load * MEGAWATT, 3600, 60.0)
        watts.append(float(facility.plants.pump_w[1]))
    assert watts[0] > 1.9 * watts[1] > 3.5 * watts[2]
    assert watts[3] == pytest.approx(watts[4], rel=1e-6)


@pytest.mark.parametrize(("spec", "coolant"), CASES)
def test_an_hour_s_step_ends_in_the_steady_state_of_the_plant(spec: Plant, coolant: Coolant) -> None:
    facility = site(spec, coolant, dry_c=28.0, wet_c=19.0)
    facility.rows.air_share[:] = 0.0
    run(facility, 0.7 * MEGAWATT, 14400, 3600.0)
    plant = facility.plants[-1]
    chillers, fans, pumps, water, compressor = plant_power(plant, 7 * MEGAWATT, 28.0, 19.0)
    assert plant.chiller_w == pytest.approx(chillers, rel=1e-6)
    assert plant.fan_w == pytest.approx(fans, rel=1e-6)
    assert plant.pump_w == pytest.approx(pumps, rel=1e-6)
    assert plant.water_l_s == pytest.approx(water, rel=1e-6)
    assert plant.compressor == pytest.approx(compressor, rel=1e-6)
