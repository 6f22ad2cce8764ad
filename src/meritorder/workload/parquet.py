"""Meritorder's own trace files: Parquet with one row a request; also a format that `read` recognises.

Only `arrival_s`, `prompt_tokens` and `output_tokens` must be there; a column that is missing has its neutral value, and
`write` leaves out columns that hold nothing else. The schema's metadata say version, block size, source and warnings.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from meritorder.files import replacing
from meritorder.problems import InputError, Problem
from meritorder.workload.reading.faults import Faults
from meritorder.workload.reading.options import Options
from meritorder.workload.reading.peek import Peek
from meritorder.workload.reading.source import reading
from meritorder.workload.trace import Trace, make_trace, renumber

NAME = "merit"
LOOKS_FOR = "Parquet columns arrival_s, prompt_tokens, output_tokens (Meritorder's own)"
VERSION = 1
_REQUIRED = ("arrival_s", "prompt_tokens", "output_tokens")
_KEY = b"meritorder"
# Neighbouring block ids mostly differ by one: as differences they take a fiftieth of the space.
_STORAGE: dict[str, Any] = {
    **{"compression": "zstd", "compression_level": 1, "use_dictionary": ["service", "region", "session", "turn"]},
    "column_encoding": {"blocks.list.element": "DELTA_BINARY_PACKED"},
}


def matches(peek: Peek) -> bool:
    """Whether this is a file of our own."""
    return peek.kind == "parquet" and peek.has(*_REQUIRED)


def read(peek: Peek, options: Options) -> Trace:
    """The trace in our own file; `options.closed_loop=False` cuts the links between requests."""
    trace = read_parquet(peek.source.path)
    if options.closed_loop is False and trace.closed_loop:
        from meritorder.workload.rows import opened

        trace = opened(trace)
    return trace


def write(trace: Trace, path: str | Path) -> None:
    """Write `trace` so that `read_parquet` gives it back exactly. Raises InputError where `path` can't be written."""
    import pyarrow.parquet as pq

    table = to_table(trace, blocks=trace.has_blocks).replace_schema_metadata({_KEY: _metadata(trace)})
    with replacing(Path(path)) as partial:
        pq.write_table(table, partial, row_group_size=1 << 20, **_STORAGE)


def to_table(trace: Trace, blocks: bool, every_column: bool = False) -> Any:
    """The requests as an Arrow table; columns with nothing but neutral values are left out unless `every_column`."""
    import pyarrow as pa

    columns: dict[str, Any] = {
        "arrival_s": trace.arrival_s,
        "prompt_tokens": trace.prompt_tokens,
        "output_tokens": trace.output_tokens,
    }
    for name, index, names in (("service", trace.service, trace.services), ("region", trace.region, trace.regions)):
        if every_column or names != ("default",):
            columns[name] = pa.DictionaryArray.from_arrays(pa.array(index), pa.array(names, pa.string()))
    optional: tuple[tuple[str, npt.NDArray[Any], float], ...] = (
        *(("session", trace.session, -1), ("turn", trace.turn, 0), ("after", trace.after, -1)),
        *(("think_s", trace.think_s, 0), ("cancel_s", trace.cancel_s, np.inf)),
    )
    for name, values, neutral in optional:
        if every_column or not (values == neutral).all():
            columns[name] = values
    if blocks:
        columns["blocks"] = pa.LargeListArray.from_arrays(pa.array(trace.block_start), pa.array(trace.blocks))
    return pa.table(columns)


def _metadata(trace: Trace) -> bytes:
    import orjson

    return orjson.dumps(
        {
            "version": VERSION,
            "block_tokens": trace.block_tokens,
            "services": trace.services,
            "regions": trace.regions,
            "source": trace.source,
            "warnings": trace.warnings,
        }
    )


def metadata_of(trace: Trace) -> dict[bytes, bytes]:
    """What `write` says in the schema, for a writer that works piece by piece."""
    return {_KEY: _metadata(trace)}


def read_parquet(path: str | Path) -> Trace:
    """The trace in one of our own files. Raises InputError that names rows where its values can't be."""
    path = Path(path)
    table, said = load(path)
    return trace_of(table, said, path)


