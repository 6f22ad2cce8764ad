"""The horizon: periods with their names and months, how long they are, and what money paid in them is worth today."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meritorder.fleet.plan.plan import Plan
from meritorder.fleet.plan.span import later, months_between
from meritorder.plan.instance import Floats

YEAR_S = 365.0 * 86400.0


@dataclass(frozen=True)
class Horizon:
    """T periods of equally many months. All arrays [T]."""

    names: tuple[str, ...]  # "2026-Q1"
    months: tuple[tuple[str, ...], ...]  # of each period, "2026-07"
    years: Floats  # length; a month is a twelfth of a year
    middle: Floats  # years from the start to the middle of the period
    discount: Floats  # factor on what is paid in the period: (1 + rate) ** -middle
    rate: float  # discount rate a year

    @property
    def seconds(self) -> Floats:
        """Length of the periods."""
        return self.years * YEAR_S

    @property
    def all_months(self) -> tuple[str, ...]:
        """Every month of the horizon in order."""
        return tuple(month for period in self.months for month in period)

    def period_of(self, month: str) -> int:
        """The period in which a month is; below 0 before the horizon, T and more after it."""
        return months_between(self.months[0][0], month) // len(self.months[0])

    def starts(self, month: str) -> int:
        """The first period that begins in this month or later: from then on something of that month holds whole."""
        return -(-months_between(self.months[0][0], month) // len(self.months[0]))


def of(plan: Plan) -> Horizon:
    """The horizon of a plan."""
    asked = plan.horizon
    length = round(asked.length)
    starts = range(0, asked.periods * length, length)
    months = tuple(tuple(later(asked.start, k) for k in range(start, start + length)) for start in starts)
    years = np.full(asked.periods, length / 12.0)
    middle: Floats = (np.arange(asked.periods, dtype=np.float64) + 0.5) * (length / 12.0)
    discount: Floats = np.power(1.0 + asked.discount_rate, -middle)
    return Horizon(
        names=tuple(_name(period) for period in months),
        months=months,
        years=years,
        middle=middle,
        discount=discount,
        rate=asked.discount_rate,
    )


def calendar_year(period: str) -> str:
    """The year in which a period of that name begins."""
    return period[:4]


def _name(months: tuple[str, ...]) -> str:
    """ "2026-07", "2026-Q3", "2026-H2", "2026"; first and last month where a period is none of these."""
    year, number = months[0][:4], int(months[0][5:7]) - 1
    length = len(months)
    if length == 1:
        return months[0]
    if length == 2 or number % length:
        return f"{months[0]}..{months[-1]}"
    kind = {3: "-Q", 6: "-H", 12: ""}[length]
    return f"{year}{kind}{number // length + 1}" if kind else year
