"""Functions of a number of tokens or sequences, evaluated where they bend and interpolated between."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]

_EXACT = 64


def sampled(function: Callable[[Floats], Floats], at: Floats) -> Floats:
    """`function(at)`, never falling: exact up to 64 and on both sides of every step of the tiles, linear in between."""
    if at.size == 1:
        return function(at)
    points = steps(float(at.max()))
    return np.interp(at, points, rising(function(points)))


def rising(values: Floats) -> Floats:
    """The mean of the least rising curve above and the greatest below: measured kernels fall here and there."""
    below = np.minimum.accumulate(values[::-1])[::-1]
    return np.asarray((np.maximum.accumulate(values) + below) / 2)


def steps(largest: float) -> Floats:
    """1 to 64 one by one, then the last before and the first after each multiple of 16, 64, 256 or 1024."""
    spans = ((_EXACT, 256, 16), (256, 1024, 64), (1024, 4096, 256), (4096, 2**62, 1024))
    edges = [np.arange(low, min(high, largest + step), step, dtype=float) for low, high, step in spans if low < largest]
    far = np.concatenate(edges) if edges else np.empty(0)
    return np.unique(np.concatenate([np.arange(1.0, _EXACT + 1), far, far + 1.0]))
