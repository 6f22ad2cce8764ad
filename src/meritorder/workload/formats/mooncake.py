"""Mooncake traces (kvcache-ai/Mooncake, FAST 2025): JSON lines with milliseconds and chained ids of 512-token blocks.

The published conversation trace stands on a 3 s grid; nothing shorter than that can be read from it without jitter.
"""

from __future__ import annotations

from collections.abc import Iterator

from meritorder.workload.formats.hashed_lines import KEYS, HashedLines, doubt_unit, read_lines
from meritorder.workload.reading.intake import Draft
from meritorder.workload.reading.options import Options
from meritorder.workload.reading.peek import Peek
from meritorder.workload.reading.source import Source

NAME = "mooncake"
LOOKS_FOR = "JSON lines with timestamp (ms), input_length, output_length and no chat_id"
_BLOCK_TOKENS = 512
# No published trace of this kind has more than some hundred requests a second: then milliseconds are seconds.
_SUSPICIOUS_RATE = 1000.0


def matches(peek: Peek) -> bool:
    """Whether this is a Mooncake trace; Bailian has the same keys and `chat_id`."""
    return peek.kind == "json" and peek.has(*KEYS) and not peek.has("chat_id")


def drafts(source: Source, options: Options, notes: list[str]) -> Iterator[Draft]:
    """All rows at once: block ids reach over the whole file."""
    found = read_lines(source, options, "milliseconds", _BLOCK_TOKENS)
    found.faults.check()
    _check_unit(found, source, options, notes)
    sessions = [r.get("session_id") for r in found.records]
    named = any(s is not None for s in sessions)
    yield found.draft(1e3, session=[str(s) if s is not None else None for s in sessions] if named else None)


def _check_unit(found: HashedLines, source: Source, options: Options, notes: list[str]) -> None:
    span_s = found.span() / 1e3
    rate = (len(found.lines) - 1) / span_s if span_s > 0 else 0.0
    if rate > _SUSPICIOUS_RATE:
        what = f"taken as milliseconds it makes {rate:,.0f} requests/s: it looks like seconds"
        fix = "multiply timestamps by 1000, or say `--format mooncake` where they really are milliseconds"
        doubt_unit(source, options, notes, what, fix)
