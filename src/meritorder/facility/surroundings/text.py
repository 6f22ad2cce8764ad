"""Files of hourly values as text with line numbers, packed with gzip or not."""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from meritorder.problems import InputError, Problem, said

MAX_BYTES = 200_000_000  # unpacked; a year by the minute is far smaller

Floats = npt.NDArray[np.float64]


def read_text(path: Path) -> str:
    """The text of a file, unpacked. Raises InputError where it is missing, damaged, no text or too large."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as file:
            data: bytes = file.read(MAX_BYTES + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(Problem("is damaged: not whole gzip", str(path), fix="fetch it again")) from error
    except OSError as error:
        raise InputError(Problem(f"can't be read: {(error.strerror or str(error)).lower()}", str(path))) from error
    if len(data) > MAX_BYTES:
        raise InputError(Problem(f"is larger than {MAX_BYTES / 1e6:g} MB", str(path), fix="give fewer years"))
    if b"\0" in data:
        raise InputError(
            Problem("is a binary file", str(path), fix="give a text file (EPW, CSV, JSON), or one in gzip")
        )
    if not data.strip():
        raise InputError(Problem("is empty", str(path)))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")  # names of places in older files


@dataclass(frozen=True)
class Table:
    """Rows of a CSV file: `cells[row][column]`, and the line of the file on which each row stands."""

    path: Path
    header: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]

    def where(self, row: int) -> str:
        """File and line of a row."""
        return f"{self.path}:{self.lines[row]}"

    def column(self, index: int) -> list[str]:
        """One column as text."""
        return [row[index] for row in self.cells]

    def numbers(self, index: int, low: float, high: float, unit: str) -> Floats:
        """One column as numbers from `low` to `high`. Raises InputError at the first cell that is none."""
        values = np.empty(len(self.cells))
        for row, cells in enumerate(self.cells):
            values[row] = self.number(row, self.header[index], cells[index], low, high, unit)
        return values

    def number(self, row: int, name: str, cell: str, low: float, high: float, unit: str) -> float:
        """One cell as a number."""
        try:
            value = float(cell)
        except ValueError:
            value = math.nan
        if math.isnan(value) or "_" in cell:
            what = "is empty" if not cell else f"is {said(cell)}, not a number"
            fix = "give a file without gaps" if not cell else ""
            raise InputError(Problem(what, self.where(row), name, fix))
        if not low <= value <= high:
            what = f"is {cell} {unit}".rstrip()
            raise InputError(
                Problem(what, self.where(row), name, f"it must be {low:g} to {high:g}; is the unit right?")
            )
        return value


def _read(reader: Iterator[list[str]], path: Path) -> Iterator[list[str]]:
    import csv

    try:
        yield from reader
    except csv.Error as error:
        raise InputError(Problem(f"is no CSV: {error}", str(path), fix="is a quote left open?")) from error


def split_table(path: Path, lines: Sequence[str], first: int = 0) -> Table:
    """The CSV table whose header stands at `lines[first]`; blank lines are left out.

    Raises InputError at a row with another number of cells than the header.
    """
    import csv

    header = tuple(cell.strip() for cell in next(csv.reader([lines[first]])))
    rows, numbers = [], []
    reader = csv.reader(lines[first + 1 :])
    for cells in _read(reader, path):
        if not cells or (len(cells) == 1 and not cells[0].strip()):
            continue
        line = first + 1 + reader.line_num
        if len(cells) != len(header):
            what = f"has {len(cells)} of {len(header)} columns"
            raise InputError(Problem(what, f"{path}:{line}", fix="complete or remove it; at the end: a file cut off"))
        rows.append(tuple(cell.strip() for cell in cells))
        numbers.append(line)
    if not rows:
        raise InputError(Problem("has a header but no rows", str(path)))
    return Table(path, header, tuple(rows), tuple(numbers))
