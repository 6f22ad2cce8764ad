"""Growth over months: exponential, or an S-curve that ends at a ceiling."""

from __future__ import annotations

import math

import numpy as np

from meritorder.plan.instance import Floats


def growth(months: Floats, per_year: float, ceiling: float | None) -> Floats:
    """Demand after so many months as a factor on that of month 0; `per_year` is how fast it grows at first.

    Without a ceiling `per_year ** (months / 12)`. With one the logistic curve through 1 at month 0 that grows at the
    same rate there and tends to `ceiling` (to 0 where demand falls and the ceiling is above 1).
    """
    rate = math.log(per_year) / 12.0
    if ceiling is None:
        return np.exp(rate * months)
    logistic = rate / (1.0 - 1.0 / ceiling)
    with np.errstate(over="ignore"):  # what falls to nothing
        factor: Floats = ceiling / (1.0 + (ceiling - 1.0) * np.exp(-logistic * months))
    return factor
