"""Vidur's traces (microsoft/vidur): CSV with seconds."""

from __future__ import annotations

from collections.abc import Iterator

from meritorder.workload.formats.csv_rows import batches, numbers
from meritorder.workload.reading.faults import Faults
from meritorder.workload.reading.intake import Draft
from meritorder.workload.reading.options import Options
from meritorder.workload.reading.peek import Peek
from meritorder.workload.reading.source import Source

NAME = "vidur"
LOOKS_FOR = "CSV columns arrived_at, num_prefill_tokens, num_decode_tokens"
_COLUMNS = ("arrived_at", "num_prefill_tokens", "num_decode_tokens")


def matches(peek: Peek) -> bool:
    """Whether this is a Vidur trace with arrivals."""
    return peek.kind == "csv" and peek.has(*_COLUMNS)


def drafts(source: Source, options: Options, notes: list[str]) -> Iterator[Draft]:
    """The rows in batches."""
    for cells in batches(source, _COLUMNS):
        faults = Faults(source.name)
        time = numbers(cells, "arrived_at", faults, "seconds")
        prompt = numbers(cells, "num_prefill_tokens", faults, "a whole number of tokens")
        output = numbers(cells, "num_decode_tokens", faults, "a whole number of tokens")
        faults.check()
        yield Draft(cells.line, time, prompt, output, 1.0, "seconds", _COLUMNS)
