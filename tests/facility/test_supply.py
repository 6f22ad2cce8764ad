"""Grid, generators, batteries: who feeds a site, when rows lose power and when they get it back."""

from __future__ import annotations

import numpy as np
import pytest
from sites import fleet_with, replicas, run, state_with

from meritorder.facility.halls.seats import placement
from meritorder.facility.parts import dim_feed, parts_of, set_part
from meritorder.facility.state import NO_LIMIT, NO_POWER, PATH, UNFED, FacilityState
from meritorder.facility.trips import RECLOSE_S, TRIP_S

GENERATORS = {"power": 6e6, "start": 20.0}


def part(state: FacilityState, kind: str, number: int = 0, **facility: object) -> int:
    """The index of a part of the northern site."""
    fleet = fleet_with(**facility)
    parts = parts_of(fleet, placement(fleet, dict(zip(fleet.pools, replicas(), strict=True))))
    assert len(parts) == len(state.parts)
    return next(k for k, p in enumerate(parts) if (p.kind, p.number) == (kind, number))


def north_rows(state: FacilityState) -> np.ndarray:
    return state.rows.tripped[state.rows.site == 0]


def test_batteries_carry_until_generators_do() -> None:
    """Nothing trips, machines run on; fans and chillers rest until the engines run."""
    state = state_with(power={"generators": GENERATORS})
    run(state, 0.8, 10)
    grid = part(state, "grid")
    full = float(state.trains[0].battery_now_j)
    set_part(state, grid, 0)
    run(state, 0.8, 10)
    s = state.sites[0]
    assert s.grid_w == s.generator_w == 0.0
    assert s.ups_w == pytest.approx(s.facility_w)
    assert state.plants[0].chiller_w == 0.0
    run(state, 0.8, 11)
    assert s.generator_w == pytest.approx(s.facility_w)
    assert s.ups_w == 0.0
    used = full - float(state.trains[0].battery_now_j)
    assert used == pytest.approx(20 * (state.trains[0].critical_w + state.trains[0].ups_loss_w), rel=0.05)
    assert not north_rows(state).any()
    set_part(state, grid, 1)
    run(state, 0.8, 1)
    assert s.generator_w == 0.0
    assert s.ups_w < 0.0  # charged again
    run(state, 0.3, 3600, dt=10.0)
    assert state.trains[0].battery_now_j == pytest.approx(full)


def test_without_generators_rows_trip_when_batteries_are_empty() -> None:
    state = state_with(power={"ups_time": 60.0})
    run(state, 1.0, 5)
    grid = part(state, "grid")
    set_part(state, grid, 0)
    run(state, 1.0, 50)
    assert not north_rows(state).any()
    assert state.sites[0].binding == NO_POWER
    assert state.sites[0].allowed_it_w == 0.0
    run(state, 1.0, 30)
    assert (north_rows(state) & UNFED).all()
    assert state.sites[0].facility_w == pytest.approx(0.0, abs=1.0)
    set_part(state, grid, 1)
    run(state, 1.0, 2)
    assert not north_rows(state).any()


def test_a_full_battery_lasts_its_ride_through() -> None:
    """At the critical power it was built for, `ups_time` holds, less what the UPS itself loses."""
    state = state_with(power={"ups_time": 100.0, "capacity": 3e6})
    run(state, 1.0, 3)
    set_part(state, part(state, "grid", power={"ups_time": 100.0, "capacity": 3e6}), 0)
    seconds = 0
    while not north_rows(state).any():
        run(state, 1.0, 1)
        seconds += 1
    train = state.trains[0]
    assert seconds == pytest.approx(100.0 * 3e6 / (train.critical_w + train.ups_loss_w), abs=2.0)


def test_small_generators_shed_the_last_rows() -> None:
    settings = {"power": {"generators": {"power": 1.5e6, "start": 5.0}, "ups_time": 20.0}}
    state = state_with(**settings)
    run(state, 1.0, 3)
    set_part(state, part(state, "grid", **settings), 0)
    run(state, 1.0, 300)
    tripped = north_rows(state)
    assert 0 < np.count_nonzero(tripped) < len(tripped)
    assert not tripped[0]
    assert state.sites[0].unserved_w == 0.0
    assert state.sites[0].generator_w <= 1.5e6


def test_a_lost_feed_leaves_what_redundancy_says() -> None:
    """2N loses nothing that was needed; blocks without spares shed rows after a minute or two, N+1's bus none."""
    left = {}
    for redundancy in ("N+1", "2N", "3N/2"):
        settings = {"power": {"redundancy": redundancy, "module": 3e5}}
        state = state_with(**settings)
        run(state, 1.0, 3)
        set_part(state, part(state, "feed", 1, **settings), 0)
        run(state, 1.0, 300)
        left[redundancy] = np.count_nonzero(north_rows(state) == 0)
    assert left["2N"] == left["N+1"] == 4
    assert left["3N/2"] < 4


def test_modules_lost_beyond_the_spares_bind_the_path() -> None:
    settings = {"power": {"redundancy": "N+1", "module": 1e6}}
    state = state_with(**settings)
    run(state, 0.9, 3)
    before = float(state.sites[0].allowed_it_w)
    set_part(state, part(state, "ups", 0, **settings), 0)
    run(state, 0.9, 1)
    assert state.sites[0].allowed_it_w == before
    set_part(state, part(state, "ups", 1, **settings), 0)
    run(state, 0.9, 1)
    assert state.sites[0].allowed_it_w < 0.75 * state.sites[0].nameplate_w


