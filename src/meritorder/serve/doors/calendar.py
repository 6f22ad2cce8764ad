"""Periods of a budget: days and months, in UTC. A day is its number since 1970-01-01."""

from __future__ import annotations

from datetime import date
from typing import Literal, TypeAlias

Period: TypeAlias = Literal["day", "month", "ever"]
PERIODS: tuple[Period, ...] = ("day", "month", "ever")

_DAY_S = 86400
_EPOCH = date(1970, 1, 1).toordinal()


def day_of(wall: float) -> int:
    """The day of a Unix time."""
    return int(wall // _DAY_S)


def period_starts(period: str, day: int) -> int:
    """First day of the period that `day` is in."""
    if period == "day":
        return day
    if period == "month":
        return date.fromordinal(_EPOCH + day).replace(day=1).toordinal() - _EPOCH
    return 0


def period_ends(period: str, day: int) -> float:
    """Unix time at which the period that `day` is in has passed; infinite for "ever"."""
    if period == "day":
        return float((day + 1) * _DAY_S)
    if period == "month":
        first = date.fromordinal(_EPOCH + day).replace(day=1)
        following = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
        return float((following.toordinal() - _EPOCH) * _DAY_S)
    return float("inf")
