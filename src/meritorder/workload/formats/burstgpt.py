"""BurstGPT 1 to 3 (HPMLL/BurstGPT): CSV with seconds from local midnight of the first day.

Version 3 puts `Session ID` and `Elapsed time` in the middle, so columns are read by name. A response of 0 tokens is
a request that failed.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from meritorder.workload.formats.csv_rows import Cells, batches, numbers
from meritorder.workload.reading.faults import Faults
from meritorder.workload.reading.intake import Draft
from meritorder.workload.reading.options import Options
from meritorder.workload.reading.peek import Peek
from meritorder.workload.reading.source import Source
from meritorder.workload.trace import Floats

NAME = "burstgpt"
LOOKS_FOR = "CSV columns Timestamp, Request tokens, Response tokens"
_COLUMNS = ("Timestamp", "Request tokens", "Response tokens")


def matches(peek: Peek) -> bool:
    """Whether this is a BurstGPT trace of any version."""
    return peek.kind == "csv" and peek.has(*_COLUMNS)


def drafts(source: Source, options: Options, notes: list[str]) -> Iterator[Draft]:
    """The rows in batches, with the model as service and, in version 3, sessions and answer times."""
    for cells in batches(source, _COLUMNS, ("Model", "Session ID", "Elapsed time")):
        faults = Faults(source.name)
        time = numbers(cells, "Timestamp", faults, "seconds from the first day's midnight")
        prompt = numbers(cells, "Request tokens", faults, "a whole number of tokens")
        output = numbers(cells, "Response tokens", faults, "a whole number of tokens")
        faults.check()
        yield Draft(
            *(cells.line, time, prompt, output, 1.0, "seconds from the first day's midnight", _COLUMNS),
            session=_texts(cells, "Session ID"),
            service=_texts(cells, "Model"),
            duration_s=_elapsed(cells),
        )


def _texts(cells: Cells, name: str) -> list[object] | None:
    if name not in cells.columns:
        return None
    return [cell.decode("utf-8", "replace") or None for cell in cells.columns[name].to_pylist()]


def _elapsed(cells: Cells) -> Floats | None:
    if "Elapsed time" not in cells.columns:
        return None
    ignored = Faults("")  # an unreadable answer time only costs the think time before the next turn
    values = numbers(cells, "Elapsed time", ignored, "").astype(np.float64)
    values[~(values >= 0)] = np.nan
    return values
