"""Mooncake traces (kvcache-ai/Mooncake, FAST 2025): JSON lines with milliseconds and chained ids of 512-token blocks.

The published conversation trace stands on a 3 s grid; nothing shorter than that can be read from it without jitter.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from meritorder.problems import InputError, Problem
from meritorder.workload.formats.json_rows import block_lists, column, records
from meritorder.workload.reading.faults import Faults
from meritorder.workload.reading.intake import Draft
from meritorder.workload.reading.options import Options
from meritorder.workload.reading.peek import Peek
from meritorder.workload.reading.source import Source
from meritorder.workload.trace import Floats

NAME = "mooncake"
LOOKS_FOR = "JSON lines with timestamp (ms), input_length, output_length and no chat_id"
_KEYS = ("timestamp", "input_length", "output_length")
_BLOCK_TOKENS = 512
# No published trace of this kind has more than some hundred requests a second: then milliseconds are seconds.
_SUSPICIOUS_RATE = 1000.0


def matches(peek: Peek) -> bool:
    """Whether this is a Mooncake trace; Bailian has the same keys and `chat_id`."""
    return peek.kind == "json" and peek.has(*_KEYS) and not peek.has("chat_id")


def drafts(source: Source, options: Options, notes: list[str]) -> Iterator[Draft]:
    """All rows at once: block ids reach over the whole file."""
    lines, rows = [], []
    for line, record in records(source, options.limit):
        lines.append(line)
        rows.append(record)
    faults = Faults(source.name)
    time = column([r.get("timestamp") for r in rows], lines, "timestamp", faults, "milliseconds")
    prompt = column([r.get("input_length") for r in rows], lines, "input_length", faults, "a whole number of tokens")
    output = column([r.get("output_length") for r in rows], lines, "output_length", faults, "a whole number of tokens")
    faults.check()
    start, blocks = block_lists([r.get("hash_ids") for r in rows], prompt, lines, "hash_ids", _BLOCK_TOKENS, faults)
    faults.check()
    _check_unit(source, time.astype(np.float64), options, notes)
    sessions = [r.get("session_id") for r in rows]
    yield Draft(
        *(np.array(lines, np.int64), time, prompt, output, 1e3, "milliseconds", _KEYS),
        session=[str(s) if s is not None else None for s in sessions] if any(s is not None for s in sessions) else None,
        block_start=start,
        blocks=blocks,
        block_tokens=_BLOCK_TOKENS if len(blocks) else 0,
    )


def _check_unit(source: Source, time: Floats, options: Options, notes: list[str]) -> None:
    if len(time) < 10 or not np.isfinite(time).all():
        return
    span_s = float(time.max() - time.min()) / 1e3
    rate = (len(time) - 1) / span_s if span_s > 0 else 0.0
    if rate <= _SUSPICIOUS_RATE:
        return
    what = f"taken as milliseconds it makes {rate:,.0f} requests/s: it looks like seconds"
    if options.forced:
        notes.append(f"timestamp: {what}")
        return
    fix = "multiply timestamps by 1000, or say `--format mooncake` where they really are milliseconds"
    raise InputError(Problem(what, source.name, "timestamp", fix))
