"""The controller on a plant: targets are met in time and kept, by the right levers, without swinging, and let go."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control.plant import Plant
from control.small_fleet import fleet
from meritorder.control.state import CAP, HOLD, LEVERS, MOVE, SHED
from meritorder.fleet.control import DemandResponse, Flexible

RATES = {"chat": 25.0, "bulk": 20.0, "batch": 20.0}
START, WITHIN, STOP = 120, 30, 420
LESS = (DemandResponse(start=START, duration=STOP - START, reduce=0.25, within=WITHIN),)


def deeds(plant: Plant) -> Any:
    return plant.control.deeds[: plant.control.settings[0].deeds]


def levers(plant: Plant) -> set[str]:
    return {LEVERS[lever] for lever in deeds(plant).lever}


def test_caps_give_the_grid_a_quarter_in_time_and_keep_it() -> None:
    plant = Plant(fleet(events=LESS, order=("cap",)), RATES, noise=0.01)
    plant.run(STOP + 200)
    power = np.array(plant.power)
    before = power[START - 60 : START].mean()
    assert power[START + WITHIN : STOP].max() <= 0.75 * before
    assert power[START + WITHIN : STOP].mean() >= 0.6 * before  # not more than a step of caps too much
    assert levers(plant) == {"cap"}
    assert (plant.state.pools.cap == 0).all()
    assert power[-50:].mean() == pytest.approx(before, rel=0.05)
    quiet = [d for d in deeds(plant) if START + 60 < d.time < STOP]
    assert not quiet  # nothing swings


def test_jobs_wait_first_where_the_order_says_so() -> None:
    plant = Plant(fleet(events=LESS, order=("hold", "cap", "shed")), RATES)
    plant.run(STOP - 20)
    assert deeds(plant)[0].lever == HOLD
    assert plant.parked[2] > 0
    assert not plant.parked[:2].any()
    assert not plant.refused.any()
    assert max(plant.power[START + WITHIN :]) <= 0.75 * plant.power[START - 10]


def test_work_goes_to_another_site_with_room_the_least_important_first() -> None:
    plant = Plant(fleet(events=LESS, sites=2, caps=()), {name: 0.6 * rate for name, rate in RATES.items()})
    plant.run(STOP - 20)
    done = deeds(plant)
    assert done[0].lever == MOVE
    assert done[0].target == 2
    assert not plant.refused.any()
    assert plant.power[-1] <= 0.75 * plant.power[START - 10]
    assert plant.open_part("chat", "main-a") > plant.open_part("batch", "main-a") or not any(done.target == 0)


def test_nobody_is_moved_where_there_is_no_other_place() -> None:
    plant = Plant(fleet(events=LESS, order=("move",)), RATES)
    plant.run(START + 60)
    assert len(deeds(plant)) == 0


def test_the_least_important_are_refused_first() -> None:
    plant = Plant(fleet(limit=4500.0, order=("shed",), caps=()), RATES)
    plant.run(300)
    assert deeds(plant)[0].target == 2
    assert plant.refused[2] >= plant.refused[1] >= plant.refused[0]
    assert np.mean(plant.power[-100:]) <= 4500.0


def test_pools_of_less_important_services_are_capped_first() -> None:
    services = {"chat": {"priority": 0, "pools": ("good-a",)}, "bulk": {"priority": 3, "pools": ("cheap-a",)}}
    both = fleet(limit=9200.0, order=("cap",), pools=("good", "cheap"), services=services)
    plant = Plant(both, {"chat": 30.0, "bulk": 30.0})
    plant.run(120)
    done = deeds(plant)
    assert len(done)
    assert done[0].target == 1
    levels = plant.control.pools.level
    assert levels[0] == 0 or levels[1] == plant.control.pools[1].levels - 1


def test_levers_that_are_not_listed_are_not_used() -> None:
    plant = Plant(fleet(limit=3500.0, order=("hold",)), RATES)
    plant.run(120)
    assert levers(plant) == {"hold"}
    assert (plant.control.pools.level == 0).all()
    assert not plant.refused.any()


def test_flexible_requests_wait_for_cheaper_hours() -> None:
    wishes = Flexible(within=7200.0, price_below=0.2)
    plant = Plant(fleet(flexible=wishes, limit=1e6), RATES)
    plant.run(20)
    assert plant.parked[2] == 0
    table = plant.facility.hours
    table.usd_per_kwh[:] = 0.3
    plant.run(20)
    assert plant.parked[2] > 0
    assert deeds(plant)[-1].lever == HOLD
    assert deeds(plant)[-1].level == 1
    table.usd_per_kwh[:] = 0.1
    plant.run(200)
    assert plant.parked[2] == 0
    assert deeds(plant)[-1].level == 0


def test_energy_of_nothing_is_never_cut_below_idle() -> None:
    plant = Plant(fleet(limit=1000.0), RATES)
    plant.run(200)
    assert plant.power[-1] == pytest.approx(plant.idle_w(), rel=0.02)
    assert set(deeds(plant).lever) >= {CAP, SHED}


def test_levers_are_let_go_of_pools_that_stand_idle() -> None:
    wish = DemandResponse(start=30.0, duration=40.0, limit=3000.0, within=5.0)  # less than idle power
    plant = Plant(fleet(events=(wish,), limit=9000.0, release=10.0, order=("cap", "shed")), RATES)
    plant.run(69)
    assert plant.power[-1] < 1.2 * plant.idle_w()
    plant.run(200)
    assert plant.power[-1] > 2 * plant.idle_w()
    assert (plant.control.closures.shed == 0).all()
    assert (plant.state.pools.cap == 0).all()


def test_a_longer_run_says_what_it_did_last() -> None:
    plant = Plant(fleet(limit=4500.0), RATES)
    plant.run(60)
    done = deeds(plant)
    assert (np.diff(done.time) >= 0).all()
    assert (done.site == 0).all()
    assert (done.row == -1).all()
    assert plant.control.sites[0].pressed > 0
    assert plant.control.sites[0].allowed_it_w == pytest.approx(4500.0 * 0.97)


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(
    limit=st.floats(3800.0, 9500.0),
    noise=st.floats(0.0, 0.04),
    order=st.permutations(("move", "cap", "hold", "shed")),
    seed=st.integers(0, 10**6),
)
def test_any_limit_is_kept_in_any_order_and_the_levers_come_to_rest(
    limit: float, noise: float, order: list[str], seed: int
) -> None:
    plant = Plant(fleet(limit=limit, order=tuple(order)), RATES, noise=noise, seed=seed)
    plant.run(400)
    late = np.array(plant.power[-150:])
    assert late.mean() <= limit
    assert (late > limit).mean() <= 0.1
    moves = [d for d in deeds(plant) if d.time > 250]
    assert len(moves) <= 20
