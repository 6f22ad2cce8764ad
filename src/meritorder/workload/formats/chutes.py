"""Chutes' year of invocations (harvardMadsys/chutes_metadata): Parquet with microseconds, shifted to 1970."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from meritorder.workload.formats.parquet_rows import batches, numbers, since_1970
from meritorder.workload.reading.faults import Faults
from meritorder.workload.reading.intake import Draft
from meritorder.workload.reading.options import Options
from meritorder.workload.reading.peek import Peek
from meritorder.workload.reading.source import Source

NAME = "chutes"
LOOKS_FOR = "Parquet columns started_at, it, ot"
_COLUMNS = ("started_at", "it", "ot")


def matches(peek: Peek) -> bool:
    """Whether these are Chutes invocations."""
    return peek.kind == "parquet" and peek.has(*_COLUMNS)


def drafts(source: Source, options: Options, notes: list[str]) -> Iterator[Draft]:
    """The rows in batches, each model (`chute_id`) a service; invocations without token counts are no LLM's."""
    import pyarrow.compute as pc

    other = cached = 0
    for batch, rows in batches(source, (*_COLUMNS, "ct", "chute_id")):
        told = pc.and_(pc.is_valid(batch.column("it")), pc.is_valid(batch.column("ot")))
        mine = told.to_numpy(zero_copy_only=False)
        other += int((~mine).sum())
        batch, rows = batch.filter(told), rows[mine]
        if not len(rows):
            continue
        faults = Faults(source.name, "row")
        time = since_1970(batch, "started_at", rows, faults, 1e6)
        prompt = numbers(batch, "it", rows, faults, "a whole number of tokens")
        output = numbers(batch, "ot", rows, faults, "a whole number of tokens")
        faults.check()
        if "ct" in batch.schema.names:
            cached += _cached(batch.column("ct"))
        service = batch.column("chute_id").to_pylist() if "chute_id" in batch.schema.names else None
        names: list[object] | None = None if service is None else ["unknown" if s is None else str(s) for s in service]
        yield Draft(rows, time, prompt, output, 1e6, "microseconds since 1970", _COLUMNS, service=names, row="row")
    notes.append("dates were shifted to 1970 by the publisher: only differences of time mean something")
    if other:
        notes.append(f"{other:,} invocations have no token counts, so are no LLM's: left out")
    if cached:
        notes.append(f"{cached:,} prompts were partly cached (ct), but without ids: prefix reuse isn't in the trace")


def _cached(column: Any) -> int:
    """How many prompts had cached tokens; only for the note, so a column of another kind counts as none."""
    import pyarrow.compute as pc
    import pyarrow.types as types

    if not (types.is_integer(column.type) or types.is_floating(column.type)):
        return 0
    return int(pc.sum(pc.greater(column, 0)).as_py() or 0)
