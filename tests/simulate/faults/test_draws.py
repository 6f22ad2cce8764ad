"""Random numbers of faults: right distributions, independent streams, the same whatever else there is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meritorder.simulate.faults.draws import between, keys, repairs, residual, uniforms

N = 40_000
ALL = np.arange(N)


def test_uniforms_are_uniform_within_and_across_streams() -> None:
    """Kolmogorov-Smirnov distance of a fair sample of n stays below 1.95 / sqrt(n) but for one in a thousand."""
    across = np.sort(uniforms(keys(0, "machine a", ALL), 0))
    one = keys(0, "machine a", np.array([17]))
    within = np.sort([float(uniforms(one, draw)[0]) for draw in range(4000)])
    for sample in (across, within):
        n = len(sample)
        assert np.abs(sample - (np.arange(n) + 0.5) / n).max() < 1.95 / math.sqrt(n)
        assert sample[0] > 0.0
        assert sample[-1] < 1.0


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((0, "machine a", 0), (0, "machine a", 1)),  # draws of one thing
        ((0, "machine a", 0), (1, "machine a", 0)),  # seeds
        ((0, "machine a", 0), (0, "machine b", 0)),  # owners
    ],
)
def test_streams_are_independent(a: tuple[int, str, int], b: tuple[int, str, int]) -> None:
    """The correlation of n independent pairs has a standard deviation of 1 / sqrt(n); neighbours likewise."""
    first, second = (uniforms(keys(seed, what, ALL), draw) for seed, what, draw in (a, b))
    for x, y in ((first, second), (first[1:], first[:-1])):
        assert abs(np.corrcoef(x, y)[0, 1]) < 4 / math.sqrt(N)


def test_a_thing_keeps_its_numbers_whatever_else_there_is() -> None:
    """Number 5 of ten things draws the same as number 5 of a thousand."""
    few, many = keys(3, "rack dallas", np.arange(10)), keys(3, "rack dallas", np.arange(1000))
    assert (few == many[:10]).all()
    assert len(set(many.tolist())) == 1000


@pytest.mark.parametrize("shape", [0.5, 1.0, 3.0])
def test_times_between_failures_have_their_mean_and_shape(shape: float) -> None:
    times = between(uniforms(keys(0, "x", ALL), 0), 1000.0, shape)
    ratio = math.gamma(1 + 2 / shape) / math.gamma(1 + 1 / shape) ** 2 - 1  # variance by mean squared
    assert times.mean() == pytest.approx(1000.0, abs=5 * 1000 * math.sqrt(ratio / N))
    # the median of a Weibull distribution
    median = 1000.0 / math.gamma(1 + 1 / shape) * math.log(2) ** (1 / shape)
    assert np.median(times) == pytest.approx(median, rel=0.04)


@pytest.mark.parametrize("shape", [0.5, 1.0, 3.0])
def test_things_of_random_age_fail_at_a_constant_rate_from_the_start(shape: float) -> None:
    """Renewal theory: started in equilibrium, t / mtbf failures are expected in every [0, t], also a short one."""
    stream = keys(1, "y", ALL)
    time, count = residual(uniforms(stream, 0), 1000.0, shape), np.zeros(N)
    early = (time < 100.0).astype(float)
    for draw in range(1, 60):
        count += time < 2000.0
        time = time + between(uniforms(stream, draw), 1000.0, shape)
        early += time < 100.0
    assert count.mean() == pytest.approx(2.0, rel=0.03)
    assert early.mean() == pytest.approx(0.1, rel=0.08)


@given(st.floats(0.0, 2.0), st.floats(1.0, 1e6))
def test_repairs_are_log_normal_with_the_mean_that_is_given(sigma: float, mean: float) -> None:
    stream = keys(7, "repairs", np.arange(20_000))
    times = repairs(uniforms(stream, 1), uniforms(stream, 2), mean, sigma)
    logs = np.log(times)
    assert logs.mean() == pytest.approx(math.log(mean) - sigma**2 / 2, abs=0.05 * max(sigma, 1e-6) + 1e-9)
    assert logs.std() == pytest.approx(sigma, rel=0.03, abs=1e-9)
