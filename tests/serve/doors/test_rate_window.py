"""The sliding minute behind rate limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meritorder.serve.doors.window import Window

times = st.lists(st.floats(0, 200), min_size=1, max_size=60).map(sorted)


def test_as_many_as_the_limit_at_once_and_no_more() -> None:
    window = Window()
    for _ in range(10):
        assert window.wait(5.0, 1, 10) == 0
        window.add(5.0, 1)
    assert window.wait(5.0, 1, 10) > 0


def test_an_old_minute_is_forgotten() -> None:
    window = Window()
    window.add(5.0, 10)
    assert window.wait(59.9, 1, 10) > 0
    assert window.wait(120.0, 10, 10) == 0


@given(times, st.integers(1, 20), st.floats(0, 50))
def test_what_it_says_of_waiting_is_true(moments: list[float], limit: int, amount: float) -> None:
    """After the wait it fits, and a moment before it did not."""
    window = Window()
    for moment in moments:
        if not window.wait(moment, 1, limit):
            window.add(moment, 1)
    now = moments[-1]
    wait = window.wait(now, amount, limit)
    assert 0 <= wait <= 120
    if wait > 1e-3:
        assert window.wait(now + wait * 0.99, amount, limit) > 0
    assert window.wait(now + wait, amount, limit) < 1e-6


@given(times, st.integers(1, 20))
def test_no_more_than_twice_the_limit_in_any_minute(moments: list[float], limit: int) -> None:
    """Counting two fixed minutes is not exact, but never worse than this; in a steady flow it is the limit."""
    window, passed = Window(), []
    for moment in moments:
        if not window.wait(moment, 1, limit):
            window.add(moment, 1)
            passed.append(moment)
    for moment in passed:
        assert sum(moment - 60 < other <= moment for other in passed) <= 2 * limit


def test_a_steady_flow_gets_the_limit() -> None:
    window, passed = Window(), 0
    for step in range(36_000):  # an hour of ten a second
        if not window.wait(step / 10, 1, 60):
            window.add(step / 10, 1)
            passed += 1
    assert passed == pytest.approx(60 * 60, rel=0.05)


def test_taking_back() -> None:
    window = Window()
    window.add(50.0, 100)
    window.add(70.0, 10)
    window.add(71.0, -60)
    assert (window.before, window.now) == (50, 0)
    window.add(72.0, -1000)
    assert (window.before, window.now) == (0, 0)


def test_more_than_the_limit_passes_alone_only() -> None:
    window = Window()
    assert window.wait(0.0, 1000, 10) == 0
    window.add(0.0, 1)
    assert window.wait(0.0, 1000, 10) > 60


def test_what_others_used_counts() -> None:
    window = Window()
    window.add(5.0, 1)
    window.others_now = 9
    assert window.wait(5.0, 1, 10) > 0
    window.roll(1.0)
    assert (window.others_before, window.others_now) == (9, 0)
