"""Values at moments of equal distance, and what they are at other moments; a whole year repeats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meritorder.facility.surroundings.moments import Longs, shown
from meritorder.problems import InputError, Problem

Floats = npt.NDArray[np.float64]

DAY_S = 86_400
YEAR_S = 365 * DAY_S


@dataclass(frozen=True)
class Series:
    """`values[i]` (columns) holds at `start + i step_s` (seconds since 1970, UTC), or from then on for `step_s`.

    `typical`: a year put together from several (a TMY): its own year means nothing. `notes`: what was assumed.
    """

    source: str
    start: int
    step_s: int
    values: Floats  # [n, columns]
    typical: bool = False
    notes: tuple[str, ...] = ()

    @property
    def end(self) -> int:
        """The moment after the last step."""
        return self.start + len(self.values) * self.step_s

    @property
    def whole_year(self) -> bool:
        """Whether it covers every hour of a year, so that it can stand for others."""
        return self.end - self.start >= YEAR_S

    def at(self, moments: Longs, until: int, *, linear: bool) -> Floats:
        """Values [n, columns] at `moments`: between two of its own (`linear`), or of the step that each falls into.

        Outside the series the same day and hour of its year are taken, if it has a whole one; the 29th of February is
        then the 28th. Raises InputError where it has not and `moments` up to `until` are not covered; beyond that, the
        nearest value holds.
        """
        inside = (moments >= self.start) & (moments < self.end)
        if self.typical:
            inside[:] = False
        found = self._direct(np.clip(moments, self.start, self.end - 1), linear)
        if not inside.all() and self.whole_year:
            found[~inside] = self._by_calendar(moments[~inside], linear)
        elif not inside[moments < until].all():
            needed = f"the run needs {shown(moments[0])} to {shown(until)}"
            what = f"covers {shown(self.start)} to {shown(self.end)}, but {needed}"
            raise InputError(
                Problem(what, self.source, fix="give a file that covers it or a whole year, which repeats")
            )
        return found

    def _direct(self, moments: Longs, linear: bool) -> Floats:
        position = (moments - self.start) / self.step_s
        low = position.astype(np.int64)
        if not linear:
            found: Floats = self.values[low]
            return found
        high = np.minimum(low + 1, len(self.values) - 1)
        part = (position - low)[:, None]
        between: Floats = self.values[low] + part * (self.values[high] - self.values[low])
        return between

    def _by_calendar(self, moments: Longs, linear: bool) -> Floats:
        own = second_of_year(self.start + self.step_s * np.arange(len(self.values)))
        order = np.unique(own, return_index=True)[1]
        own, values = own[order], self.values[order]
        wanted = second_of_year(moments)
        if linear:
            return np.stack([np.interp(wanted, own, column, period=YEAR_S) for column in values.T], axis=1)
        found: Floats = values[
            np.searchsorted(own, wanted, side="right") - 1
        ]  # -1: the step that began before the year
        return found


def second_of_year(moments: Longs) -> Longs:
    """Seconds since the year's beginning (n), in a year of 365 days: the 29th of February counts as the 28th."""
    days = moments // DAY_S
    dates = days.astype("datetime64[D]")
    years = dates.astype("datetime64[Y]")
    day = (dates - years.astype("datetime64[D]")).astype(np.int64)
    leap = ((years + 1).astype("datetime64[D]") - years.astype("datetime64[D]")).astype(np.int64) == 366
    day = np.where(leap & (day >= 59), day - 1, day)
    seconds: Longs = day * DAY_S + moments % DAY_S
    return seconds
