"""From months and quarters, in which the fleet file speaks, to the periods of a plan."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, floor

import numpy as np

from meritorder.fleet.plan.span import months_between
from meritorder.plan.horizon import Horizon
from meritorder.plan.instance import Floats, Ints

QUARTER = 3  # months
_ROUNDING = 1e-9


def length(horizon: Horizon) -> int:
    """Months of a period."""
    return len(horizon.months[0])


def at(steps: Mapping[str, float] | float, month: str) -> float | None:
    """What holds in a month: each step until the next; None before the first."""
    if not isinstance(steps, Mapping):
        return steps
    known = [value for first, value in steps.items() if first <= month]
    return known[-1] if known else None


def by_month(steps: Mapping[str, float] | float, horizon: Horizon, before: float) -> Floats:
    """[T, months of a period] of steps; `before` the first of them."""
    values = [[at(steps, month) for month in period] for period in horizon.months]
    return np.array([[before if value is None else value for value in period] for period in values], np.float64)


def shares_of_years(steps: Mapping[str, float], horizon: Horizon) -> Floats:
    """[T] of amounts a year that hold from a month on: each month has a twelfth; infinity where a month has none."""
    found: Floats = by_month(steps, horizon, np.inf).sum(axis=1) / 12.0
    return found


def whole_counts(per_quarter: Mapping[str, float] | float, horizon: Horizon, first: int, last: int) -> Floats:
    """[T] whole things of a rate a quarter, in the months `first` to `last` of the horizon.

    Parts of one wait for the next month, so that all of them come to what the rate says.
    """
    rate = by_month(per_quarter, horizon, 0.0).ravel() / QUARTER
    month = np.arange(len(rate))
    total = np.floor(np.cumsum(np.where((month >= first) & (month <= last), rate, 0.0)) + _ROUNDING)
    ends = total[length(horizon) - 1 :: length(horizon)]
    return np.diff(ends, prepend=0.0)


def first_whole(horizon: Horizon, lead: float, first: str | None) -> int:
    """The first period before which `lead` months have passed and the month `first` has begun."""
    periods = ceil(lead / length(horizon) - _ROUNDING)
    return max(periods, 0 if first is None else max(0, horizon.starts(first)))


def month_number(horizon: Horizon, month: str | None, absent: int) -> int:
    """Months from the horizon's start."""
    return absent if month is None else months_between(horizon.all_months[0], month)


def passed(horizon: Horizon, months: float) -> int:
    """Whole periods in so many months."""
    return floor(months / length(horizon) + _ROUNDING)


def periods_of(horizon: Horizon, months: float) -> int:
    """A life of so many months in periods, the nearest whole number, at least 1."""
    return max(1, round(months / length(horizon)))


def since_start(horizon: Horizon) -> Floats:
    """[T] years from the horizon's start to each period's."""
    return np.asarray(horizon.middle - 0.5 * horizon.years)


def due(steps: Mapping[str, float], horizon: Horizon) -> Floats:
    """[T] what is due in each period: a step holds from the period in which its month is; NaN before the first."""
    found = np.full(len(horizon.names), np.nan)
    for month, value in steps.items():
        period = max(0, horizon.period_of(month))
        found[period:] = value
    return found


def year_of(horizon: Horizon) -> Ints:
    """[T] which year from the horizon's start a period begins in."""
    return np.floor(since_start(horizon) + _ROUNDING).astype(np.int64)
