"""Measured values as the distributions of a preset."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

# Fine in the tails, where caps and extremes are.
LENGTHS = (0, 0.01, 0.02, 0.05, *(k / 20 for k in range(2, 19)), 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99)
LENGTHS = (*LENGTHS, 0.995, 0.998, 0.999, 1.0)

FEW = (0, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.85, 0.9, 0.95, 0.98, 1.0)


def quantiles(values: npt.ArrayLike, at: tuple[float, ...] = LENGTHS, digits: int = 4) -> dict[str, Any]:
    """A `quantiles` distribution through the measured values."""
    return {
        "quantiles": {
            "at": list(at),
            "values": [rounded(v, digits) for v in np.quantile(np.asarray(values, np.float64), at)],
        }
    }


def weighted_quantiles(
    values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64], at: tuple[float, ...] = LENGTHS
) -> dict[str, Any]:
    """The same for values with weights (a pmf)."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    places = np.minimum(np.searchsorted(total, np.array(at) * total[-1]), len(values) - 1)
    return {"quantiles": {"at": list(at), "values": [rounded(v, 4) for v in values[order][places]]}}


def rounded(value: float, digits: int = 4) -> float | int:
    """`value` to so many significant digits, as an int where it is whole."""
    number = float(f"{float(value):.{digits}g}")
    return int(number) if number == int(number) else number


def kaplan_meier(
    lasting: npt.NDArray[np.float64], seen: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Times of events and their probabilities, where some are not seen because the recording ended."""
    order = np.lexsort((~seen, lasting))
    at_risk = np.arange(len(order), 0, -1)
    hazard = seen[order] / at_risk
    surviving = np.concatenate(([1.0], np.cumprod(1 - hazard)[:-1]))
    events = seen[order]
    return lasting[order][events], (surviving * hazard)[events]
