"""Moist air: saturation, dew point and wet bulb, by the equations of ASHRAE and Newton's method.

ASHRAE Handbook of Fundamentals 2017, chapter 1: saturation pressure eq. 5 and 6, humidity ratio eq. 20, wet bulb eq. 33
and 35. Arrays of any shape; pascals and degrees Celsius. No closed fit: Stull's is up to 1.2 K off, at any height.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]

SEA_LEVEL_PA = 101_325.0
MOLAR_RATIO = 0.621945  # water to dry air
COLDEST_C = -100.0
_ICE = (-5.6745359e3, 6.3925247, -9.677843e-3, 6.2215701e-7, 2.0747825e-9, -9.484024e-13, 4.1635019)
_WATER = (-5.8002206e3, 1.3914993, -4.8640239e-2, 4.1764768e-5, -1.4452093e-8, 0.0, 6.5459673)


def standard_pressure(elevation_m: float) -> float:
    """Of the standard atmosphere at a height above the sea (ASHRAE eq. 3)."""
    return float(SEA_LEVEL_PA * (1 - 2.25577e-5 * elevation_m) ** 5.2559)


def saturation_pressure(celsius: npt.ArrayLike) -> Floats:
    """Of vapour over ice at or below 0.01 C, else over water; -100 to 200 C."""
    t = np.asarray(celsius, np.float64)
    return np.where(t <= 0.01, _saturation(t, _ICE), _saturation(t, _WATER))


def humidity_ratio(vapour_pa: npt.ArrayLike, pressure_pa: npt.ArrayLike) -> Floats:
    """Kilograms of water per kilogram of dry air."""
    vapour = np.asarray(vapour_pa, np.float64)
    ratio: Floats = MOLAR_RATIO * vapour / (np.asarray(pressure_pa, np.float64) - vapour)
    return ratio


def dew_point(vapour_pa: npt.ArrayLike) -> Floats:
    """Where air of this vapour pressure is saturated; the coldest that the equations know if there is next to none."""
    vapour = np.asarray(vapour_pa, np.float64)

    def off(celsius: Floats) -> Floats:
        found: Floats = np.log(saturation_pressure(celsius) / np.maximum(vapour, 1e-12))
        return found

    return _root(off, np.full(vapour.shape, COLDEST_C), np.full(vapour.shape, 100.0))


def wet_bulb(dry_c: npt.ArrayLike, ratio: npt.ArrayLike, pressure_pa: npt.ArrayLike = SEA_LEVEL_PA) -> Floats:
    """Thermodynamic wet bulb of air with humidity ratio `ratio`, to 1e-6 K (over ice below freezing)."""
    dry, water, pressure = np.broadcast_arrays(*(np.asarray(x, np.float64) for x in (dry_c, ratio, pressure_pa)))

    def off(wet: Floats) -> Floats:
        found: Floats = _ratio_at(dry, wet, pressure) - water
        return found

    return _root(off, np.full(dry.shape, COLDEST_C), np.array(dry))


def _ratio_at(dry: Floats, wet: Floats, pressure: Floats) -> Floats:
    """Humidity ratio of air at `dry` whose wet bulb is `wet`."""
    saturated = humidity_ratio(saturation_pressure(wet), pressure)
    over_water = ((2501 - 2.326 * wet) * saturated - 1.006 * (dry - wet)) / (2501 + 1.86 * dry - 4.186 * wet)
    over_ice = ((2830 - 0.24 * wet) * saturated - 1.006 * (dry - wet)) / (2830 + 1.86 * dry - 2.1 * wet)
    return np.where(wet >= 0, over_water, over_ice)


def _root(off: Callable[[Floats], Floats], low: Floats, high: Floats) -> Floats:
    """Where the rising `off` is 0 between `low` and `high`; `high` where it is nowhere above. Newton, else halving."""
    x = high - 1e-9
    for _ in range(100):
        value = off(x)
        low, high = np.where(value < 0, x, low), np.where(value < 0, high, x)
        slope = (off(x + 1e-5) - off(x - 1e-5)) / 2e-5
        ahead = x - value / slope
        ahead = np.where((ahead > low) & (ahead < high), ahead, (low + high) / 2)
        moved = float(np.max(np.abs(ahead - x), initial=0.0))
        x = ahead
        if moved < 1e-9:
            break
    return x


def _saturation(celsius: Floats, c: tuple[float, ...]) -> Floats:
    t = celsius + 273.15
    tail = c[2] + t * (c[3] + t * (c[4] + t * c[5]))
    pascals: Floats = np.exp(c[0] / t + c[1] + t * tail + c[6] * np.log(t))
    return pascals
