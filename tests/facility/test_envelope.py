"""What a site may draw: at the allowed IT power the limit that binds is just reached."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sites import run, state_with

from meritorder.facility.parts import CDU, FEED, dim_feed, set_part
from meritorder.facility.parts import GRID as GRID_PART
from meritorder.facility.state import DEMAND_RESPONSE, GRID, IT_LIMIT, NO_LIMIT, PATH
from meritorder.facility.step import facility_step
from meritorder.facility.train import transformer_rating_w, ups_rating_w


def test_nothing_binds_a_site_built_for_its_machines() -> None:
    state = state_with()
    run(state, 0.5, 3)
    assert state.sites[0].binding == NO_LIMIT
    assert np.isinf(state.sites[0].allowed_it_w)


@settings(max_examples=30)
@given(st.floats(0.3, 1.0), st.floats(0.1, 1.0))
def test_at_the_allowed_power_the_contract_is_just_kept(contract: float, load: float) -> None:
    """Wherever the site is now: draw what is allowed, and the meter shows the contract to 1 %."""
    free = state_with()
    run(free, 1.0, 3)
    limit = contract * float(free.sites[0].grid_w)
    state = state_with(grid=limit)
    run(state, load, 3)
    s = state.sites[0]
    assert s.binding == GRID
    allowed = float(s.allowed_it_w)
    rows = state.rows[state.rows.site == 0]
    for _ in range(5):
        now, most = float(rows.it_w.sum()), float(rows.max_w.sum())
        if allowed > s.it_w:
            drawn = rows.it_w + (rows.max_w - rows.it_w) * (allowed - now) / (most - now)
        else:
            drawn = rows.it_w * allowed / now
        state.rows.idle_w[state.rows.site == 0] = drawn
        state.rows.it_j[:] = 0.0
        facility_step(state, float(state.clock[0].now_s) + 1.0, 1.0)
    assert s.it_w == pytest.approx(allowed, rel=1e-6)
    assert s.grid_w == pytest.approx(limit, rel=0.01)


def test_what_the_grid_asks_for_binds_before_the_contract() -> None:
    state = state_with(grid=5e6)
    run(state, 0.9, 3)
    state.sites[0].asked_w = 0.75 * state.sites[0].grid_w
    run(state, 0.9, 1)
    assert state.sites[0].binding == DEMAND_RESPONSE
    assert 0.6 < state.sites[0].allowed_it_w / state.sites[0].it_w < 0.8


def test_storage_helps_as_long_as_it_lasts() -> None:
    power = {"storage": {"power": 5e5, "energy": 9e9}}
    plain, helped = state_with(grid=2e6), state_with(grid=2e6, power=power)
    for state in (plain, helped):
        run(state, 0.5, 2)
    more = helped.sites[0].allowed_it_w - plain.sites[0].allowed_it_w
    assert more == pytest.approx(5e5 / plain.sites[0].marginal_pue, rel=0.1)
    helped.trains[0].storage_now_j = 900 * 1e5
    run(helped, 0.5, 1)
    assert helped.sites[0].allowed_it_w - plain.sites[0].allowed_it_w < 0.25 * more


def test_an_oversubscribed_path_binds() -> None:
    state = state_with(power={"oversubscription": 1.3})
    state.rows.limit_w[:] = np.inf
    run(state, 0.6, 2)
    assert state.sites[0].binding == PATH
    assert state.sites[0].allowed_it_w == pytest.approx(state.sites[0].nameplate_w / 1.3, rel=0.03)


def test_a_power_limit_binds_without_a_building() -> None:
    state = state_with()
    run(state, 0.5, 2)
    assert state.sites[1].binding == IT_LIMIT
    assert state.sites[1].allowed_it_w == 15e3


@given(st.floats(0.1, 0.95))
@settings(max_examples=20)
def test_the_marginal_pue_is_the_slope_of_facility_power(load: float) -> None:
    state = state_with()
    powers = []
    for x in (load, load + 0.01):
        run(state, x, 5)
        powers.append(
            (float(state.sites[0].it_w), float(state.sites[0].facility_w), float(state.sites[0].marginal_pue))
        )
    (it, facility, slope), (more_it, more, _) = powers
    assert slope == pytest.approx((more - facility) / (more_it - it), rel=0.03)
    assert slope > 1.0


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_exceeded_at_the_allowed_power(seed: int) -> None:
    """Random sites, weather and broken parts: a controller that keeps to the site's limit keeps within all of them."""
    g = np.random.default_rng(seed)
    power = {
        "redundancy": str(g.choice(["N", "N+1", "4N/3", "3N/2", "2N"])),
        "feeds": int(g.integers(1, 5)),
        "oversubscription": float(g.uniform(1.0, 1.4)),
    }
    state = state_with(power=power, **({"grid": float(g.uniform(1e6, 3e6))} if g.random() < 0.5 else {}))
    state.hours.dry_c[:] = g.uniform(5.0, 42.0)
    state.hours.wet_c[:] = state.hours.dry_c - g.uniform(1.0, 12.0)
    s, train, north = state.sites[0], state.trains[0], state.rows.site == 0
    for part in g.choice(np.flatnonzero(state.parts.kind > GRID_PART), g.integers(0, 4), replace=False):
        if state.parts[part].kind == CDU:
            continue  # rows, not the site
        if state.parts[part].kind == FEED and np.count_nonzero(state.parts.kind == FEED) > 1:
            dim_feed(state, int(part), float(g.uniform(0.2, 0.9)))
        elif state.parts[part].kind != FEED:
            set_part(state, int(part), 0)
    share, busway = 0.5, float((state.rows.limit_w / state.rows.max_w)[north].min())
    for _ in range(2000):
        state.rows.it_j[:] = 0.0
        state.rows.idle_w[north] = share * state.rows.max_w[north]
        facility_step(state, float(state.clock[0].now_s) + 10.0, 10.0)
        share = min(busway, share * min(1.02, float(s.allowed_it_w) / max(float(s.it_w), 1.0)))
    assert train.critical_w <= 1.01 * ups_rating_w(state, 0)
    assert train.bus_w <= 1.01 * transformer_rating_w(state, 0)
    assert s.grid_w <= 1.01 * s.grid_limit_w
    assert not state.rows.tripped[north].any()
    assert state.rows.stretch[north].max() == 1.0
