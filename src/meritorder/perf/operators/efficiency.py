"""The map of an operator: a factor on its equation, linear between knots in the logarithm of each dimension."""

from __future__ import annotations

from itertools import product
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from meritorder.catalog.operators import Operator

Floats: TypeAlias = npt.NDArray[np.float64]


def place(knots: tuple[float, ...], value: Floats) -> tuple[npt.NDArray[np.int64], Floats]:
    """Where `value` lies: the knot before it, and the share of the way to the next; held at the ends."""
    logs = np.log2(np.asarray(knots))
    at = np.clip(np.log2(np.maximum(value, 1e-9)), logs[0], logs[-1])
    before = np.clip(np.searchsorted(logs, at, side="right") - 1, 0, len(logs) - 2)
    return before, (at - logs[before]) / (logs[before + 1] - logs[before])


def factor(operator: Operator, *shape: Floats | float) -> Floats:
    """What the equation's time is multiplied by at `shape`, in the order of the axes."""
    total = np.zeros(np.broadcast_shapes(*(np.shape(value) for value in shape)))
    places = [place(k, np.asarray(v, float)) for k, v in zip(operator.axes.values(), shape, strict=True)]
    for corner in product((0, 1), repeat=len(places)):
        weight: Floats | float = 1.0
        index = []
        for far, (before, share) in zip(corner, places, strict=True):
            weight = weight * (share if far else 1.0 - share)
            index.append(before + far)
        total = total + weight * operator.map[tuple(index)]
    return np.asarray(np.exp(total))


def outside(operator: Operator, **shape: float) -> list[str]:
    """The dimensions of `shape` that lie beyond the measurements, in words."""
    found = []
    for name, value in shape.items():
        low, high = operator.axes[name][0], operator.axes[name][-1]
        if not low <= value <= high:
            found.append(f"{name} {value:g} is outside {low:g} to {high:g}")
    return found
