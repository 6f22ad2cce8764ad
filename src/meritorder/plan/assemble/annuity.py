"""What is charged within the horizon for what outlives it: equal parts of its price in each period of its life."""

from __future__ import annotations

import numpy as np

from meritorder.plan.horizon import Horizon
from meritorder.plan.instance import Floats, Ints


def annuity(horizon: Horizon, life: int) -> float:
    """Part of a price that is charged in each of `life` periods from the purchase on.

    Discounted to the period of the purchase, all of them add up to the price: sum_i a (1 + rate)^(-i years) = 1.
    """
    return float(1.0 / _weights(horizon, life).sum())


def in_service(horizon: Horizon, life: int) -> Floats:
    """[T] periods in service within the horizon of what comes in t, each counted with its discount factor."""
    count = len(horizon.names)
    sums = np.concatenate([[0.0], np.cumsum(horizon.discount)])
    ends: Ints = np.minimum(np.arange(count) + life, count)
    found: Floats = sums[ends] - sums[:count]
    return found


def charged(horizon: Horizon, price: Floats, life: int) -> Floats:
    """[T] USD charged within the horizon, discounted, for one that is bought in t at `price` [T]."""
    found: Floats = price * annuity(horizon, life) * in_service(horizon, life)
    return found


def _weights(horizon: Horizon, life: int) -> Floats:
    years = float(horizon.years[0])
    return np.asarray((1.0 + horizon.rate) ** (-years * np.arange(life)), np.float64)