def load(path: Path) -> tuple[Any, dict[str, Any]]:
    """The Arrow table in a file, and what its metadata say. Raises InputError."""
    import pyarrow.parquet as pq

    with reading(path):
        file = pq.ParquetFile(path)
        table = file.read()
        raw = {**(file.metadata.metadata or {}), **(table.schema.metadata or {})}.get(_KEY)
    return table, _said(raw, path)


def trace_of(table: Any, said: dict[str, Any], path: Path) -> Trace:
    """The trace in an Arrow table of our columns. Raises InputError where its values can't be."""
    names = set(table.column_names)
    missing = [name for name in _REQUIRED if name not in names]
    if missing:
        raise InputError(Problem("is missing", str(path), missing[0], f"a trace has {', '.join(_REQUIRED)}"))
    faults = Faults(str(path), "row")
    columns: dict[str, Any] = {n: _column(table, n, faults) for n in table.column_names if n in _TYPES}
    faults.check()
    service, services = _strings(table, "service", said.get("services"), faults)
    region, regions = _strings(table, "region", said.get("regions"), faults)
    start, blocks = _blocks(table, path) if "blocks" in names else (None, None)
    block_tokens = said.get("block_tokens", 0)
    if blocks is not None and len(blocks) and block_tokens < 1:
        raise InputError(
            Problem("has ids but the file doesn't say their size", str(path), "blocks", "set block_tokens")
        )
    if start is not None and blocks is not None and _is_dense(blocks):
        # Dense ids stay as they are: `make_trace` would number them by first appearance.
        trace = make_trace(**columns, service=service, region=region)
        trace = replace(trace, block_start=start, blocks=blocks.astype(np.int32))
    else:
        trace = make_trace(**columns, service=service, region=region, block_start=start, blocks=blocks)
    _check(trace, block_tokens, faults)
    return replace(
        trace,
        block_tokens=block_tokens,
        services=services,
        regions=regions,
        source=said.get("source", path.name),
        warnings=tuple(said.get("warnings", ())),
    )


_TYPES: dict[str, Any] = {
    **{"arrival_s": np.float64, "prompt_tokens": np.int32, "output_tokens": np.int32, "session": np.int32},
    **{"turn": np.int32, "after": np.int32, "think_s": np.float32, "cancel_s": np.float32},
}


def _said(raw: bytes | None, path: Path) -> dict[str, Any]:
    import orjson

    if raw is None:
        return {}
    try:
        said = orjson.loads(raw)
        good = (
            isinstance(said, dict)
            and isinstance(said.get("block_tokens", 0), int)
            and 0 <= said.get("block_tokens", 0) <= 1 << 20
            and all(isinstance(said.get(name, []), list) for name in ("services", "regions", "warnings"))
            and all(isinstance(x, str) for name in ("services", "regions", "warnings") for x in said.get(name, []))
            and isinstance(said.get("source", ""), str)
            and isinstance(said.get("began", 0.0), int | float)
        )
    except orjson.JSONDecodeError:
        good = False
    if not good:
        raise InputError(Problem("has damaged metadata", str(path), "meritorder", "convert the original again"))
    if said.get("version", VERSION) != VERSION:
        fix = f"this program reads version {VERSION}; convert the original again"
        raise InputError(Problem(f"is of version {said['version']}", str(path), "meritorder", fix))
    return dict(said)


def _column(table: Any, name: str, faults: Faults) -> npt.NDArray[Any]:
    import pyarrow as pa
    import pyarrow.types as types

    column = table[name]
    wanted = np.dtype(_TYPES[name])
    if not (types.is_integer(column.type) or types.is_floating(column.type)):
        faults.add(1, name, f"has type {column.type}", "give numbers")
        return np.zeros(len(table), wanted)
    if column.null_count:
        row = int(column.is_null().to_numpy().argmax())
        faults.add(row + 1, name, "is missing", "give a number")
        return np.zeros(len(table), wanted)
    try:
        result: npt.NDArray[Any] = column.cast(pa.from_numpy_dtype(wanted), safe=wanted.kind == "i").to_numpy()
        return result
    except pa.ArrowInvalid:
        values = column.to_numpy()
        limits = np.iinfo(np.int32)
        with np.errstate(invalid="ignore"):
            wrong = ~((values >= limits.min) & (values <= limits.max)) | (values != np.floor(values))
        rows = np.arange(1, len(values) + 1, dtype=np.int64)
        faults.rows(wrong, rows, name, values, "is {}", "give a whole number below 2^31")
        return np.zeros(len(table), wanted)


