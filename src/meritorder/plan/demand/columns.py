"""Small CSV files of demand: the columns that are needed, and faults with file, line and column."""

from __future__ import annotations

import csv
import math
import re
from dataclasses import dataclass
from pathlib import Path

from meritorder.problems import InputError, Problem, said

_MOST_BYTES = 20_000_000
_MONTH = re.compile(r"(20\d\d-(?:0[1-9]|1[0-2]))(?:-01)?")


@dataclass(frozen=True)
class Rows:
    """A table of texts; `lines` says where each row stands in its file."""

    name: str
    header: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.cells)

    def text(self, row: int, column: str) -> str:
        """A cell."""
        return self.cells[row][self.header.index(column)]

    def fault(self, row: int, column: str, what: str, fix: str) -> InputError:
        """What is wrong with a cell."""
        return InputError(Problem(what, f"{self.name}:{self.lines[row]}", column, fix))


def read_rows(path: Path, *choices: tuple[str, ...]) -> Rows:
    """The rows of a CSV file whose header has all columns of one of `choices`. Raises InputError with the line."""
    name = str(path)
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(
                Problem(f"is larger than {_MOST_BYTES / 1e6:g} MB", name, fix="give a row a month or hour")
            )
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(Problem(f"can't be read: {reason}", name, fix="name a CSV file")) from None
    except UnicodeDecodeError:
        raise InputError(Problem("is not UTF-8 text", name, fix="save it as CSV in UTF-8")) from None
    lines = ("" if line.startswith("#") else line for line in text.splitlines())
    reader = csv.reader(lines, skipinitialspace=True)
    try:
        numbered = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(map(str.strip, row))]
    except csv.Error as error:
        raise InputError(Problem(f"is no CSV: {error}", f"{name}:{reader.line_num}")) from None
    needs = " or ".join(f"`{','.join(choice)}`" for choice in choices)
    header = tuple(numbered[0][1]) if numbered else ()
    if not any(set(choice) <= set(header) for choice in choices):
        found = f"has the columns {', '.join(header)}"[:200] if header else "is empty"
        raise InputError(Problem(found, f"{name}:{numbered[0][0] if numbered else 1}", fix=f"begin with {needs}"))
    if len(set(header)) < len(header):
        raise InputError(Problem("has a column twice", f"{name}:{numbered[0][0]}", fix="keep one of them"))
    for line, row in numbered[1:]:
        if len(row) != len(header):
            what = f"has {len(row)} cells, the header {len(header)}"
            raise InputError(Problem(what, f"{name}:{line}", fix="give every row a cell in each column"))
    if len(numbered) < 2:
        raise InputError(Problem("has no rows", name, fix="give at least one below the header"))
    body = numbered[1:]
    return Rows(name, header, tuple(tuple(row) for _, row in body), tuple(line for line, _ in body))


def number(rows: Rows, row: int, column: str, *, above: float | None = None) -> float:
    """A finite number, 0 or more, or more than `above`. Raises InputError with the line."""
    text = rows.text(row, column)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise rows.fault(row, column, f"is {said(text)}, not a number", "give a number")
    if value < 0 or (above is not None and value <= above):
        least = "0 or more" if above is None else f"more than {above:g}"
        raise rows.fault(row, column, f"is {text}", f"give {least}")
    return value


def month(rows: Rows, row: int, column: str = "month") -> str:
    """A month, written 2026-07 or 2026-07-01. Raises InputError with the line."""
    text = rows.text(row, column)
    match = _MONTH.fullmatch(text)
    if match is None:
        raise rows.fault(row, column, f"is {said(text)}, not a month", "write it as 2026-07")
    return match.group(1)
