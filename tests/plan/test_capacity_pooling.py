"""The law of pool sizes and the curve between simulated ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meritorder.plan.capacity.pooling import TRUSTED, between, fit, rising

SIZES = np.array([1.0, 2.0, 4.0, 16.0, 64.0])
RATES = st.lists(st.floats(0.1, 100), min_size=5, max_size=5).map(np.array)


@given(RATES)
def test_what_rises_never_falls_and_keeps_its_mean(rates: np.ndarray) -> None:
    """PAV moves values between neighbours only."""
    risen = rising(rates)
    assert (np.diff(risen) >= -1e-12).all()
    assert risen.mean() == pytest.approx(rates.mean())


def test_what_rises_already_is_left_alone() -> None:
    """And only the wrong neighbours share their mean."""
    assert rising(np.array([1.0, 2.0, 3.0])).tolist() == [1.0, 2.0, 3.0]
    assert rising(np.array([1.0, 4.0, 2.0, 5.0])).tolist() == [1.0, 3.0, 3.0, 5.0]


@pytest.mark.parametrize("exponent", [0.5, 0.75, 1.0])
def test_a_law_is_found_again(exponent: float) -> None:
    """Rates made by the law give its numbers."""
    law = fit(SIZES, 20.0 * (1.0 - 0.4 * SIZES**-exponent))
    assert (law.most, law.waste, law.exponent) == pytest.approx((20.0, 0.4, exponent))
    assert law.error < 1e-9
    assert law.rate(1e9) == pytest.approx(20.0, rel=1e-3)


@given(RATES, st.floats(0.1, 1e5), st.floats(0.1, 1e5))
def test_the_curve_never_falls_with_the_pool(rates: np.ndarray, a: float, b: float) -> None:
    """Between, below and beyond the simulated pools, whatever was simulated."""
    risen = rising(rates)
    law = fit(SIZES, risen)
    low, high = sorted((a, b))
    assert between(low, SIZES, risen, law) <= between(high, SIZES, risen, law) * (1 + 1e-9)


def test_simulated_pools_are_met_and_small_ones_have_the_smallest_rate() -> None:
    """No smoothing where nothing is wrong; a part of a replica is no worse than one."""
    rates = np.array([10.0, 12.0, 14.0, 16.0, 17.0])
    law = fit(SIZES, rates)
    assert [between(n, SIZES, rates, law) for n in SIZES] == pytest.approx(rates)
    assert between(0.2, SIZES, rates, law) == 10.0


def test_nothing_is_gained_beyond_where_the_law_says_nothing() -> None:
    """A law that misses what was simulated does not speak of larger pools; a good one adds at most its limit."""
    wild = np.array([1.0, 1.0, 9.0, 9.0, 9.0])
    law = fit(SIZES, wild)
    assert law.error > TRUSTED
    assert between(1e4, SIZES, wild, law) == 9.0
    good = 20.0 * (1.0 - 0.4 * SIZES**-0.5)
    law = fit(SIZES, good)
    assert good[-1] < between(1e4, SIZES, good, law) < 20.0