def _strings(
    table: Any, name: str, known: list[str] | None, faults: Faults
) -> tuple[npt.NDArray[np.int16] | None, tuple[str, ...]]:
    """Index and names of a column of strings, in the order of the metadata where those have them."""
    import pyarrow as pa
    import pyarrow.types as types

    if name not in table.column_names:
        return None, tuple(known or ("default",))
    column = table[name].combine_chunks() if table[name].num_chunks != 1 else table[name].chunk(0)
    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    if not (types.is_string(kind) or types.is_large_string(kind)) or column.null_count:
        faults.add(1, name, f"has type {kind}" if not column.null_count else "is missing in some rows", "give names")
        faults.check()
    column = column if types.is_dictionary(column.type) else column.dictionary_encode()
    present = column.dictionary.to_pylist()
    names = list(dict.fromkeys([*(known or ()), *present])) or ["default"]
    if len(names) > 32_767:
        faults.add(1, name, f"has {len(names):,} names", "at most 32,767 are possible")
        faults.check()
    place = {text: i for i, text in enumerate(names)}
    to = np.array([place[text] for text in present] or [0], np.int16)
    return to[column.indices.cast(pa.int64()).to_numpy(zero_copy_only=False)], tuple(names)


def _blocks(table: Any, path: Path) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    import pyarrow as pa
    import pyarrow.types as types

    column = table["blocks"]
    if not (types.is_list(column.type) or types.is_large_list(column.type)) or not types.is_integer(
        column.type.value_type
    ):
        raise InputError(Problem(f"has type {column.type}", str(path), "blocks", "give lists of whole numbers"))
    lists = pa.concat_arrays(
        [chunk.cast(pa.large_list(column.type.value_type)) for chunk in column.chunks]
        or [pa.array([], pa.large_list(pa.int32()))]
    )
    lengths = lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    flat = lists.flatten()
    if flat.null_count:
        raise InputError(Problem("has an empty id", str(path), "blocks", "give lists of whole numbers"))
    start = np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)))
    return start, flat.to_numpy(zero_copy_only=False)


def _is_dense(blocks: npt.NDArray[Any]) -> bool:
    return not len(blocks) or (int(blocks.min()) == 0 and int(renumber(blocks).max()) == int(blocks.max()))


def _check(trace: Trace, block_tokens: int, faults: Faults) -> None:
    n = len(trace)
    rows = np.arange(1, n + 1, dtype=np.int64)
    for name, values in (("prompt_tokens", trace.prompt_tokens), ("output_tokens", trace.output_tokens)):
        faults.rows((values < 1) | (values > 10_000_000), rows, name, values, "is {}", "give 1 to 10,000,000 tokens")
    clock = trace.after < 0
    wrong = np.where(clock, ~np.isfinite(trace.arrival_s), np.isinf(trace.arrival_s)) | (np.abs(trace.arrival_s) > 1e10)
    faults.rows(wrong, rows, "arrival_s", trace.arrival_s, "is {}", "give seconds from the start of the trace")
    wrong = (trace.after < -1) | (trace.after >= np.arange(n))
    faults.rows(wrong, rows, "after", trace.after, "is {}", "name an earlier request (0 is the first row), or -1")
    for name, seconds in (("think_s", trace.think_s), ("cancel_s", trace.cancel_s)):
        faults.rows(~(seconds >= 0), rows, name, seconds, "is {}", "give seconds, 0 or more")
    faults.rows(np.isinf(trace.think_s), rows, "think_s", trace.think_s, "is {}", "give seconds, 0 or more")
    faults.rows(trace.session < -1, rows, "session", trace.session, "is {}", "give a number from 0, or -1")
    faults.rows(trace.turn < 0, rows, "turn", trace.turn, "is {}", "give a number from 0")
    if block_tokens:
        counts = np.diff(trace.block_start)
        most = np.ceil(trace.prompt_tokens / block_tokens)
        faults.rows(counts > most, rows, "blocks", counts, "has {} ids", f"a prompt has one a {block_tokens} tokens")
    faults.check()
    started = np.flatnonzero(clock)
    back = np.flatnonzero(np.diff(trace.arrival_s[started]) < 0)
    if len(back):
        row = int(started[back[0] + 1]) + 1
        faults.add(row, "arrival_s", "goes back in time: the file isn't sorted", "sort rows by arrival_s")
    faults.check()
