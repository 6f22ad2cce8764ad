"""Moments as files write them, to seconds since 1970 in UTC. Never a clock with daylight saving time."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from meritorder.problems import InputError, Problem, said

Longs = npt.NDArray[np.int64]

_UNIX = re.compile(r"\d{9,10}")
_DAY_FIRST = re.compile(r"(\d\d)[./](\d\d)[./](\d{4})[ T](\d\d:\d\d(?::\d\d)?)(?:\s+-\s.*)?")  # ENTSO-E


def to_utc(texts: Sequence[str], name: str, where: Callable[[int], str], offset_s: int = 0) -> Longs:
    """Seconds since 1970 (n) of ISO 8601 times, Unix times, or ENTSO-E's periods (their beginning).

    Times without an offset of their own are at `offset_s` from UTC. `where(row)` names file and line.
    Raises InputError at the first that is no time.
    """
    found = np.empty(len(texts), np.int64)
    for row, text in enumerate(texts):
        moment = _moment(text)
        if moment is None:
            fix = "write it as 2023-07-14T12:00Z"
            raise InputError(Problem(f"is {said(text)}, not a time", where(row), name, fix))
        if moment.tzinfo is None:
            found[row] = int(moment.replace(tzinfo=UTC).timestamp()) - offset_s
        else:
            found[row] = int(moment.timestamp())
    return found


def taken_as(texts: Sequence[str], name: str, offset_s: int = 0) -> tuple[str, ...]:
    """What was assumed about times that neither their column's name nor they themselves place."""
    first = _moment(texts[0])
    if "utc" in name.lower() or (first is not None and first.tzinfo is not None):
        return ()
    return (f"times without an offset are {offset_shown(offset_s)}",)


def _moment(text: str) -> datetime | None:
    if _UNIX.fullmatch(text):
        return datetime.fromtimestamp(int(text), UTC)
    day_first = _DAY_FIRST.fullmatch(text)
    if day_first:
        day, month, year, time = day_first.groups()
        text = f"{year}-{month}-{day}T{time}"
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def step_of(moments: Longs, where: Callable[[int], str]) -> int:
    """Seconds between moments. Raises InputError at the first that repeats, goes back or leaves a gap."""
    if len(moments) < 2:
        raise InputError(Problem("holds a single moment", where(0), fix="give at least two"))
    steps = np.diff(moments)
    bad = np.flatnonzero(steps <= 0)
    clock = "a clock with daylight saving time does this: give times in UTC"
    if len(bad):
        row = int(bad[0]) + 1
        what = "repeats" if steps[row - 1] == 0 else "comes after a later one:"
        raise InputError(
            Problem(f"{what} {shown(moments[row])}", where(row), fix=f"sort it, keep one of each; {clock}")
        )
    step = int(np.bincount(np.minimum(steps, 86_400)).argmax())
    bad = np.flatnonzero(steps != step)
    if len(bad):
        row = int(bad[0]) + 1
        what = f"follows {shown(moments[row - 1])} after {timedelta(seconds=int(steps[row - 1]))}"
        fix = f"give a row every {timedelta(seconds=step)}; {clock}"
        raise InputError(Problem(f"{shown(moments[row])} {what}", where(row), fix=fix))
    return step


def shown(moment: int) -> str:
    """A moment for people: 2023-07-14T12:00Z."""
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%MZ")


def offset_shown(offset_s: float) -> str:
    """An offset for people: UTC, UTC-05:00, UTC+05:30."""
    if not offset_s:
        return "UTC"
    minutes = round(abs(offset_s) / 60)
    return f"UTC{'-' if offset_s < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"
