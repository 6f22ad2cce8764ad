"""Cells of a table as numbers and known names; one that isn't raises InputError with the column and what would do."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeVar

from meritorder.predict.form import Row
from meritorder.problems import InputError, Problem, said

T = TypeVar("T")
MOST = 1e9


def number(row: Row, name: str, *, least: float | None = None, most: float = MOST, empty: float | None = None) -> float:
    """A number over 0, or from `least` on where that is given; `empty`: what an empty cell stands for."""
    cell = (row.get(name) or "").strip()
    if not cell and empty is not None:
        return empty
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    low = value > 0 if least is None else value >= least
    if not (low and value <= most):
        start = "over 0" if least is None else f"from {least:g}"
        raise _problem(name, cell, f"give a number {start} to {most:g}")
    return value


def whole(row: Row, name: str, *, least: int = 1, most: float = MOST, empty: int | None = None) -> int:
    """A whole number (`4` or `4.0`) from `least` on."""
    value = number(row, name, least=least, most=most, empty=empty)
    if value != int(value):
        raise _problem(name, row[name], f"give a whole number from {least}")
    return int(value)


def text(row: Row, name: str) -> str:
    """A cell that must not be empty."""
    cell = (row.get(name) or "").strip()
    if not cell:
        raise _problem(name, cell, "fill it in")
    return cell


def choice(row: Row, name: str, known: Mapping[str, T]) -> T:
    """What a known name stands for."""
    cell = (row.get(name) or "").strip()
    if cell not in known:
        raise _problem(name, cell, f"known: {', '.join(sorted(key for key in known if key))}")
    return known[cell]


def _problem(name: str, cell: str, fix: str) -> InputError:
    return InputError(Problem(f"is {said(cell) if cell else 'empty'}", key=name, fix=fix))
