"""TraceLab (UW SyFI): JSON lines, one LLM round of a Claude Code or Codex session each, with ISO events."""

from __future__ import annotations

from collections.abc import Iterator

from meritorder.workload.formats.json_rows import Record, records
from meritorder.workload.formats.session_calls import SessionCalls, nanoseconds
from meritorder.workload.reading.faults import Faults, shown
from meritorder.workload.reading.intake import Draft
from meritorder.workload.reading.options import Options
from meritorder.workload.reading.peek import Peek
from meritorder.workload.reading.source import Source

NAME = "tracelab"
LOOKS_FOR = "JSON lines with prefix_tokens, newly_append_tokens, output_tokens, timing_events"


def matches(peek: Peek) -> bool:
    """Whether this is a TraceLab file."""
    return peek.kind == "json" and peek.has("prefix_tokens", "newly_append_tokens", "output_tokens")


def drafts(source: Source, options: Options, notes: list[str]) -> Iterator[Draft]:
    """All rounds at once, in order of time. The prompt is prefix + newly appended tokens."""
    faults = Faults(source.name)
    calls = SessionCalls("timing_events", ("timing_events", "prefix_tokens + newly_append_tokens", "output_tokens"))
    for line, record in records(source, options.limit):
        prefix, new = record.get("prefix_tokens"), record.get("newly_append_tokens")
        if not isinstance(prefix, int) or not isinstance(new, int) or not 0 <= prefix < 2**53 or not 0 <= new < 2**53:
            faults.add(line, "prefix_tokens", f"is {shown(prefix)}, newly_append_tokens {shown(new)}", "give numbers")
            continue
        times = _times(record)
        if not times:
            faults.add(line, "timing_events", "has no timestamp", "the first event says when the round began")
            continue
        calls.line.append(line)
        calls.start_ns.append(min(times))
        calls.duration_s.append((max(times) - min(times)) / 1e9 if len(times) > 1 else float("nan"))
        calls.prompt.append(prefix + new)
        calls.cached.append(prefix)
        calls.output.append(record.get("output_tokens"))
        calls.session.append((str(record.get("provider", "")), str(record.get("session_id", line))))
        calls.model.append(str(record.get("model") or "unknown"))
    faults.check()
    yield calls.draft(faults, notes)


def _times(record: Record) -> list[int]:
    events = record.get("timing_events")
    stamps = [event.get("timestamp") for event in events if isinstance(event, dict)] if isinstance(events, list) else []
    times = [nanoseconds(stamp) for stamp in stamps]
    return [time for time in times if time is not None]
