"""Prices of electricity from a file: standardised CSV, GridStatus, ENTSO-E, or plain time and value."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from meritorder.facility.surroundings.columns import factor, find, needed, split_unit
from meritorder.facility.surroundings.moments import step_of, taken_as, to_utc
from meritorder.facility.surroundings.series import Series
from meritorder.facility.surroundings.text import read_text, split_table
from meritorder.problems import InputError, Problem

_TIME = (
    *("datetime (utc)", "time_utc", "interval_start_utc", "interval start (utc)", "mtu (utc)", "mtu"),
    *("interval start", "interval_start", "datetime", "timestamp", "time"),
)
_VALUE = ("price", "day-ahead price", "day ahead price", "lmp", "spp", "value")
_PLACE = ("location", "area", "zone", "settlement point", "node")
_USD = {"USD/MWh": 1e-3, "$/MWh": 1e-3, "USD/kWh": 1.0, "$/kWh": 1.0}
_MOST = 50.0  # USD/kWh; markets stop at 5 to 20


def read_prices(path: Path, exchange_rate: float | None = None) -> Series:
    """USD per kWh, each from its moment on. `exchange_rate`: USD per unit of the file's currency, where it has another.

    Times are the beginnings of market intervals; those without an offset are UTC. Raises InputError with file and line.
    """
    return _read(path, path.stat().st_mtime_ns if path.exists() else 0, exchange_rate)


@lru_cache(maxsize=64)
def _read(path: Path, changed: int, exchange_rate: float | None) -> Series:
    table = split_table(path, read_text(path).splitlines())
    time = needed(table, _TIME, "time")
    place = find(table.header, _PLACE)
    if place is not None and len(set(table.column(place))) > 1:
        some = ", ".join(sorted(set(table.column(place)))[:3])
        raise InputError(Problem(f"has prices of several places ({some})", str(path), table.header[place], "keep one"))
    if "cet/cest" in table.header[time].lower():
        fix = "download it in UTC"
        raise InputError(Problem("has times with daylight saving", f"{path}:1", table.header[time], fix))
    value = needed(table, _VALUE, "the price")
    unit = split_unit(table.header[value])[1]
    currency = unit.partition("/")[0].upper()
    sizes = dict(_USD)
    if currency not in ("", "USD", "$") and exchange_rate is None:
        fix = f"give `exchange_rate`: USD per {currency}"
        raise InputError(Problem(f"is in {unit}", f"{path}:1", table.header[value], fix))
    if exchange_rate is not None:
        sizes |= {f"{currency}/MWh": 1e-3 * exchange_rate, f"{currency}/kWh": exchange_rate}
    conventional = "USD/MWh" if split_unit(table.header[value])[0] in ("lmp", "spp") else ""
    size = factor(table, value, sizes, conventional)
    moments = to_utc(table.column(time), table.header[time], table.where)
    step = step_of(moments, table.where)
    values = size * table.numbers(value, -_MOST / size, _MOST / size, unit)
    notes = taken_as(table.column(time), table.header[time])
    return Series(str(path), int(moments[0]), step, values[:, None], notes=notes)
