"""Weather of a file or of a climate of the catalog: dry bulb, vapour pressure and pressure by the hour."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from meritorder.facility.psychro import saturation_pressure, standard_pressure
from meritorder.facility.surroundings.columns import factor, find, needed, split_unit
from meritorder.facility.surroundings.epw import is_epw, read_epw
from meritorder.facility.surroundings.moments import step_of, taken_as, to_utc
from meritorder.facility.surroundings.series import Series
from meritorder.facility.surroundings.text import Floats, Table, read_text, split_table
from meritorder.problems import InputError, Problem

_TIME = ("time_utc", "datetime (utc)", "time", "datetime", "date", "timestamp")
_DRY = ("temperature_2m", "dry_bulb", "dry_bulb_c", "temperature")
_HUMIDITY = ("relative_humidity_2m", "relativehumidity_2m", "relative_humidity", "rh")
_DEW = ("dew_point_2m", "dewpoint_2m", "dew_point", "dew_point_c")
_PRESSURE = ("surface_pressure", "pressure", "station_pressure")
_CELSIUS = {"°C": 1.0, "C": 1.0, "degC": 1.0}
_PERCENT = {"%": 1.0}
_PASCAL = {"hPa": 100.0, "Pa": 1.0, "mbar": 100.0}


def read_weather(path: Path) -> Series:
    """Dry bulb C, vapour pressure Pa, pressure Pa of an EPW file, Open-Meteo's CSV or JSON, or another CSV.

    A CSV has a time and columns named as Open-Meteo does (or `dry_bulb`, `relative_humidity`, `dew_point`).
    Raises InputError with file and line.
    """
    return _read(path, path.stat().st_mtime_ns if path.exists() else 0)


@lru_cache(maxsize=64)
def _read(path: Path, changed: int) -> Series:
    text = read_text(path)
    if text.lstrip()[:1] == "{":
        table, told = _json(path, text)
        return _of_table(table, told)
    lines = text.splitlines()
    if is_epw(lines):
        return read_epw(path, lines)
    return _of_table(*_csv(path, lines))


def _csv(path: Path, lines: list[str]) -> tuple[Table, dict[str, float]]:
    """The table, and what stands in the block that Open-Meteo's own CSV begins with."""
    told: dict[str, float] = {}
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    if re.match(r"latitude,longitude", lines[first], re.IGNORECASE) and len(lines) > first + 1:
        block = split_table(path, lines[: first + 2], first)
        for key in ("elevation", "utc_offset_seconds"):
            index = find(block.header, (key,))
            if index is not None:
                told[key] = block.numbers(index, -86_400, 86_400, "")[0]
        rest = [number for number in range(first + 2, len(lines)) if lines[number].strip()]
        if not rest:
            raise InputError(Problem("has a place but no hours", str(path), fix="ask for hourly=temperature_2m"))
        first = rest[0]
    return split_table(path, lines, first), told


def _json(path: Path, text: str) -> tuple[Table, dict[str, float]]:
    """Open-Meteo's JSON as a table: its `hourly` arrays."""
    import orjson

    try:
        data: Any = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InputError(Problem(f"is no JSON: {error.msg}", f"{path}:{error.lineno}")) from error
    hourly = data.get("hourly") if isinstance(data, dict) else None
    if not isinstance(hourly, dict) or not all(isinstance(column, list) for column in hourly.values()) or not hourly:
        raise InputError(Problem("has no `hourly` arrays", str(path), fix="ask Open-Meteo for hourly=temperature_2m"))
    if len({len(column) for column in hourly.values()}) != 1 or not next(iter(hourly.values())):
        raise InputError(Problem("has `hourly` arrays that are empty or differ in length", str(path)))
    units = data.get("hourly_units") or {}
    header = tuple(f"{key} ({units[key]})" if key in units and key != "time" else key for key in hourly)
    cells = tuple(
        tuple("" if cell is None else str(cell) for cell in row) for row in zip(*hourly.values(), strict=True)
    )
    told = {key: data[key] for key in ("elevation", "utc_offset_seconds") if isinstance(data.get(key), int | float)}
    return Table(path, header, cells, tuple(range(1, len(cells) + 1))), told


def _of_table(table: Table, told: dict[str, float]) -> Series:
    time = needed(table, _TIME, "time")
    offset_s = int(told.get("utc_offset_seconds", 0))
    moments = to_utc(table.column(time), table.header[time], table.where, offset_s)
    step = step_of(moments, table.where)
    dry = _column(table, needed(table, _DRY, "temperature"), _CELSIUS, "C", -90, 60)
    notes = list(taken_as(table.column(time), table.header[time], offset_s))
    vapour = _vapour(table, dry)
    index = find(table.header, _PRESSURE)
    if index is not None:
        pressure = _column(table, index, _PASCAL, "Pa", 30_000, 110_000)
    else:
        metres = float(told.get("elevation", 0.0))
        pressure = np.full(len(dry), standard_pressure(metres))
        notes.append(f"no pressure given: the standard one at {metres:g} m")
    values = np.stack([dry, vapour, pressure], axis=1)
    return Series(str(table.path), int(moments[0]), step, values, notes=tuple(notes))


def _vapour(table: Table, dry: Floats) -> Floats:
    """Vapour pressure from relative humidity, or else from the dew point."""
    index = find(table.header, _HUMIDITY)
    if index is not None:
        humidity = _column(table, index, _PERCENT, "%", 0, 105)
        if humidity.max() <= 1.0:
            fix = "give it in percent"
            raise InputError(Problem("is never above 1", table.where(0), table.header[index], fix))
        found: Floats = saturation_pressure(dry) * np.minimum(humidity, 100.0) / 100.0
        return found
    dew = _column(table, needed(table, _DEW, "humidity or dew point"), _CELSIUS, "C", -90, 60)
    found = saturation_pressure(np.minimum(dew, dry))
    return found


def _column(table: Table, index: int, sizes: dict[str, float], usual: str, low: float, high: float) -> Floats:
    size = factor(table, index, sizes, usual)
    return size * table.numbers(index, low / size, high / size, split_unit(table.header[index])[1] or usual)
