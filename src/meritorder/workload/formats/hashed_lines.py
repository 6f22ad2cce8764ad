"""JSON lines with a timestamp, two lengths and chained ids of blocks: what Mooncake's and Bailian's traces share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from meritorder.problems import InputError, Problem
from meritorder.workload.formats.json_rows import Record, column, records
from meritorder.workload.reading.faults import Faults, shown
from meritorder.workload.reading.intake import Draft
from meritorder.workload.reading.options import Options
from meritorder.workload.reading.source import Source
from meritorder.workload.trace import Longs

KEYS = ("timestamp", "input_length", "output_length")


@dataclass(frozen=True)
class HashedLines:
    """All rows of a file (n): ids of blocks reach over the whole of it."""

    records: list[Record]
    lines: list[int]  # where each row stands in the file
    time: npt.NDArray[Any]  # in the file's `unit`
    prompt: npt.NDArray[Any]
    output: npt.NDArray[Any]
    block_start: Longs
    blocks: Longs
    unit: str  # "seconds" or "milliseconds"
    block_tokens: int
    faults: Faults  # wrong block ids, not raised yet: the format may find more

    def span(self) -> float:
        """From the first to the last timestamp; 0 where fewer than ten rows or NaN tell nothing of the unit."""
        time = self.time.astype(np.float64)
        return float(time.max() - time.min()) if len(time) >= 10 and np.isfinite(time).all() else 0.0

    def draft(self, per_second: float, session: list[object] | None) -> Draft:
        """The rows for the intake; `per_second`: how many units of time make a second."""
        return Draft(
            *(np.array(self.lines, np.int64), self.time, self.prompt, self.output, per_second, self.unit, KEYS),
            session=session,
            block_start=self.block_start,
            blocks=self.blocks,
            block_tokens=self.block_tokens if len(self.blocks) else 0,
        )


def read_lines(source: Source, options: Options, unit: str, block_tokens: int) -> HashedLines:
    """The rows of a file. Raises InputError with all values that are no numbers; wrong block ids are in `faults`."""
    lines, rows = [], []
    for line, record in records(source, options.limit):
        lines.append(line)
        rows.append(record)
    faults = Faults(source.name)
    rights = (unit, "a whole number of tokens", "a whole number of tokens")
    time, prompt, output = (
        column([r.get(key) for r in rows], lines, key, faults, right) for key, right in zip(KEYS, rights, strict=True)
    )
    faults.check()
    start, blocks = _block_lists([r.get("hash_ids") for r in rows], prompt, lines, block_tokens, faults)
    return HashedLines(rows, lines, time, prompt, output, start, blocks, unit, block_tokens, faults)


def doubt_unit(source: Source, options: Options, notes: list[str], what: str, fix: str) -> None:
    """Timestamps look like another unit: InputError, or only a note where the user has named the format."""
    if not options.forced:
        raise InputError(Problem(what, source.name, "timestamp", fix))
    notes.append(f"timestamp: {what}")


def _block_lists(
    lists: Sequence[object], prompts: npt.NDArray[Any], lines: Sequence[int], block_tokens: int, faults: Faults
) -> tuple[Longs, Longs]:
    """Lists of block ids as offsets (n+1) and ids; a list may not name more blocks than its prompt fills."""
    counts = np.zeros(len(lists), np.int64)
    for i, ids in enumerate(lists):
        if isinstance(ids, list):
            counts[i] = len(ids)
        elif ids is not None:
            faults.add(lines[i], "hash_ids", f"is {shown(ids)}", "give a list of block ids")
    most = np.ceil(np.asarray(prompts, np.float64) / block_tokens)
    for i in np.flatnonzero((counts > most) & (most > 0)).tolist():
        what = f"has {counts[i]:,} ids for a prompt of {prompts[i]:,} tokens, which fills {most[i]:,.0f} blocks"
        faults.add(lines[i], "hash_ids", what, f"a block has {block_tokens} tokens in this format")
    start = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))
    flat = [ids for ids in lists if isinstance(ids, list)]
    try:
        joined = np.fromiter((block for ids in flat for block in ids), np.int64, count=int(start[-1]))
    except (TypeError, ValueError, OverflowError):
        joined = np.zeros(int(start[-1]), np.int64)
        for i, ids in enumerate(lists):
            bad = [x for x in ids if not isinstance(x, int) or abs(x) >= 2**63] if isinstance(ids, list) else []
            if bad:
                faults.add(lines[i], "hash_ids", f"holds {shown(bad[0])}", "block ids are whole numbers")
    return start, joined
