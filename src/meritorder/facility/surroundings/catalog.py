"""Climates and grids of the catalog as series: a typical year, the same every year."""

from __future__ import annotations

import numpy as np

from meritorder.catalog.climates import Climate, Grid, electricity, weather
from meritorder.facility.psychro import saturation_pressure, standard_pressure
from meritorder.facility.surroundings.series import Series

_YEAR = 978_307_200  # 2001-01-01T00:00Z, a year of 365 days that stands for any


def climate_series(name: str, climate: Climate) -> Series:
    """Dry bulb C, vapour pressure Pa and pressure Pa by the hour."""
    dry, dew = weather(climate)
    pressure = np.full(len(dry), standard_pressure(climate.elevation_m))
    values = np.stack([dry, saturation_pressure(dew), pressure], axis=1)
    notes = ("a typical year from fitted harmonics; `merit catalog show` says how well they fit",)
    return Series(f"catalog: {name}", _YEAR, 3600, values, typical=True, notes=notes)


def price_series(name: str, grid: Grid) -> Series:
    """USD per kWh by the hour."""
    notes = ("means by month, quarter and hour of the day, without their spikes",)
    return Series(f"catalog: {name}", _YEAR, 3600, electricity(grid)[0][:, None], typical=True, notes=notes)


def carbon_series(name: str, grid: Grid) -> Series:
    """kg CO2 per kWh by the hour."""
    notes = ("means by month, quarter and hour of the day",)
    return Series(f"catalog: {name}", _YEAR, 3600, electricity(grid)[1][:, None], typical=True, notes=notes)
