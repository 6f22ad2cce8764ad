"""EnergyPlus weather files (EPW): a year of hours in local standard time, often of months from several years (TMY).

Format: EnergyPlus Auxiliary Programs, "EPW CSV Format". Eight header lines, then 35 columns; hour 1 ends at 01:00, and
its temperatures are those of that moment. Missing: 99.9 (temperatures), 999 (humidity), 999999 (pressure).
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from meritorder.facility.psychro import saturation_pressure, standard_pressure
from meritorder.facility.surroundings.moments import Longs, offset_shown, step_of
from meritorder.facility.surroundings.series import Series
from meritorder.facility.surroundings.text import Floats, Table
from meritorder.problems import InputError, Problem

HEADER = 8
_COLUMNS = (  # of 35
    *("year", "month", "day", "hour", "minute", "flags"),
    *("dry_bulb", "dew_point", "relative_humidity", "pressure"),
)


def is_epw(lines: list[str]) -> bool:
    """Whether a file is in this format."""
    return lines[0].upper().startswith("LOCATION,")


def read_epw(path: Path, lines: list[str]) -> Series:
    """Dry bulb C, vapour pressure Pa and pressure Pa of a typical year. Raises InputError with file and line."""
    offset_s, elevation_m = _location(path, lines[0])
    table = _table(path, lines)
    dry = _known(table, "dry_bulb", 99.9, -90, 60)
    humidity, dew = _column(table, "relative_humidity", 0, 999), _column(table, "dew_point", -99, 99.9)
    no_humidity = (humidity == 999) | (humidity > 110)
    vapour = saturation_pressure(dry) * np.minimum(humidity, 100.0) / 100.0
    if no_humidity.any():
        dew = _known(table, "dew_point", 99.9, -90, 60, no_humidity)
        vapour[no_humidity] = saturation_pressure(dew[no_humidity])
    pressure = _column(table, "pressure", 0, 999_999)
    notes = [f"typical year; its hours are {offset_shown(offset_s)}, standard time all year"]
    missing = pressure == 999_999
    if missing.any():
        pressure[missing] = standard_pressure(elevation_m)
        notes.append(f"{missing.sum():,} hours without pressure have the standard one at {elevation_m:g} m")
    _within(table, "pressure", pressure, 30_000, 110_000)
    moments = _moments(table, offset_s)
    step = step_of(moments, table.where)
    values = np.stack([dry, vapour, pressure], axis=1)
    return Series(str(path), int(moments[0]), step, values, typical=True, notes=tuple(notes))


def _location(path: Path, line: str) -> tuple[int, float]:
    """Offset from UTC in seconds, and metres above the sea."""
    cells = line.split(",")
    try:
        hours, metres = float(cells[8]), float(cells[9])
    except (IndexError, ValueError):
        fix = "it is LOCATION,city,region,country,source,number,latitude,longitude,time zone,elevation"
        raise InputError(Problem("has no time zone and elevation", f"{path}:1", fix=fix)) from None
    if not (-12 <= hours <= 14 and -500 <= metres <= 6000):
        what = f"says time zone {hours:g} h and elevation {metres:g} m"
        raise InputError(Problem(what, f"{path}:1", fix="time zones are -12 to 14 h, elevations -500 to 6000 m"))
    return round(3600 * hours), metres


def _table(path: Path, lines: list[str]) -> Table:
    rows, numbers = [], []
    for number, line in enumerate(lines[HEADER:], HEADER + 1):
        cells = [cell.strip() for cell in line.split(",", len(_COLUMNS))]
        if cells == [""]:
            continue
        if len(cells) < len(_COLUMNS):
            raise InputError(Problem(f"has {len(cells)} of 35 columns", f"{path}:{number}", fix="is the file cut off?"))
        rows.append(tuple(cells[: len(_COLUMNS)]))
        numbers.append(number)
    if not rows:
        raise InputError(Problem("has a header but no hours", str(path)))
    return Table(path, _COLUMNS, tuple(rows), tuple(numbers))


def _column(table: Table, name: str, low: float, high: float) -> Floats:
    return table.numbers(_COLUMNS.index(name), low, high, "")


def _known(
    table: Table, name: str, missing: float, low: float, high: float, needed: npt.NDArray[np.bool_] | None = None
) -> Floats:
    """A column that has no missing value where it is needed."""
    values = _column(table, name, -99.9, missing)
    gone = np.flatnonzero((values == missing) & (True if needed is None else needed))
    if len(gone):
        what = f"is missing ({missing:g}) here and in {len(gone) - 1:,} more hours"
        raise InputError(Problem(what, table.where(int(gone[0])), name, "give a file without gaps"))
    _within(table, name, values if needed is None else np.where(needed, values, low), low, high)
    return values


def _within(table: Table, name: str, values: Floats, low: float, high: float) -> None:
    bad = np.flatnonzero((values < low) | (values > high))
    if len(bad):
        row = int(bad[0])
        raise InputError(Problem(f"is {values[row]:g}", table.where(row), name, f"it must be {low:g} to {high:g}"))


def _moments(table: Table, offset_s: int) -> Longs:
    """Seconds since 1970 in a year that stands for any: months of a typical year are from several."""
    columns = [_column(table, name, 0, 99).astype(np.int64) for name in ("month", "day", "hour", "minute")]
    leap = bool(((columns[0] == 2) & (columns[1] == 29)).any())
    found = np.empty(len(table.lines), np.int64)
    for row, (month, day, hour, minute) in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        try:
            date = datetime(2000 if leap else 2001, month, day, tzinfo=UTC)
        except ValueError:
            date = None
        if date is None or not (1 <= hour <= 24 and minute <= 60):
            what = f"is month {month}, day {day}, hour {hour}, minute {minute}"
            raise InputError(Problem(what, table.where(row), fix="hours of a day are 1 to 24"))
        # minute 0 and 60 both mean the end of the hour
        found[row] = int(date.timestamp()) + 3600 * (hour - 1) + 60 * (minute or 60) - offset_s
    return found
