"""Baseten completion traces: Parquet with milliseconds since 1970, optionally block hashes and session ids."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from meritorder.problems import InputError, Problem
from meritorder.workload.formats.parquet_rows import batches, numbers, since_1970
from meritorder.workload.reading.faults import Faults
from meritorder.workload.reading.intake import Draft
from meritorder.workload.reading.options import Options
from meritorder.workload.reading.peek import Peek
from meritorder.workload.reading.source import Source
from meritorder.workload.trace import Longs

NAME = "baseten"
LOOKS_FOR = "Parquet columns timestamp_start_unix_ms, input_tokens, output_tokens"
_COLUMNS = ("timestamp_start_unix_ms", "input_tokens", "output_tokens")
_SESSIONS = ("provided_session_id", "poor_man_session_id")


def matches(peek: Peek) -> bool:
    """Whether this is a Baseten trace."""
    return peek.kind == "parquet" and peek.has(*_COLUMNS)


def drafts(source: Source, options: Options, notes: list[str]) -> Iterator[Draft]:
    """The rows in batches; all at once where there are block hashes, as those reach over the whole file."""
    import pyarrow as pa

    parts = batches(source, (*_COLUMNS, *_SESSIONS, "total_hashes", "block_size"))
    whole: list[tuple[Any, Longs]] = []
    for batch, rows in parts:
        if "total_hashes" in batch.schema.names:
            whole.append((batch, rows))
        else:
            yield _draft(source, batch, rows)
    if whole:
        table = pa.Table.from_batches([batch for batch, _ in whole]).combine_chunks()
        rows = np.concatenate([rows for _, rows in whole])
        for batch in table.to_batches():
            yield _with_blocks(source, batch, rows)


def _draft(source: Source, batch: Any, rows: Longs) -> Draft:
    faults = Faults(source.name, "row")
    time = since_1970(batch, "timestamp_start_unix_ms", rows, faults, 1e3)
    prompt = numbers(batch, "input_tokens", rows, faults, "a whole number of tokens")
    output = numbers(batch, "output_tokens", rows, faults, "a whole number of tokens")
    faults.check()
    key = next((name for name in _SESSIONS if name in batch.schema.names), None)
    sessions = _keys(source, batch.column(key), key) if key else None
    return Draft(*(rows, time, prompt, output, 1e3, "milliseconds since 1970", _COLUMNS), session=sessions, row="row")


def _keys(source: Source, column: Any, name: str) -> list[object]:
    import pyarrow.types as types

    if not (types.is_integer(column.type) or types.is_string(column.type) or types.is_large_string(column.type)):
        raise InputError(Problem(f"has type {column.type}", source.name, name, "give texts or whole numbers"))
    keys: list[object] = column.to_pylist()
    return keys


def _with_blocks(source: Source, batch: Any, rows: Longs) -> Draft:
    import pyarrow as pa
    import pyarrow.types as types

    draft = _draft(source, batch, rows)
    names = batch.schema.names
    sizes = {str(size): size for size in batch.column("block_size").to_pylist()} if "block_size" in names else {}
    size = next(iter(sizes.values())) if len(sizes) == 1 else None
    if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= 1 << 20:
        what = "differs between rows" if len(sizes) > 1 else "is missing: total_hashes need a size"
        raise InputError(Problem(what, source.name, "block_size", "all rows need the same number of tokens a block"))
    hashes = batch.column("total_hashes")
    if not (types.is_list(hashes.type) or types.is_large_list(hashes.type)):
        raise InputError(Problem(f"has type {hashes.type}", source.name, "total_hashes", "give lists of block hashes"))
    ids = hashes.flatten()
    filled = hashes.fill_null(pa.scalar([], hashes.type)) if hashes.null_count else hashes
    start = np.concatenate((np.zeros(1, np.int64), np.cumsum(filled.value_lengths().to_numpy(), dtype=np.int64)))
    faults = Faults(source.name, "row")
    counts = np.diff(start)
    fit = np.ceil(np.asarray(draft.prompt, np.float64) / size)
    fix = f"no more than input_tokens / {size} fit"
    faults.rows(counts > fit, rows, "total_hashes", counts, "has {} hashes", fix)
    faults.check()
    draft.block_start = start
    draft.blocks = ids.dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int64)
    draft.block_tokens = size
    return draft
