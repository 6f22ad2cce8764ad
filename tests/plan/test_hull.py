"""Facility power as pieces: convex, near the samples, exact where few pieces do."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from meritorder.plan.sites.hull import convex_pieces, evaluate, lower_hull, relative_error

LOADS = np.linspace(0.0, 1.0, 11)
EVEN = np.ones(11)
SAMPLES = arrays(np.float64, (3, 11), elements=st.floats(0.01, 2.0))


@given(SAMPLES)
def test_the_hull_is_the_largest_convex_function_below(watts: np.ndarray) -> None:
    hull = lower_hull(LOADS, watts)
    assert (hull <= watts + 1e-12).all()
    assert (np.diff(hull, n=2, axis=1) >= -1e-9).all()
    assert np.allclose(hull[:, [0, -1]], watts[:, [0, -1]])
    # it touches the samples wherever it bends
    bends = np.diff(hull, n=2, axis=1) > 1e-6
    assert np.allclose(hull[:, 1:-1][bends], watts[:, 1:-1][bends])


@given(SAMPLES)
def test_pieces_lie_on_and_above_the_hull_and_more_are_nearer(watts: np.ndarray) -> None:
    hull = lower_hull(LOADS, watts)
    errors = []
    for most in (1, 2, 4, 10):
        found = evaluate(convex_pieces(LOADS, watts, EVEN, most), LOADS)
        assert (found >= hull - 1e-9).all()
        errors.append(relative_error(found, hull).max())
    assert all(later <= earlier + 1e-9 for earlier, later in pairwise(errors))
    assert errors[-1] < 1e-9


@given(st.floats(0.0, 0.3), st.floats(1.0, 2.0), st.floats(0.0, 0.5))
def test_two_straight_parts_are_found_exactly(start: float, slope: float, bend: float) -> None:
    watts = np.maximum(start + slope * LOADS, start + slope * LOADS + bend * (LOADS - 0.6))[None]
    pieces = convex_pieces(LOADS, watts, EVEN, 2)
    assert pieces.shape == (1, 2, 2)
    assert evaluate(pieces, LOADS) == pytest.approx(watts, abs=1e-9)


def test_a_straight_line_is_one_piece() -> None:
    pieces = convex_pieces(LOADS, (1.25 * LOADS)[None], EVEN, 4)
    assert pieces[0, 0] == pytest.approx([0.0, 1.25])
    assert (pieces[0, 1:] == 0.0).all()


def test_weight_says_where_errors_count() -> None:
    watts = (0.05 + LOADS**4)[None]
    off = [
        relative_error(evaluate(convex_pieces(LOADS, watts, weight, 2), LOADS), watts)[0, 6:].max()
        for weight in (np.where(LOADS > 0.55, 1.0, 0.01), np.where(LOADS > 0.55, 0.01, 1.0))
    ]
    assert off[0] < 0.6 * off[1]