def test_an_overloaded_busway_trips_and_is_closed_again() -> None:
    """A load of x times its limit for 75 s / (x^2 - 1)."""
    state = state_with()
    state.rows[1].limit_w = state.rows[1].max_w / 1.5
    run(state, 1.0, int(TRIP_S / 1.25) - 2)
    assert not state.rows.tripped.any()
    run(state, 1.0, 4)
    assert state.rows.tripped.tolist() == [0, UNFED, 0, 0, 0]
    run(state, 0.5, RECLOSE_S + 3)
    assert not state.rows.tripped.any()


def test_storage_shaves_peaks_and_keeps_its_energy() -> None:
    """The meter stays at the threshold while charge lasts; what it takes comes back less the losses."""
    settings = {"power": {"storage": {"power": 1e6, "energy": 4e8, "efficiency": 0.8, "shave_above": 2.5e6}}}
    state = state_with(**settings)
    run(state, 1.0, 200)
    s, train = state.sites[0], state.trains[0]
    assert s.grid_w == pytest.approx(2.5e6)
    assert s.storage_w > 0.0
    run(state, 1.0, 2000)
    assert train.storage_now_j == pytest.approx(0.0, abs=1e-3)
    assert s.grid_w > 2.6e6
    before = float(s.grid_j)
    run(state, 0.2, 1)
    assert s.storage_w == pytest.approx(-0.8e6)
    assert train.battery_loss_w == pytest.approx(0.2e6)
    assert s.grid_j - before == pytest.approx(s.facility_w + 0.8e6)


def test_repairs_undo_as_many_breaks() -> None:
    """A part that broke twice is down until it was repaired twice."""
    state = state_with()
    feed = part(state, "feed", 0)
    for up, feeds in ((0, 0b10), (0, 0b10), (1, 0b10), (1, 0b11)):
        set_part(state, feed, up)
        assert state.trains[0].feeds_up == feeds


def test_a_module_takes_its_charge_along_and_brings_it_back() -> None:
    settings = {"power": {"module": 1e6}}
    state = state_with(**settings)
    module = part(state, "ups", 0, **settings)
    train = state.trains[0]
    full, installed = float(train.battery_now_j), int(train.modules)
    set_part(state, module, 0)
    assert train.battery_now_j == pytest.approx(full * (installed - 1) / installed)
    set_part(state, module, 1)
    assert train.battery_now_j == pytest.approx(full)
    assert train.battery_out_j == pytest.approx(0.0, abs=1e-6)


def test_a_brown_out_binds_the_path_to_what_comes_in() -> None:
    """N+1 of two feeds loses one and a third of the other before its path binds; brown-outs multiply and pass."""
    state = state_with()
    run(state, 1.0, 3)
    s, train = state.sites[0], state.trains[0]
    first, second = part(state, "feed", 0), part(state, "feed", 1)
    whole = float(train.feed_w)
    dim_feed(state, first, 0.6)
    run(state, 1.0, 1)
    assert train.feeds_left == pytest.approx(1.6)
    assert s.binding == NO_LIMIT
    set_part(state, second, 0)
    run(state, 1.0, 1)
    assert s.binding == PATH
    assert s.allowed_it_w < 0.75 * s.it_w
    run(state, 1.0, 200)  # nobody heeds it
    tripped = north_rows(state)
    assert 0 < np.count_nonzero(tripped & UNFED) < len(tripped)
    assert train.bus_w <= 0.6 * whole
    dim_feed(state, first, 0.5)
    assert train.feeds_left == pytest.approx(0.3)
    dim_feed(state, first, 1 / 0.6)
    dim_feed(state, first, 1 / 0.5)
    set_part(state, second, 1)
    assert train.feeds_left == pytest.approx(2.0)
    run(state, 0.5, RECLOSE_S + 3)
    assert not north_rows(state).any()


def test_batteries_are_charged_within_the_transformers() -> None:
    """After an outage, in a brown-out: what charging takes must not trip what feeds the machines."""
    settings = {"power": {"redundancy": "N", "feeds": 1}}
    state = state_with(**settings)
    run(state, 0.9, 3)
    train = state.trains[0]
    drawn = float(train.bus_w)
    grid, feed = part(state, "grid", **settings), part(state, "feed", 0, **settings)
    set_part(state, grid, 0)
    run(state, 0.9, 60)
    set_part(state, grid, 1)
    dim_feed(state, feed, 1.03 * drawn / float(train.feed_w))
    before = float(train.battery_now_j)
    run(state, 0.9, 600)
    assert not state.rows.tripped.any()
    assert before < train.battery_now_j < train.battery_j


def test_storage_is_charged_again_after_demand_response() -> None:
    """Also where neither a contract nor a threshold holds the meter down."""
    state = state_with(power={"storage": {"power": 1e6, "energy": 4e8, "efficiency": 0.8}})
    run(state, 0.9, 3)
    s, train = state.sites[0], state.trains[0]
    s.asked_w = 0.8 * s.grid_w
    run(state, 0.9, 100)
    assert s.grid_w == pytest.approx(s.asked_w)
    assert train.storage_now_j < train.storage_j
    s.asked_w = np.inf
    run(state, 0.9, 300)
    assert train.storage_now_j == pytest.approx(train.storage_j)
