"""The intervals of a fitted past hold what comes: measured on synthetic series, from white noise to random walks."""

from __future__ import annotations

import numpy as np
import pytest

from meritorder.plan.demand.history import models_of, predicted
from meritorder.plan.instance import Floats

AHEAD = 24
SERIES = 40
NOISE = 0.06


def series(kind: str, n: int, rho: float, rng: np.random.Generator) -> Floats:
    """Logarithms of n + 24 months: exponential growth (x2.7 a year) or an S-curve, with AR(1) errors."""
    time = np.arange(n + AHEAD)
    trend = time / 12 if kind == "exponential" else -np.logaddexp(0.0, -0.25 * (time - 0.6 * n))
    shocks = NOISE * rng.standard_normal(n + AHEAD)
    error = np.zeros(n + AHEAD)
    for month in range(1, n + AHEAD):
        error[month] = rho * error[month - 1] + shocks[month]
    return trend + error


def measured(kind: str, n: int, rho: float) -> tuple[Floats, Floats, float]:
    """Share of months inside their interval, by months ahead; mean width (of logarithms); mean error of the median."""
    rng = np.random.default_rng(1)
    inside, widths, errors = [], [], []
    for _ in range(SERIES):
        y = series(kind, n, rho, rng)
        interval = np.log(predicted(models_of(y[:n], 0, AHEAD), 1500))
        inside.append((interval[:, 0] <= y[n:]) & (y[n:] <= interval[:, 2]))
        widths.append(interval[:, 2] - interval[:, 0])
        errors.append(interval[:, 1] - y[n:])
    return np.mean(inside, axis=0), np.median(widths, axis=0), float(np.mean(errors))


@pytest.mark.parametrize("kind", ["exponential", "S-curve"])
@pytest.mark.parametrize(("n", "rho"), [(12, 0.5), (24, 0.0), (24, 1.0), (36, 0.9)])
def test_months_to_come_are_inside(kind: str, n: int, rho: float) -> None:
    inside, width, error = measured(kind, n, rho)
    assert 0.7 <= inside.mean() <= 0.99, "80 % is meant; random walks in a short past come out lower, noise higher"
    assert width[-1] > 1.2 * width[0], "further ahead less is known"
    assert abs(error) < 0.5, "not far off: a year of an S-curve is all but exponential"


def test_a_long_quiet_past_says_much() -> None:
    _, width, error = measured("exponential", 60, 0.0)
    assert np.exp(width[-1]) < 1.35, "an interval that is always right is of no use"
    assert abs(error) < 0.03
