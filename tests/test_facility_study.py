"""Buildings over a year: PUE medians within their published bands, compressor-free hours as taken by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scripts.facility_study import compressor_free, in_band, medians
from scripts.validation.compressor_free import LOOPS, shares
from scripts.validation.pue import BUILDINGS, Year, median_of, places, study, year_of

from meritorder.facility.state import HOUR
from meritorder.records import Records, records

# hardware notes 4.3, from the same files, but with Stull's wet bulb (about 1 K off): dry 7 C, wet 12 C, dry 31 C.
BY_HAND = {
    "US-TEX-ERCO": (0.09, 0.34, 0.85),
    "US-MIDA-PJM": (0.27, 0.57, 0.98),
    "US-CAL-CISO": (0.08, 0.54, 0.99),
    "CA-ON": (0.45, 0.66, 1.0),
    "DE-LU": (0.27, 0.64, 0.997),
    "SG": (0.0, 0.0, 0.97),
}
EVERY = 13  # hours: no multiple of a day, so that all times of day come


@pytest.fixture(scope="module")
def weather(shared: Path) -> dict[str, Records]:
    return places(shared / "environment")


@pytest.fixture(scope="module")
def years(weather: dict[str, Records]) -> list[Year]:
    return list(study(weather, EVERY))


def test_median_pue_of_every_building_is_in_its_published_band(years: list[Year]) -> None:
    assert len(years) == len(BUILDINGS) * 10
    for building in BUILDINGS:
        assert in_band(years, building), (building.name, median_of(years, building, "pue"), building.pue)


def test_water_is_of_the_published_size(years: list[Year]) -> None:
    for building in BUILDINGS:
        found = median_of(years, building, "wue")
        if building.wue > 1.0:
            assert found == pytest.approx(building.wue, rel=0.1)
        else:
            assert 0.0 <= found <= max(0.31, building.wue)


def test_compressor_free_hours_are_those_taken_by_hand(weather: dict[str, Records]) -> None:
    found = {(share.place, share.loop.name): share for share in shares(weather, EVERY)}
    for place, expected in BY_HAND.items():
        for loop, part in zip(LOOPS, expected, strict=True):
            share = found[place, loop.name]
            assert share.by_plant == pytest.approx(share.by_hand, abs=0.01)
            assert share.by_plant == pytest.approx(part, abs=0.03)
            assert share.as_run >= share.by_plant


def test_a_hot_place_costs_more_in_every_building() -> None:
    mild, hot = summer(15.0), summer(32.0)
    years = [year_of(building, "here", hours) for building in BUILDINGS for hours in (mild, hot)]
    for cool, warm in zip(years[::2], years[1::2], strict=True):
        assert warm.pue > cool.pue - 1e-3
        assert warm.peak_pue >= warm.pue


def test_tables_hold_every_building_and_place() -> None:
    hours = {"here": summer(20.0), "there": summer(25.0)}
    assert len(list(medians(list(study(hours))))) == 2 + len(BUILDINGS)
    assert [line.split(" | ")[0] for line in compressor_free(list(shares(hours)))][2:] == ["| here", "| there"]


def summer(mean_c: float) -> Records:
    """A few days of a place, 10 K up and down."""
    hours = records(72, HOUR)
    hours.dry_c[:] = mean_c + 10 * np.sin(np.arange(72) / 12 * np.pi)
    hours.wet_c[:] = hours.dry_c - 6
    return hours
