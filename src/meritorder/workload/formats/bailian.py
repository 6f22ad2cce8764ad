"""Qwen-Bailian traces (alibaba-edu/qwen-bailian-usagetraces-anon): JSON lines like Mooncake's, with another unit.

Timestamps are seconds, blocks have 16 tokens, and `parent_chat_id` (-1 at the root) links the turns of a chat.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from meritorder.problems import InputError, Problem
from meritorder.workload.formats.json_rows import Record, block_lists, column, records
from meritorder.workload.reading.faults import Faults, shown
from meritorder.workload.reading.intake import Draft
from meritorder.workload.reading.options import Options
from meritorder.workload.reading.peek import Peek
from meritorder.workload.reading.source import Source
from meritorder.workload.trace import Floats

NAME = "bailian"
LOOKS_FOR = "JSON lines with chat_id, parent_chat_id, timestamp (s), input_length, output_length"
_KEYS = ("timestamp", "input_length", "output_length")
_BLOCK_TOKENS = 16
# The published traces have some requests a second; one a minute means that seconds are milliseconds.
_SUSPICIOUS_GAP_S = 300.0


def matches(peek: Peek) -> bool:
    """Whether this is a Bailian trace."""
    return peek.kind == "json" and peek.has("chat_id", *_KEYS)


def drafts(source: Source, options: Options, notes: list[str]) -> Iterator[Draft]:
    """All rows at once: ids of blocks and chats reach over the whole file."""
    lines, rows = [], []
    for line, record in records(source, options.limit):
        lines.append(line)
        rows.append(record)
    faults = Faults(source.name)
    time = column([r.get("timestamp") for r in rows], lines, "timestamp", faults, "seconds")
    prompt = column([r.get("input_length") for r in rows], lines, "input_length", faults, "a whole number of tokens")
    output = column([r.get("output_length") for r in rows], lines, "output_length", faults, "a whole number of tokens")
    faults.check()
    start, blocks = block_lists([r.get("hash_ids") for r in rows], prompt, lines, "hash_ids", _BLOCK_TOKENS, faults)
    root = _chats(rows, lines, faults, notes)
    faults.check()
    _check_unit(source, time.astype(np.float64), options, notes)
    yield Draft(
        *(np.array(lines, np.int64), time, prompt, output, 1.0, "seconds", _KEYS),
        session=list(root),
        block_start=start,
        blocks=blocks,
        block_tokens=_BLOCK_TOKENS if len(blocks) else 0,
    )


def _chats(rows: list[Record], lines: list[int], faults: Faults, notes: list[str]) -> list[int]:
    """For each row the row at the root of its chat."""
    row_of: dict[object, int] = {}
    root = list(range(len(rows)))
    orphans = 0
    for i, record in enumerate(rows):
        chat, above = record.get("chat_id"), record.get("parent_chat_id", -1)
        if not isinstance(chat, int | str) or not isinstance(above, int | str):
            faults.add(lines[i], "chat_id", f"is {shown(chat)}", "give a number; parent_chat_id -1 starts a chat")
            continue
        if above not in (-1, "-1"):
            if above in row_of:
                root[i] = root[row_of[above]]
            else:
                orphans += 1
        row_of[chat] = i
    if orphans:
        notes.append(f"{orphans:,} turns continue a chat that started before the trace: taken as first turns")
    return root


def _check_unit(source: Source, time: Floats, options: Options, notes: list[str]) -> None:
    if len(time) < 10 or not np.isfinite(time).all():
        return
    gap = float(time.max() - time.min()) / (len(time) - 1)
    if gap < _SUSPICIOUS_GAP_S:
        return
    what = f"taken as seconds it makes one request in {gap:,.0f} s: it looks like milliseconds"
    if options.forced:
        notes.append(f"timestamp: {what}")
        return
    fix = "divide timestamps by 1000, or say `--format bailian` where they really are seconds"
    raise InputError(Problem(what, source.name, "timestamp", fix))
