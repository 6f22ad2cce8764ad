"""Growth fitted to a service's past: what is recovered, what is refused, and that nothing of it is random."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from meritorder.fleet.plan.span import later
from meritorder.plan.demand import history
from meritorder.plan.demand.history import Fit, fitted
from meritorder.plan.demand.regression import Family, draws, fit
from meritorder.plan.instance import Floats
from meritorder.problems import InputError


def written(folder: Path, values: Floats, first: str = "2023-01") -> Path:
    path = folder / "past.csv"
    rows = "".join(f"{later(first, month)},{value!r}\n" for month, value in enumerate(values.tolist()))
    path.write_text("# from the gateway's log\nmonth,requests_per_s\n" + rows)
    return path


def told(folder: Path, values: Floats, until: str = "2026-12") -> Fit:
    return fitted(written(folder, values), until)


def test_exact_growth_is_found(tmp_path: Path) -> None:
    time = np.arange(24)
    found = told(tmp_path, 5 * 3 ** (time / 12))
    assert (found.months, found.first, found.last, found.future[-1]) == (24, "2023-01", "2024-12", "2026-12")
    assert found.per_year == pytest.approx((3, 3, 3), rel=0.02)
    assert found.interval[11, 1] == pytest.approx(5 * 3 ** (35 / 12), rel=0.02)
    assert next(iter(found.models)) == "exponential"


def test_a_past_that_levels_off_is_an_s_curve(tmp_path: Path) -> None:
    time = np.arange(40)
    rng = np.random.default_rng(4)
    found = told(tmp_path, 80 / (1 + 30 * np.exp(-0.25 * time)) * np.exp(0.03 * rng.standard_normal(40)))
    assert next(iter(found.models)) == "S-curve"
    assert found.models["S-curve"] > 0.9
    assert found.interval[-1] == pytest.approx([80, 80, 80], rel=0.15)


def test_seasons_are_found_from_two_years_on_and_told_apart_from_growth(tmp_path: Path) -> None:
    time = np.arange(48)
    rng = np.random.default_rng(5)
    season = 0.4 * np.cos(2 * np.pi * time / 12)
    values = 10 * np.exp(0.5 * time / 12 + season + 0.02 * rng.standard_normal(48))
    found = fitted(written(tmp_path, values, "2022-01"), "2027-12")
    assert next(iter(found.models)) == "exponential with seasons"
    months = np.arange(48, 72)
    wanted = 10 * np.exp(0.5 * months / 12 + 0.4 * np.cos(2 * np.pi * months / 12))
    assert found.interval[:, 1] == pytest.approx(wanted, rel=0.12)
    short = fitted(written(tmp_path, values[:23], "2022-01"), "2024-12")
    assert set(short.models) == {"exponential", "S-curve"}


def test_the_same_past_says_the_same(tmp_path: Path) -> None:
    values = np.exp(0.1 * np.random.default_rng(6).standard_normal(20).cumsum())
    first = told(tmp_path, values)
    history._fitted.cache_clear()
    assert np.array_equal(first.interval, told(tmp_path, values).interval)


def test_how_it_fared_on_its_own_past_is_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    found = told(tmp_path, np.exp(np.arange(30) / 12 + 0.05 * rng.standard_normal(30)))
    assert found.tried > 20
    assert 0.0 < found.error < 0.3
    assert found.inside > 0.5


def test_a_wild_past_is_refused(tmp_path: Path) -> None:
    values = np.exp(np.random.default_rng(8).standard_normal(9).cumsum())
    with pytest.raises(
        InputError, match=r"past.csv: says next to nothing of 20\d\d-\d\d: its interval spans a factor of"
    ):
        told(tmp_path, values)


def test_zero_months_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"past.csv:4: requests_per_s: is 0.0; give more than 0"):
        told(tmp_path, np.array([1.0, 0.0, *range(2, 10)]))


def test_a_regression_is_that_of_least_squares_where_errors_have_no_memory() -> None:
    """With rho = 0 alone the predictive is Student's t of ordinary least squares."""
    rng = np.random.default_rng(9)
    time = np.arange(40.0)
    y = 1.0 + 0.05 * time[:30] + 0.1 * rng.standard_normal(30)
    design = np.stack([np.ones(40), time], axis=1)
    posterior = fit(Family("line", design, np.zeros((1, 40)), 0), y)
    beta, residual, _, _ = np.linalg.lstsq(design[:30], y, rcond=None)
    assert posterior.beta[0, 0] == pytest.approx(beta)
    assert posterior.squares[0, 0] == pytest.approx(residual[0])
    posterior.weights[:] = 0.0
    posterior.weights[0, 0] = 1.0
    futures = draws(posterior, 40_000, 1)
    spread = np.linalg.inv(design[:30].T @ design[:30])
    variance = residual[0] / 28 * (1 + np.einsum("mi,ij,mj->m", design[30:], spread, design[30:])) * 28 / 26
    assert futures.mean(axis=0) == pytest.approx(design[30:] @ beta, abs=0.005)
    assert futures.var(axis=0) == pytest.approx(variance, rel=0.05)
