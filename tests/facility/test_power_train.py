"""Losses over part load, redundancy, and what they mean at the meter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sites import run, state_with

from meritorder.facility.sizes import capacity_w, installed_share, modules_installed, modules_needed
from meritorder.facility.train import loss_w
from meritorder.fleet.power_train import LossCurve, PowerTrain

UPS = PowerTrain().ups


def efficiency(curve: LossCurve, load: float) -> float:
    return load / (load + loss_w(1.0, curve.no_load, curve.proportional, curve.square, load))


def test_curves_have_the_published_efficiencies() -> None:
    """UPS in double conversion at most 97.5 %, transformers 98.5 to 99.3 %."""
    loads = np.linspace(0.05, 1.0, 200)
    best = max(efficiency(UPS, x) for x in loads)
    assert best == pytest.approx(0.975, abs=0.0005)
    assert all(efficiency(UPS, x) > 0.969 for x in (0.25, 0.5, 0.75, 1.0))
    assert 0.985 < efficiency(PowerTrain().transformer, 1.0) < efficiency(PowerTrain().transformer, 0.5) < 0.993


@given(st.floats(1e3, 1e9), st.floats(0.01, 1.0), st.integers(2, 8))
def test_more_modules_share_the_load(rating: float, part: float, times: int) -> None:
    """n times the rating at a load loses what one rating loses at an n-th of it, n times."""
    one = loss_w(rating, UPS.no_load, UPS.proportional, UPS.square, part * rating / times)
    all_of_them = loss_w(times * rating, UPS.no_load, UPS.proportional, UPS.square, part * rating)
    assert all_of_them == pytest.approx(times * one, rel=1e-12)


@pytest.mark.parametrize(
    ("redundancy", "modules", "share"),
    [("N", 8, 1.0), ("N+1", 9, 4 / 3), ("4N/3", 11, 4 / 3), ("3N/2", 12, 1.5), ("2N", 16, 2.0)],
)
def test_redundancy_installs_more(redundancy: str, modules: int, share: float) -> None:
    power = PowerTrain.model_validate({"redundancy": redundancy, "capacity": 11.9e6, "feeds": 4, "module": 1.5e6})
    assert modules_needed(power, 0.0) == 8
    assert modules_installed(power, 0.0) == modules
    assert installed_share(power) == pytest.approx(share)


def test_oversubscription_builds_a_smaller_path() -> None:
    plain, over = (capacity_w(PowerTrain(oversubscription=x), 10e6) for x in (1.0, 1.25))
    assert over == pytest.approx(plain / 1.25)


def test_modules_are_as_small_as_the_site() -> None:
    """A closet has four small modules, a campus many of 1.5 MW."""
    for nameplate, modules in ((10e3, 4), (100e6, 70)):
        assert modules_needed(PowerTrain(), nameplate) == modules


def test_2n_at_forty_percent_is_not_n_at_eighty() -> None:
    """The same machines behind twice the modules lose more in the UPS at low load, less in cables."""
    single, double = state_with(power={"redundancy": "N"}), state_with(power={"redundancy": "2N"})
    for state in (single, double):
        run(state, 0.2, 3)
    n, two = single.trains[0], double.trains[0]
    assert two.ups_loss_w > 1.1 * n.ups_loss_w
    assert two.distribution_loss_w == pytest.approx(0.5 * n.distribution_loss_w)
    assert two.transformer_loss_w > n.transformer_loss_w


def test_shelves_only_lose_where_figures_are_behind_them() -> None:
    """The catalog's watts are at the plug: without a curve nothing is lost twice."""
    shelf = {"no_load": 0.0045, "proportional": 0.0076, "square": 0.018}
    at_plug, behind = state_with(), state_with(power={"shelf": shelf})
    for state in (at_plug, behind):
        run(state, 1.0, 2)
    assert at_plug.trains[0].shelf_loss_w == 0.0
    assert np.array_equal(at_plug.rows.heat_w[:-1], at_plug.rows.it_w[:-1])
    lost = behind.trains[0].shelf_loss_w / behind.sites[0].it_w
    assert lost == pytest.approx(sum(shelf.values()), rel=1e-9)
    assert behind.rows.heat_w[:-1].sum() == pytest.approx(behind.sites[0].it_w * (1 + lost))


def test_a_site_of_which_only_a_pue_is_known() -> None:
    state = state_with()
    run(state, 0.5, 5)
    s = state.sites[1]
    assert s.facility_w == s.grid_w == pytest.approx(1.3 * s.it_w)
    assert s.marginal_pue == 1.3
    assert s.usd == pytest.approx(s.grid_j * 0.1 / 3.6e6)
    assert s.co2_kg == pytest.approx(s.grid_j * 0.4 / 3.6e6)
