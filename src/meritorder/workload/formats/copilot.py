"""GitHub Copilot coding-agent sessions 2026 (Azure/AzurePublicDataset): JSON lines, one session each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from meritorder.workload.formats.json_rows import Record, records
from meritorder.workload.formats.session_calls import SessionCalls, nanoseconds
from meritorder.workload.reading.faults import Faults, shown
from meritorder.workload.reading.intake import Draft
from meritorder.workload.reading.options import Options
from meritorder.workload.reading.peek import Peek
from meritorder.workload.reading.source import Source

NAME = "copilot"
LOOKS_FOR = "JSON lines with session_id and turns[].llm_calls[]"


def matches(peek: Peek) -> bool:
    """Whether this is a file of Copilot sessions."""
    return peek.kind == "json" and peek.has("session_id", "turns")


def drafts(source: Source, options: Options, notes: list[str]) -> Iterator[Draft]:
    """All calls at once, in order of time."""
    faults = Faults(source.name)
    calls = SessionCalls("timestamp", ("timestamp", "tokens.prompt", "tokens.completion"))
    for line, session in records(source):
        for turn, call in _calls(session, line, faults):
            start = nanoseconds(call.get("timestamp"))
            tokens = call.get("tokens")
            if start is None or not isinstance(tokens, dict):
                key = f"turns[{turn}].llm_calls[].{'timestamp' if start is None else 'tokens'}"
                bad = call.get("timestamp") if start is None else tokens
                faults.add(
                    line, key, f"is {shown(bad)}", "give a date with time, and tokens {prompt, completion, cached}"
                )
                continue
            duration = call.get("duration_ms")
            calls.line.append(line)
            calls.start_ns.append(start)
            calls.duration_s.append(
                duration / 1e3 if isinstance(duration, int | float) and duration >= 0 else float("nan")
            )
            calls.prompt.append(tokens.get("prompt"))
            calls.cached.append(tokens.get("cached"))
            calls.output.append(tokens.get("completion"))
            calls.session.append(str(session.get("session_id", line)))
            calls.model.append(str(call.get("model") or "unknown"))
    faults.check()
    yield calls.draft(faults, notes)


def _calls(session: Record, line: int, faults: Faults) -> Iterator[tuple[int, dict[str, Any]]]:
    turns = session.get("turns")
    if not isinstance(turns, list):
        faults.add(line, "turns", f"is {shown(turns)}", "give a list of turns")
        return
    for number, turn in enumerate(turns):
        calls = turn.get("llm_calls", []) if isinstance(turn, dict) else None
        if not isinstance(calls, list) or not all(isinstance(call, dict) for call in calls):
            faults.add(line, f"turns[{number}].llm_calls", f"is {shown(calls)}", "give a list of calls")
            continue
        yield from ((number, call) for call in calls)
