"""No energy comes from nowhere or goes missing: every step of random sites, faults included, to 1e-9."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sites import draw, state_with

from meritorder.facility.balance import balance, stored
from meritorder.facility.parts import FEED, dim_feed, set_part
from meritorder.facility.state import FacilityState
from meritorder.facility.step import facility_step

POWERS = st.fixed_dictionaries(
    {
        "redundancy": st.sampled_from(["N", "N+1", "4N/3", "3N/2", "2N"]),
        "feeds": st.integers(1, 4),
        "module": st.floats(2e5, 3e6),
        "oversubscription": st.floats(1.0, 1.5),
        "ups_time": st.sampled_from([0.0, 20.0, 300.0]),
    },
    optional={
        "shelf": st.just({"no_load": 0.0045, "proportional": 0.0076, "square": 0.018}),
        "capacity": st.floats(5e5, 5e6),
        "generators": st.fixed_dictionaries({"power": st.floats(1e5, 8e6), "start": st.floats(1.0, 60.0)}),
        "storage": st.fixed_dictionaries(
            {"power": st.floats(1e4, 3e6), "energy": st.floats(1e5, 1e9), "efficiency": st.floats(0.5, 1.0)},
            optional={"shave_above": st.floats(5e5, 4e6)},
        ),
    },
)
SIZES = {"units": st.integers(1, 6), "spare_units": st.integers(0, 2)}
PLANTS = st.one_of(
    st.fixed_dictionaries({"rejection": st.just(rejection), "chillers": st.sampled_from(chillers), **SIZES})
    for rejection, chillers in (
        ("dry-cooler", ["none", "air-cooled"]),
        ("adiabatic", ["none", "air-cooled"]),
        ("tower", ["none", "water-cooled"]),
    )
)
COOLING = st.fixed_dictionaries({"air": PLANTS, "liquid_21c": PLANTS, "liquid_45c": PLANTS})
STEPS = st.lists(
    st.tuples(
        st.floats(0.0, 1.2),  # load
        st.sampled_from([0.5, 1.0, 10.0, 300.0, 3600.0]),
        st.floats(-20.0, 45.0),  # dry bulb
        st.floats(0.0, 15.0),  # wet bulb below it
        st.one_of(st.none(), st.tuples(st.floats(0.0, 1.0, exclude_max=True), st.booleans())),  # part, repaired
    ),
    min_size=1,
    max_size=25,
)


# finding the smallest case would take minutes
@settings(max_examples=40, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(POWERS, COOLING, st.one_of(st.none(), st.floats(5e5, 4e6)), STEPS)
def test_every_step_is_balanced(power: Any, cooling: Any, grid: float | None, steps: Any) -> None:
    state = state_with(power=power, cooling=cooling, **({} if grid is None else {"grid": grid}))
    for load, dt, dry, below, fault in steps:
        weather(state, dry, dry - below)
        if fault is not None:
            part = int(fault[0] * len(state.parts))
            if fault[1] and state.parts[part].down == 0:
                continue
            if state.parts[part].kind == FEED and fault[0] < 0.3:
                dim_feed(state, part, 2.0 if fault[1] else 0.5)
            else:
                set_part(state, part, int(fault[1]))
        before = stored(state)
        draw(state, load, dt)
        facility_step(state, float(state.clock[0].now_s) + dt, dt)
        left = balance(state, before, dt)
        assert left.worst <= 1e-9, left
        check_ranges(state)


def weather(state: FacilityState, dry_c: float, wet_c: float) -> None:
    state.hours.dry_c[:], state.hours.wet_c[:] = dry_c, wet_c


def check_ranges(state: FacilityState) -> None:
    """What can't be: batteries below empty or above full, machines sped up, negative powers, figures that aren't."""
    sites, trains, plants, rows = state.sites, state.trains, state.plants, state.rows
    assert (trains.battery_now_j >= 0.0).all()
    assert (trains.battery_now_j <= trains.battery_j * (1 + 1e-9)).all()
    assert (trains.storage_now_j >= -1e-6).all()
    assert (trains.storage_now_j <= trains.storage_j * (1 + 1e-9) + 1e-6).all()
    for name in ("facility_w", "grid_w", "generator_w", "loss_w", "cooling_w", "unserved_w", "allowed_it_w"):
        assert (sites[name] >= -1e-6).all(), name
        assert not np.isnan(sites[name]).any(), name
    for name in ("chiller_w", "fan_w", "pump_w", "water_l_s", "rejected_w", "compressor"):
        assert (plants[name] >= -1e-6).all(), name
    assert (rows.stretch >= 1.0).all()
    assert np.isfinite(plants.supply_c).all()


def test_the_balance_sees_what_is_missing() -> None:
    """A watt that is left out shows."""
    state = state_with()
    for _ in range(3):
        before = stored(state)
        draw(state, 0.7, 1.0)
        facility_step(state, float(state.clock[0].now_s) + 1.0, 1.0)
    size = float(state.sites[0].nameplate_w)
    assert balance(state, before, 1.0).worst <= 1e-9
    state.sites[0].grid_w += 1.0
    state.plants[0].rejected_w -= 2.0
    left = balance(state, before, 1.0)
    assert np.isclose(left.electrical[0] * size, 1.0)
    assert np.isclose(left.thermal[0] * size, 2.0)
