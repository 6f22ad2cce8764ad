"""Heat waves, price spikes and dirty grids laid over what series say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from meritorder.facility.psychro import saturation_pressure
from meritorder.fleet.surroundings import Scenario

Floats = npt.NDArray[np.float64]

_EDGE_S = 6 * 3600.0  # a heat wave comes and goes so slowly, or within a quarter of its duration


def warmed(scenarios: Sequence[Scenario], time_s: Floats, weather: Floats) -> Floats:
    """Weather [n, 3] with heat waves on the dry bulb; the vapour in the air stays, so far as the air can hold it."""
    found = weather.copy()
    for wave in scenarios:
        if wave.what == "heat-wave":
            found[:, 0] += wave.add * _shape(time_s - wave.start, wave.duration)
    found[:, 1] = np.minimum(found[:, 1], saturation_pressure(found[:, 0]))
    return found


def dearer(scenarios: Sequence[Scenario], time_s: Floats, price: Floats) -> Floats:
    """Prices (n) with spikes: `times` - 1 of their size on top, so that a negative price rises, too."""
    return _times(scenarios, "price-spike", time_s, price)


def dirtier(scenarios: Sequence[Scenario], time_s: Floats, carbon: Floats) -> Floats:
    """Carbon intensities (n) with dirty grids."""
    return _times(scenarios, "dirty-grid", time_s, carbon)


def _times(scenarios: Sequence[Scenario], what: str, time_s: Floats, values: Floats) -> Floats:
    found = values.copy()
    for spike in scenarios:
        if spike.what == what:
            on = (time_s >= spike.start) & (time_s < spike.start + spike.duration)
            found[on] += (spike.times - 1.0) * np.abs(found[on])
    return found


def _shape(since_s: Floats, duration_s: float) -> Floats:
    """0 outside, 1 inside, half a cosine at both edges."""
    edge = min(_EDGE_S, duration_s / 4)
    rise = np.clip(since_s / edge, 0.0, 1.0)
    fall = np.clip((duration_s - since_s) / edge, 0.0, 1.0)
    shape: Floats = 0.25 * (1 - np.cos(np.pi * rise)) * (1 - np.cos(np.pi * fall))
    return shape
