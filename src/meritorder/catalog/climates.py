"""Climates and grids of the catalog: a typical year of weather, price and carbon from fitted coefficients.

A climate is `mean(day) x hour` harmonics of dry bulb and dew point plus spells of warm and cold, dry and damp days:
sums of sines whose periods (3 to 15 days) divide the year, so that it repeats. A grid is a mean per month times a
profile of the day per quarter. `scripts/fit_climates.py` fits both; `data/climates.yaml` says from what.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

HOURS = 8760  # of the typical year: hour 0 begins on 1 January 00:00 UTC
# Cycles a year of the sines that spells are made of: warm or cold ones, and on top damp or dry ones.
WARM = (25, 33, 41, 52, 61, 73, 89, 104)
DAMP = (29, 37, 47, 57, 67, 79, 95, 113)
_GOLDEN = 0.6180339887498949
_MONTH_ENDS = np.cumsum((31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)) * 24


@dataclass(frozen=True)
class Climate:
    """Coefficients of a place's weather; rows are annual harmonics, columns those of the day (see `harmonics`)."""

    title: str
    source: str
    elevation_m: float
    utc_offset_h: float
    dry: Floats  # [5, 5] dry bulb, C
    dew: Floats  # [5, 5] dew point, C
    warm: Floats  # [3] spells: standard deviation of the dry bulb, K, as it changes over the year
    dew_per_dry: Floats  # [3] kelvin of dew point that come with a kelvin of them
    damp: Floats  # [3] standard deviation of the dew point on its own, K
    phase: int  # chooses when spells come
    check: Mapping[str, Mapping[str, float]]  # real and fitted: quantiles


@dataclass(frozen=True)
class Grid:
    """Price and carbon of a market's electricity: means of months, and parts of them by quarter and hour (UTC)."""

    title: str
    source: str
    price_month: Floats  # [12] USD/kWh
    price_hour: Floats  # [4, 24]
    carbon_month: Floats  # [12] kg/kWh, direct emissions
    carbon_hour: Floats  # [4, 24]


def harmonics(cycles: Floats, order: int) -> Floats:
    """`1, cos, sin, cos 2, sin 2 ...` of so many cycles [n, 2 order + 1]."""
    angle = 2 * np.pi * cycles[:, None]
    columns = [np.ones((len(cycles), 1))]
    for k in range(1, order + 1):
        columns += [np.cos(k * angle), np.sin(k * angle)]
    return np.concatenate(columns, axis=1)


def spells(cycles: tuple[int, ...], phase: int) -> Floats:
    """A signal of variance 1 for every hour of the year (8,760)."""
    year = np.arange(HOURS) / HOURS
    angles = [2 * np.pi * (n * year + (_GOLDEN * (k + 1) * (2 * phase + 1)) % 1.0) for k, n in enumerate(cycles)]
    signal: Floats = np.sqrt(2.0 / len(cycles)) * np.cos(angles).sum(axis=0)
    return signal


def weather(climate: Climate) -> tuple[Floats, Floats]:
    """Dry bulb and dew point, C, of each hour of the typical year (8,760 each)."""
    hours = np.arange(HOURS)
    slow, daily = harmonics(hours / HOURS, 2), harmonics((hours % 24) / 24.0, 2)
    season = slow[:, :3]
    warm = np.maximum(season @ climate.warm, 0.0) * spells(WARM, climate.phase)
    damp = np.maximum(season @ climate.damp, 0.0) * spells(DAMP, climate.phase)
    dry = np.einsum("ha,ab,hb->h", slow, climate.dry, daily) + warm
    dew = np.einsum("ha,ab,hb->h", slow, climate.dew, daily) + (season @ climate.dew_per_dry) * warm + damp
    return dry, np.minimum(dew, dry)


def electricity(grid: Grid) -> tuple[Floats, Floats]:
    """USD per kWh and kg CO2 per kWh of each hour of the typical year (8,760 each)."""
    hours = np.arange(HOURS)
    month = np.searchsorted(_MONTH_ENDS, hours, side="right")
    price = grid.price_month[month] * grid.price_hour[month // 3, hours % 24]
    carbon = grid.carbon_month[month] * grid.carbon_hour[month // 3, hours % 24]
    return price, carbon


@cache
def climates() -> dict[str, Climate]:
    """All climates by name."""
    return {name: _climate(entry) for name, entry in _file()["climates"].items()}


@cache
def grids() -> dict[str, Grid]:
    """All grids by name."""
    return {name: _grid(entry) for name, entry in _file()["grids"].items()}


def _climate(entry: Mapping[str, Any]) -> Climate:
    return Climate(
        title=entry["title"],
        source=_file()["sources"][entry["source"]]["title"],
        elevation_m=float(entry["elevation_m"]),
        utc_offset_h=float(entry["utc_offset_h"]),
        **{key: np.array(entry[key], np.float64) for key in ("dry", "dew", "warm", "dew_per_dry", "damp")},
        phase=entry["phase"],
        check=entry["check"],
    )


def _grid(entry: Mapping[str, Any]) -> Grid:
    arrays = {
        "price_month": 1e-3 * np.array(entry["usd_per_mwh_by_month"], np.float64),
        "price_hour": np.array(entry["usd_by_hour"], np.float64),
        "carbon_month": 1e-3 * np.array(entry["g_per_kwh_by_month"], np.float64),
        "carbon_hour": np.array(entry["g_by_hour"], np.float64),
    }
    source = "; ".join(_file()["sources"][key]["title"] for key in entry["sources"])
    return Grid(title=entry["title"], source=source, **arrays)


@cache
def _file() -> dict[str, Any]:
    import yaml

    text = (resources.files("meritorder.catalog") / "data" / "climates.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return loaded
