"""The closed form of a jump against the sum it stands for."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meritorder.simulate.kernel.jump import iterations_until, total

base = st.floats(1e-6, 1.0)
slope = st.one_of(st.just(0.0), st.floats(1e-12, 1e-4))
kv = st.integers(0, 10**7)
batch = st.integers(1, 512)


@given(base, slope, kv, batch, st.integers(0, 400))
def test_total_is_the_sum_over_iterations(base: float, slope: float, kv: int, batch: int, n: int) -> None:
    stepped = math.fsum(base + slope * (kv + batch * j) for j in range(n))
    assert total(base, slope, kv, batch, n) == pytest.approx(stepped, rel=1e-12, abs=1e-300)


@given(base, slope, kv, batch, st.floats(0.0, 1e4))
def test_iterations_until_is_the_least(base: float, slope: float, kv: int, batch: int, seconds: float) -> None:
    n = iterations_until(base, slope, kv, batch, seconds)
    assert n >= 1
    assert total(base, slope, kv, batch, n) >= seconds
    assert n == 1 or total(base, slope, kv, batch, n - 1) < seconds


@given(base, slope, kv, batch, st.integers(1, 10**6))
def test_a_boundary_belongs_to_the_iteration_that_ends_there(
    base: float, slope: float, kv: int, batch: int, n: int
) -> None:
    assert iterations_until(base, slope, kv, batch, total(base, slope, kv, batch, n)) == n
