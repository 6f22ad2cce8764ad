"""Numbers as people read them."""

from __future__ import annotations

import pytest

from meritorder.report.text import change, energy, number, seconds, share, watts


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "–"),
        (0.0, "0 s"),
        (4.2e-5, "42.0 µs"),
        (0.0123, "12.3 ms"),
        (0.9996, "1,000 ms"),
        (1.0, "1.00 s"),
        (95.0, "95.0 s"),
        (720.0, "12.0 min"),
        (7200.0, "2.00 h"),
    ],
)
def test_seconds(value: float | None, expected: str) -> None:
    assert seconds(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1.0, "100.0%"), (0.99951, "> 99.9%"), (0.999951, "> 99.99%"), (0.9994, "99.9%"), (0.0, "0.0%"), (None, "–")],
)
def test_only_all_is_a_hundred_percent(value: float | None, expected: str) -> None:
    assert share(value) == expected


def test_multiples() -> None:
    assert watts(5432.1) == "5.43 kW"
    assert watts(7.5e8) == "750 MW"
    assert energy(3.6e6) == "1.00 kWh"
    assert number(1234567.0, "tok/s") == "1,234,567 tok/s"
    assert number(0.00123) == "0.0012"
    assert number(0) == "0"


@pytest.mark.parametrize(
    ("delta", "better", "distinguishable", "expected"),
    [
        (0.5, "lower", True, ("✗", "+25.0%")),
        (-0.5, "lower", True, ("✓", "−25.0%")),
        (0.5, "higher", True, ("✓", "+25.0%")),
        (0.5, "higher", False, ("≈", "+25.0%")),
        (0.5, "higher", None, ("✓", "+25.0%")),
        (0.5, "", True, ("", "+25.0%")),
        (0.0, "lower", False, ("=", "")),
    ],
)
def test_change(delta: float, better: str, distinguishable: bool | None, expected: tuple[str, str]) -> None:
    difference = {"delta": delta, "relative": delta / 2, "distinguishable": distinguishable}
    assert change(difference, {"unit": "s", "better": better}) == expected
