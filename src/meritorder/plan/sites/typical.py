"""Hourly series of a site by calendar month and hour of the day (UTC): what a typical day of some months is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meritorder.facility.surroundings.series import Series
from meritorder.plan.instance import Bools, Floats
from meritorder.problems import InputError, Problem

HOUR_S = 3600
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


@dataclass(frozen=True)
class Calendar:
    """The hours of a series, by their place in the year and the day."""

    month: npt.NDArray[np.int64]  # [n] 1 to 12
    hour: npt.NDArray[np.int64]  # [n] 0 to 23, UTC

    def within(self, months: Sequence[int]) -> Bools:
        """[n] whether it lies in one of these calendar months."""
        return np.isin(self.month, months)

    def day(self, values: Floats, months: Sequence[int]) -> Floats:
        """Means [24, ...] of `values` [n, ...] by hour of the day over these months."""
        chosen = self.within(months)
        hour = self.hour[chosen]
        sums = np.zeros((24, *values.shape[1:]))
        np.add.at(sums, hour, values[chosen])
        counts: Floats = np.bincount(hour, minlength=24).astype(np.float64)
        return sums / counts.reshape(24, *(1 for _ in values.shape[1:]))


def hourly(series: Series, *, linear: bool) -> tuple[Calendar, Floats]:
    """Values [n, columns] of a series and when they hold; one with steps longer than an hour is read by the hour.

    Raises InputError where a calendar month is missing: its days can't be made up.
    """
    moments = series.start + series.step_s * np.arange(len(series.values), dtype=np.int64)
    values = series.values
    if series.step_s > HOUR_S:
        moments = np.arange(series.start, series.end, HOUR_S, dtype=np.int64)
        values = Series(series.source, series.start, series.step_s, values).at(moments, series.end, linear=linear)
    known = moments.astype("datetime64[s]")
    month = known.astype("datetime64[M]").astype(np.int64) % 12 + 1
    hour = known.astype("datetime64[h]").astype(np.int64) % 24
    seen = {(int(m), int(h)) for m, h in set(zip(month.tolist(), hour.tolist(), strict=True))}
    missing = [name for number, name in enumerate(_MONTHS, 1) if not all((number, h) in seen for h in range(24))]
    if missing:
        what = f"has no whole day in {', '.join(missing)}; a plan looks at all months of the year"
        raise InputError(Problem(what, series.source, fix="give a file that covers a whole year"))
    return Calendar(month, hour), values


def numbers(months: Sequence[str]) -> list[int]:
    """Calendar months 1 to 12 of months like 2026-07."""
    return sorted({int(month[5:7]) for month in months})
