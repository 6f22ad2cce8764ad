"""States as they are built: seats of simulated replicas, sites without machines, parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sites import TEXT, fleet_with, replicas, run, state_with

from meritorder.facility.build import build_facility, wanted
from meritorder.facility.halls.seats import placement
from meritorder.facility.parts import parts_of
from meritorder.facility.seating import seats_of
from meritorder.fleet.load import loads
from meritorder.perf.compile import compile_replica


@settings(max_examples=30)
@given(st.integers(1, 800), st.integers(1, 720), st.integers(1, 20), st.integers(1, 16))
def test_simulated_replicas_draw_from_rows_as_those_they_stand_for(air: int, rack: int, wafer: int, far: int) -> None:
    """Shares of each are 1, and rows get what they would get from all."""
    fleet, simulated = fleet_with(), (air, rack, wafer, far)
    placed = placement(fleet, dict(zip(fleet.pools, replicas(), strict=True)))
    real = [pool.replicas for pool in fleet.pools.values()]
    seat_of, seats = seats_of(placed, real, simulated)
    assert len(seat_of) == sum(simulated) + 1
    assert np.allclose(np.add.reduceat(seats.share, seat_of[:-1]), 1.0)
    if all(n % k == 0 for n, k in zip(real, simulated, strict=True)):
        weight = np.repeat([n / k for n, k in zip(real, simulated, strict=True)], simulated)
        weight = np.repeat(weight, np.diff(seat_of))
        stands = np.bincount(seats.row, seats.share * weight, minlength=placed.rows)
        assert np.allclose(stands, np.bincount(placed.seats.row, placed.seats.share, minlength=placed.rows))


def test_idle_power_is_that_of_all_machines() -> None:
    state = state_with()
    fleet = fleet_with()
    idle = sum(r.table.idle_w * p.replicas for r, p in zip(replicas(), fleet.pools.values(), strict=True))
    assert state.rows.idle_w.sum() == pytest.approx(idle)
    assert state.pools.idle_w.sum() == pytest.approx(idle)
    assert (state.rows.idle_w < state.rows.max_w).all()


def test_a_building_without_machines_stands_idle() -> None:
    """It draws what its transformers and UPS lose, and nothing that isn't a number."""
    text = TEXT.replace("  south:", "  empty: {facility: {}, usd_per_kwh: 0.1, kg_per_kwh: 0.1}\n  south:")
    fleet = loads(text)
    state = build_facility(fleet, replicas())
    run(state, 0.5, 5)
    empty = state.sites[1]
    assert empty.it_w == 0.0
    assert np.isfinite([empty[name] for name in ("facility_w", "grid_w", "usd", "water_l", "marginal_pue")]).all()
    assert state.sites[0].it_w > 0.0


def test_parts_are_numbered_by_kind_and_site() -> None:
    fleet = fleet_with(power={"feeds": 3})
    parts = parts_of(fleet, placement(fleet, dict(zip(fleet.pools, replicas(), strict=True))))
    assert {part.site for part in parts} == {"north"}
    kinds = [part.kind for part in parts]
    assert kinds.count("grid") == 1
    assert kinds.count("feed") == 3
    assert kinds.count("cdu") == 4
    assert kinds.count("pump") == 3 * 5  # three plants of four units and a spare


@pytest.mark.parametrize("key", ["weather: dallas", "power_limit: 1 MW", "facility: {}"])
def test_what_asks_for_steps(key: str) -> None:
    text = TEXT.replace("facility: {}, ", "").replace(", power_limit: 15 kW", "")
    assert not wanted(loads(text))
    assert wanted(loads(text.replace("{usd_per_kwh: 0.05", "{" + key + ", usd_per_kwh: 0.05")))


def test_a_plant_keeps_to_the_machine_that_takes_least() -> None:
    """MI355X takes 43 C of its 45 C loop: compressors start a kelvin below that, beside machines that take more."""
    text = TEXT.replace("accelerator: gb200", "accelerator: mi355x")
    for described, limit in ((TEXT, 45.0), (text, 43.0)):
        fleet = loads(described)
        state = build_facility(fleet, [compile_replica(fleet, name) for name in fleet.pools])
        plant = state.plants[2]
        assert plant.limit_c == limit
        assert plant.warm_c == limit - plant.exchange_k - 1.0
        assert (state.rows.limit_c[state.rows.plant == 2] == limit).all()
