"""Carbon intensity of electricity from a file: Electricity Maps, or plain time and value."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from meritorder.facility.surroundings.columns import factor, split_unit
from meritorder.facility.surroundings.columns import needed as needed_column
from meritorder.facility.surroundings.moments import step_of, taken_as, to_utc
from meritorder.facility.surroundings.series import Series
from meritorder.facility.surroundings.text import Table, read_text, split_table
from meritorder.problems import InputError, Problem

_TIME = ("datetime (utc)", "time_utc", "datetime", "timestamp", "time")
_VALUE = ("carbon", "carbon_intensity", "value", "co2")
_SCOPES = {"direct": ("direct",), "life-cycle": ("lca", "life cycle", "life-cycle", "lifecycle")}
_KG = {"g/kWh": 1e-3, "kg/kWh": 1.0, "kg/MWh": 1e-3, "gCO2/kWh": 1e-3, "gCO2eq/kWh": 1e-3, "gCO₂eq/kWh": 1e-3}


def read_carbon(path: Path, scope: str = "direct") -> Series:
    """kg CO2 per kWh, each from its moment on; `scope` chooses between `direct` and `life-cycle` where a file has both.

    Times without an offset are UTC. Raises InputError with file and line.
    """
    return _read(path, path.stat().st_mtime_ns if path.exists() else 0, scope)


@lru_cache(maxsize=64)
def _read(path: Path, changed: int, scope: str) -> Series:
    table = split_table(path, read_text(path).splitlines())
    time = needed_column(table, _TIME, "time")
    both = [index for index, title in enumerate(table.header) if title.lower().startswith("carbon intensity")]
    notes = list(taken_as(table.column(time), table.header[time]))
    if both:
        value = _of_scope(table, both, scope)
        size = 1e-3  # Electricity Maps: gCO2eq/kWh, spelt in several ways
        if not re.search(r"\bgCO.{1,3}(eq)?/kWh", table.header[value], re.IGNORECASE):
            raise InputError(Problem("is not in gCO2eq/kWh", f"{path}:1", table.header[value]))
        notes += _estimated(table)
    else:
        value = needed_column(table, _VALUE, "carbon intensity")
        size = factor(table, value, _KG)
    moments = to_utc(table.column(time), table.header[time], table.where)
    step = step_of(moments, table.where)
    values = size * table.numbers(value, 0.0, 3.0 / size, split_unit(table.header[value])[1])
    return Series(str(path), int(moments[0]), step, values[:, None], notes=tuple(notes))


def _of_scope(table: Table, columns: list[int], scope: str) -> int:
    for index in columns:
        if any(word in table.header[index].lower() for word in _SCOPES[scope]):
            return index
    has = ", ".join(table.header[index] for index in columns)
    if len(columns) == 1 and not any(word in has.lower() for words in _SCOPES.values() for word in words):
        return columns[0]
    raise InputError(
        Problem(f"has no {scope} intensity: {has}", f"{table.path}:1", fix="set `carbon_scope` to the other")
    )


def _estimated(table: Table) -> list[str]:
    for index, title in enumerate(table.header):
        if title.lower() in ("data estimated", "is estimated"):
            count = sum(cell.lower() == "true" for cell in table.column(index))
            return [f"{count:,} of {len(table.cells):,} hours are estimates of the source"] if count else []
    return []
