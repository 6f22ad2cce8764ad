"""Totals and series: sums that agree, in memory that does not grow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sites import fleet_with, replicas, run, state_with

from meritorder.facility.build import build_facility
from meritorder.facility.state import FACILITY_SERIES


@settings(max_examples=25)
@given(st.lists(st.tuples(st.floats(0.0, 1.0), st.sampled_from([0.3, 1.0, 7.5, 60.0])), min_size=1, max_size=20))
def test_series_add_up_to_totals(loads: list[tuple[float, float]]) -> None:
    """Whatever the steps and however often bins were merged."""
    state = build_facility(fleet_with(), replicas(), bins=8)
    for load, dt in loads:
        run(state, load, dt, dt)
    for name in ("it_j", "facility_j", "grid_j", "loss_j", "water_l", "usd", "co2_kg"):
        total = state.sites[name]
        assert np.allclose(state.series[name].sum(axis=1), total, rtol=1e-9, atol=1e-9 * max(1.0, total.max()))
    assert np.allclose(state.series.seconds.sum(axis=1), sum(dt for _, dt in loads))
    bin_s = state.clock[0].bin_s
    assert (state.series.seconds <= bin_s * (1 + 1e-9)).all()
    # all bins but the last that was touched are full
    touched = state.series.seconds[0] > 1e-9
    last = np.flatnonzero(touched)[-1]
    assert np.allclose(state.series.seconds[0, :last], bin_s)


def test_pools_share_what_their_site_used() -> None:
    state = state_with()
    run(state, 0.7, 20)
    for site in (0, 1):
        mine = state.pools[state.pools.site == site]
        for pool, total in (("facility_j", "facility_j"), ("usd", "usd"), ("co2_kg", "co2_kg"), ("water_l", "water_l")):
            assert mine[pool].sum() == pytest.approx(state.sites[site][total])


def test_peak_and_ramp_are_those_of_the_meter() -> None:
    """The ramp is between means of minutes, so that a step of one second does not count as one."""
    state = state_with()
    run(state, 0.2, 120)
    low = float(state.sites[0].grid_w)
    run(state, 0.9, 120)
    s = state.sites[0]
    assert s.peak_w == pytest.approx(s.grid_w, rel=0.02)
    assert s.ramp_w_per_s == pytest.approx((s.grid_w - low) / 60.0, rel=0.1)


def test_memory_is_flat() -> None:
    """A year takes the bytes of a minute."""
    state = state_with()
    run(state, 0.5, 60)
    before = sum(part.nbytes for part in state)
    run(state, 0.5, 3.2e6, dt=1e4)
    assert sum(part.nbytes for part in state) == before
    assert state.clock[0].now_s == 60 + 3.2e6
    assert state.cells.shape == (*state.series.shape, len(FACILITY_SERIES))
