"""CSV files in batches of raw cells with their line numbers, and cells to numbers with the bad ones named."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from meritorder.problems import InputError, Problem
from meritorder.workload.reading.faults import Faults, shown
from meritorder.workload.reading.source import Source, reading
from meritorder.workload.trace import Longs

_BLOCK_BYTES = 4 << 20
_RAGGED = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+): ?(.*)", re.DOTALL)


@dataclass(frozen=True)
class Cells:
    """Some rows of a CSV file: raw cells by column, and the line of each row."""

    columns: dict[str, Any]  # pyarrow binary arrays
    line: Longs

    def __len__(self) -> int:
        return len(self.line)


def batches(source: Source, wanted: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Cells]:
    """The columns `wanted` (and those of `optional` that there are), a few MB at a time.

    Raises InputError at a row with another number of columns than the header, naming its line.
    """
    import pyarrow as pa
    import pyarrow.csv as pacsv

    names = _header(source)
    chosen = [*wanted, *(name for name in optional if name in names)]
    size = max(source.path.stat().st_size, 1)
    with reading(source.path), pa.OSFile(str(source.path)) as packed:
        stream = packed if source.compression is None else pa.CompressedInputStream(packed, source.compression)
        opened = partial(
            pacsv.open_csv,
            stream,
            # One thread keeps line numbers in Arrow's reports; parsing isn't what takes the time.
            read_options=pacsv.ReadOptions(
                use_threads=False, block_size=_BLOCK_BYTES, column_names=names, skip_rows=1, encoding="utf8"
            ),
            parse_options=pacsv.ParseOptions(ignore_empty_lines=False),
            convert_options=pacsv.ConvertOptions(
                column_types={name: pa.binary() for name in chosen}, include_columns=chosen, strings_can_be_null=False
            ),
        )
        line = 2
        for batch in _ragged_named(source, opened):
            numbers = np.arange(line, line + len(batch), dtype=np.int64)
            line += len(batch)
            yield _without_blank_lines(dict(zip(chosen, batch.columns, strict=True)), numbers)
            if source.progress:
                source.progress(min(packed.tell() / size, 1.0))


def _ragged_named(source: Source, opened: Callable[[], Iterator[Any]]) -> Iterator[Any]:
    """The batches of what is opened; a row with too few or many cells becomes an InputError with its line."""
    import pyarrow as pa

    try:
        yield from opened()
    except pa.ArrowInvalid as error:
        found = _RAGGED.search(str(error))
        if found is None:
            raise
        line, expected, actual, row = found.groups()
        what = f"has {actual} of {expected} columns: {shown(row)}"
        fix = "complete or remove it; a last line like that means a file cut off"
        raise InputError(Problem(what, source.where(int(line)), fix=fix)) from error


def _header(source: Source) -> list[str]:
    with source.stream() as stream:
        head: bytes = stream.read(1 << 16)
    first = head.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].decode("utf-8", "replace").strip("\r\n")
    names = [name.strip().strip('"') for name in first.split(",")]
    doubled = {name for name in names if names.count(name) > 1}
    if doubled:
        raise InputError(Problem(f"the header names {sorted(doubled)[0]!r} twice", source.where(1)))
    return names


def _without_blank_lines(columns: dict[str, Any], line: Longs) -> Cells:
    """A blank line reads as a row whose every cell is empty."""
    import pyarrow as pa
    import pyarrow.compute as pc

    blank = np.ones(len(line), bool)
    for cells in columns.values():
        blank &= pc.equal(pc.binary_length(cells), 0).to_numpy(zero_copy_only=False)
        if not blank.any():
            return Cells(columns, line)
    keep = pa.array(~blank)
    return Cells({name: cells.filter(keep) for name, cells in columns.items()}, line[~blank])


def numbers(cells: Cells, name: str, faults: Faults, right: str) -> npt.NDArray[Any]:
    """A column as int64, or float64 where it has fractions; cells that are no number become faults (and 1 here)."""
    import pyarrow as pa

    column = cells.columns[name]
    for kind in (pa.int64(), pa.float64()):
        try:
            return _array(column.cast(pa.string()).cast(kind))
        except pa.ArrowInvalid:
            continue
    values = np.ones(len(cells))
    for i, cell in enumerate(column.to_pylist()):
        try:
            values[i] = float(cell)
        except ValueError:
            what = "is missing" if not cell.strip() else f"is {shown(cell)}"
            faults.add(int(cells.line[i]), name, what, f"give {right}")
    return values


def timestamps(cells: Cells, name: str, faults: Faults) -> Longs:
    """A column of dates with times as nanoseconds since 1970 (UTC where they have no zone); bad cells are faults."""
    import pyarrow as pa

    column = cells.columns[name]
    for kind in (pa.timestamp("ns"), pa.timestamp("ns", "UTC")):
        try:
            return _array(column.cast(pa.string()).cast(kind).cast(pa.int64()))
        except pa.ArrowInvalid:
            continue
    return _mixed_timestamps(column, cells, name, faults)


def _mixed_timestamps(column: Any, cells: Cells, name: str, faults: Faults) -> Longs:
    import pyarrow as pa

    values = np.zeros(len(cells), np.int64)
    zones = set()
    for i, cell in enumerate(column.to_pylist()):
        for zone in (None, "UTC"):
            try:
                values[i] = pa.scalar(cell.decode(), pa.string()).cast(pa.timestamp("ns", zone)).value
                zones.add(zone)
                break
            except (pa.ArrowInvalid, UnicodeDecodeError):
                continue
        else:
            what = "is missing" if not cell.strip() else f"is {shown(cell)}"
            faults.add(int(cells.line[i]), name, what, "give a date with time like 2023-11-16 18:15:46.6805900")
    if len(zones) == 2 and not faults.problems:
        faults.add(int(cells.line[0]), name, "has a time zone in some rows and none in others", "use one form")
    return values


def _array(column: Any) -> npt.NDArray[Any]:
    result: npt.NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return result
