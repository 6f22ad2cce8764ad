"""Azure LLM inference traces 2023, 2024 and LMM (Azure/AzurePublicDataset): CSV with dates.

2023 has 7 digits without zone, 2024 6 digits with +00:00, LMM ISO with Z and a column of images.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from meritorder.workload.formats.csv_rows import batches, numbers, timestamps
from meritorder.workload.reading.faults import Faults
from meritorder.workload.reading.intake import Draft
from meritorder.workload.reading.options import Options
from meritorder.workload.reading.peek import Peek
from meritorder.workload.reading.source import Source

NAME = "azure"
LOOKS_FOR = "CSV columns TIMESTAMP, ContextTokens, GeneratedTokens"
_COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")


def matches(peek: Peek) -> bool:
    """Whether this is an Azure trace."""
    return peek.kind == "csv" and peek.has(*_COLUMNS)


def drafts(source: Source, options: Options, notes: list[str]) -> Iterator[Draft]:
    """The rows in batches; says at the end how many requests carry images."""
    with_images = images = rows = 0
    for cells in batches(source, _COLUMNS, ("NumImages",)):
        faults = Faults(source.name)
        time = timestamps(cells, "TIMESTAMP", faults)
        prompt = numbers(cells, "ContextTokens", faults, "a whole number of tokens")
        output = numbers(cells, "GeneratedTokens", faults, "a whole number of tokens")
        if "NumImages" in cells.columns:
            count = numbers(cells, "NumImages", faults, "a number of images")
            with_images += int((count > 0).sum())
            images += int(np.nansum(count))
        faults.check()
        rows += len(cells)
        yield Draft(cells.line, time, prompt, output, 1e9, "a date after 1970", _COLUMNS)
    if with_images:
        notes.append(
            f"{with_images / rows:.0%} of the requests carry images ({images / with_images:.2g} each): ContextTokens "
            "is taken as it stands, nothing is added for images"
        )
