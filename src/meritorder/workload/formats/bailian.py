"""Qwen-Bailian traces (alibaba-edu/qwen-bailian-usagetraces-anon): JSON lines like Mooncake's, with another unit.

Timestamps are seconds, blocks have 16 tokens, and `parent_chat_id` (-1 at the root) links the turns of a chat.
"""

from __future__ import annotations

from collections.abc import Iterator

from meritorder.workload.formats.hashed_lines import KEYS, HashedLines, doubt_unit, read_lines
from meritorder.workload.formats.json_rows import Record
from meritorder.workload.reading.faults import Faults, shown
from meritorder.workload.reading.intake import Draft
from meritorder.workload.reading.options import Options
from meritorder.workload.reading.peek import Peek
from meritorder.workload.reading.source import Source

NAME = "bailian"
LOOKS_FOR = "JSON lines with chat_id, parent_chat_id, timestamp (s), input_length, output_length"
_BLOCK_TOKENS = 16
# The published traces have some requests a second; one a minute means that seconds are milliseconds.
_SUSPICIOUS_GAP_S = 300.0


def matches(peek: Peek) -> bool:
    """Whether this is a Bailian trace."""
    return peek.kind == "json" and peek.has("chat_id", *KEYS)


def drafts(source: Source, options: Options, notes: list[str]) -> Iterator[Draft]:
    """All rows at once: ids of blocks and chats reach over the whole file."""
    found = read_lines(source, options, "seconds", _BLOCK_TOKENS)
    root = _chats(found.records, found.lines, found.faults, notes)
    found.faults.check()
    _check_unit(found, source, options, notes)
    yield found.draft(1.0, session=list(root))


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


def _check_unit(found: HashedLines, source: Source, options: Options, notes: list[str]) -> None:
    gap = found.span() / max(len(found.lines) - 1, 1)
    if gap >= _SUSPICIOUS_GAP_S:
        what = f"taken as seconds it makes one request in {gap:,.0f} s: it looks like milliseconds"
        fix = "divide timestamps by 1000, or say `--format bailian` where they really are seconds"
        doubt_unit(source, options, notes, what, fix)
