"""Least squares with no negative coefficient (Lawson and Hanson 1974, algorithm NNLS)."""

from __future__ import annotations

import numpy as np

from meritorder.calibrate.rows import Floats

_MOST_TURNS = 500


def nonnegative(matrix: Floats, values: Floats) -> Floats:
    """`x >= 0` (columns of `matrix`) with the least `|matrix x - values|`."""
    size = np.sqrt((matrix**2).sum(axis=0))
    scale = np.where(size > 0.0, size, 1.0)
    a = matrix / scale
    n = a.shape[1]
    x = np.zeros(n)
    free = np.zeros(n, np.bool_)
    enough = 1e-10 * max(float(np.abs(a.T @ values).max(initial=0.0)), 1e-300)
    for _ in range(_MOST_TURNS):
        slope = np.where(free, -np.inf, a.T @ (values - a @ x))
        if not len(slope) or slope.max() <= enough:
            break
        free[int(slope.argmax())] = True
        while True:
            trial = np.zeros(n)
            trial[free] = np.linalg.lstsq(a[:, free], values, rcond=None)[0]
            if (trial[free] > 0.0).all():
                x = trial
                break
            bad = free & (trial <= 0.0)
            step = float((x[bad] / np.maximum(x[bad] - trial[bad], 1e-300)).min())
            x = x + step * (trial - x)
            free &= x > 1e-15 * max(float(x.max()), 1e-300)
            x[~free] = 0.0
            if not free.any():
                break
    return x / scale
