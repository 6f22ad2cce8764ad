"""Weka's Claude Code sessions in their native JSON (one object a session) and flattened to Parquet.

In the native files a sub-agent's calls count `t` from its marker; in the Parquet form `t` is absolute already.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from meritorder.problems import InputError, Problem
from meritorder.workload.formats.json_rows import column
from meritorder.workload.formats.parquet_rows import numbers
from meritorder.workload.formats.weka_calls import Calls, to_trace
from meritorder.workload.reading.faults import Faults, shown
from meritorder.workload.reading.options import Options
from meritorder.workload.reading.peek import Peek
from meritorder.workload.reading.source import Source, open_source, reading
from meritorder.workload.trace import Ints, Trace

NAME = "weka"
LOOKS_FOR = (
    "JSON object with requests, block_size; a folder of such files; Parquet columns trace_id, req, in, out, hash_ids"
)
_COLUMNS = (
    "trace_id",
    "agent_id",
    "req",
    "t",
    "model",
    "in",
    "out",
    "hash_ids",
    "api_time",
    "think_time",
    "block_size",
)
_ENDINGS = (".json", ".json.gz", ".json.zst")


def matches(peek: Peek) -> bool:
    """Whether these are Weka sessions in any of their three forms."""
    if peek.kind == "json":
        return peek.has("requests", "block_size")
    if peek.kind == "parquet":
        return peek.has("trace_id", "req", "t", "in", "out", "hash_ids")
    return peek.kind == "folder" and any(name.endswith(_ENDINGS) for name in peek.names) and _is_folder_of(peek)


def _is_folder_of(peek: Peek) -> bool:
    from meritorder.workload.reading.peek import peek as look

    first = min(name for name in peek.names if name.endswith(_ENDINGS))
    inside = look(peek.source.path / first)
    return inside.kind == "json" and inside.has("requests", "block_size")


def read(peek: Peek, options: Options) -> Trace:
    """The sessions as one trace, closed loop unless chosen otherwise."""
    path = peek.source.path
    if peek.kind == "parquet":
        return _read_parquet(peek.source, options)
    files = [path] if path.is_file() else sorted(p for p in path.iterdir() if p.name.endswith(_ENDINGS))
    return _read_native(files, path, options)


def _read_parquet(source: Source, options: Options) -> Trace:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    faults = Faults(source.name, "row")
    with reading(source.path):
        names = set(pq.read_schema(source.path).names)
        table = pq.read_table(source.path, columns=[name for name in _COLUMNS if name in names])
        for name in ("trace_id", "t", "in", "out", "hash_ids"):
            if table[name].null_count:
                row = int(pc.index(pc.is_null(table[name]), True).as_py())
                faults.add(row + 1, name, "is missing", "every call has one")
        faults.check()
        blocks = _runs(table["hash_ids"], source, faults)
        trace_id = table["trace_id"].combine_chunks().dictionary_encode()
        agent = table["agent_id"] if "agent_id" in names else pa.nulls(len(table), pa.string())
        model = (table["model"] if "model" in names else pa.nulls(len(table), pa.string())).fill_null("unknown")
        model = (model.combine_chunks() if isinstance(model, pa.ChunkedArray) else model).dictionary_encode()
        both = pc.binary_join_element_wise(
            table["trace_id"].cast(pa.string()), agent.cast(pa.string()).fill_null(""), "\0"
        )
        chain = (both.combine_chunks() if isinstance(both, pa.ChunkedArray) else both).dictionary_encode()

        def floats(name: str) -> Any:
            if name not in names:
                return np.full(len(table), np.nan)
            return table[name].cast(pa.float64()).to_numpy().copy()

        session = trace_id.indices.to_numpy().astype(np.int64)
        if (np.diff(session) < 0).any():
            raise InputError(Problem("calls of a session don't stand together", source.name, "trace_id", "sort by it"))
        block_size = _block_size(table, source) if "block_size" in names else 64
        rows = np.arange(1, len(table) + 1, dtype=np.int64)
        calls = Calls(
            line=rows,
            session=session,
            chain=chain.indices.to_numpy().astype(np.int64),
            t=floats("t"),
            prompt=numbers(table, "in", rows, faults, "a whole number of tokens"),
            output=numbers(table, "out", rows, faults, "a whole number of tokens"),
            api_s=floats("api_time"),
            think_s=floats("think_time"),
            model=model.indices.to_numpy().astype(np.int16),
            models=tuple(model.dictionary.to_pylist()) or ("default",),
            blocks=blocks,
            block_tokens=block_size,
        )
        return to_trace(calls, source.path.name, options, faults)


def _block_size(table: Any, source: Source) -> int:
    sizes = {str(size): size for size in table["block_size"].unique().to_pylist()}
    size = next(iter(sizes.values()), 64)
    if len(sizes) > 1 or not isinstance(size, int) or isinstance(size, bool) or not 0 < size <= 1 << 20:
        raise InputError(Problem(f"is {', '.join(sizes)}", source.name, "block_size", "all rows need the same, as 64"))
    return size


def _runs(column: Any, source: Source, faults: Faults) -> list[Ints]:
    """Each row's ids, as views into the column's chunks."""
    import pyarrow.types as types

    kind = column.type
    if not (types.is_list(kind) or types.is_large_list(kind)) or not types.is_integer(kind.value_type):
        raise InputError(Problem(f"has type {kind}", source.name, "hash_ids", "give lists of whole numbers"))
    runs: list[Ints] = []
    for chunk in column.chunks:
        ids = chunk.values
        if ids.null_count:
            raise InputError(Problem("has an empty id", source.name, "hash_ids", "give lists of whole numbers"))
        values = ids.to_numpy(zero_copy_only=False)
        if len(values) and (values.min() < 0 or values.max() >= 2**31):
            faults.add(len(runs) + 1, "hash_ids", "holds an id that is negative or huge, in this row or a later one")
            faults.check()
        values = values.astype(np.int32, copy=False)
        offsets = chunk.offsets.to_numpy().tolist()
        runs += [values[a:b] for a, b in pairwise(offsets)]
    return runs


def _read_native(files: list[Path], path: Path, options: Options) -> Trace:
    """Each file one session. Rows are counted over all the calls of a file, sub-agents' where their marker stands."""
    rows: list[dict[str, Any]] = []
    sessions, chains, times, lines, blocks = [], [], [], [], []
    block_size = 0
    chain = -1
    for number, file in enumerate(files):
        session = _load(file)
        faults = Faults(str(file), "request")
        size = session.get("block_size")
        if not isinstance(size, int) or not 0 < size <= 1 << 20 or (block_size and size != block_size):
            raise InputError(Problem(f"is {shown(size)}", str(file), "block_size", "all files need the same, as 64"))
        block_size = size
        calls: list[tuple[float, int, dict[str, Any]]] = []
        chain = _collect(session.get("requests"), 0.0, chain + 1, calls, faults)
        faults.check()
        part = [call for _, _, call in calls]
        here = list(range(1, len(part) + 1))
        for name in ("in", "out"):
            column([call.get(name) for call in part], here, name, faults, "a whole number of tokens")
        for i, call in zip(here, part, strict=True):
            ids = call.get("hash_ids") or []
            if not isinstance(ids, list) or not all(isinstance(x, int) and 0 <= x < 2**31 for x in ids):
                faults.add(i, "hash_ids", f"is {shown(ids)}", "give a list of block ids")
        faults.check()
        rows += part
        lines += here
        sessions += [number] * len(part)
        times += [t for t, _, _ in calls]
        chains += [c for _, c, _ in calls]
        blocks += [call.get("hash_ids") or [] for call in part]
    if not rows:
        raise InputError(Problem("has no requests", str(path), "requests", "a session has at least one call"))
    return _assemble(rows, (lines, sessions, chains), times, blocks, block_size, path, options)


def _assemble(
    rows: list[dict[str, Any]],
    indices: tuple[list[int], list[int], list[int]],
    times: list[float],
    blocks: list[list[int]],
    block_size: int,
    path: Path,
    options: Options,
) -> Trace:
    def floats(name: str) -> Any:
        values = [row.get(name) for row in rows]
        return np.array(
            [v if isinstance(v, int | float) and not isinstance(v, bool) else np.nan for v in values], float
        )

    models = list(dict.fromkeys(str(row.get("model") or "unknown") for row in rows))
    place = {name: i for i, name in enumerate(models)}
    faults = Faults(str(path), "request")
    calls = Calls(
        line=np.array(indices[0], np.int64),
        session=np.array(indices[1], np.int64),
        chain=np.array(indices[2], np.int64),
        t=np.array(times, float),
        prompt=column([row.get("in") for row in rows], indices[0], "in", faults, ""),
        output=column([row.get("out") for row in rows], indices[0], "out", faults, ""),
        api_s=floats("api_time"),
        think_s=floats("think_time"),
        model=np.array([place[str(row.get("model") or "unknown")] for row in rows], np.int16),
        models=tuple(models),
        blocks=[np.array(ids, np.int32) for ids in blocks],
        block_tokens=block_size,
    )
    return to_trace(calls, path.name, options, faults)


def _load(file: Path) -> dict[str, Any]:
    import orjson

    try:
        session = orjson.loads(open_source(file).bytes())
    except orjson.JSONDecodeError as error:
        fix = "one JSON object with requests and block_size"
        raise InputError(Problem(f"is no JSON: {error.msg}", f"{file}:{error.lineno}", fix=fix)) from error
    if not isinstance(session, dict) or not isinstance(session.get("requests"), list):
        raise InputError(Problem("is no session", str(file), fix="one JSON object with requests and block_size"))
    return session


def _collect(
    requests: object, base: float, chain: int, calls: list[tuple[float, int, dict[str, Any]]], faults: Faults
) -> int:
    """Appends (absolute t, chain, call) of an agent and its sub-agents; returns the last chain number used."""
    last, highest = base, chain
    for request in requests if isinstance(requests, list) else []:
        t = request.get("t") if isinstance(request, dict) else None
        if not isinstance(t, int | float) or isinstance(t, bool) or not 0 <= t < 1e10:
            faults.add(len(calls) + 1, "t", f"is {shown(t)}", "give seconds from the start of the session")
            continue
        if request.get("type") == "subagent":
            highest = _collect(request.get("requests"), base + t, highest + 1, calls, faults)
            continue
        if base + t < last:
            faults.add(len(calls) + 1, "t", f"is {shown(t)}, before the call above", "calls of an agent are in order")
        last = max(last, base + t)
        calls.append((base + t, chain, request))
    return highest
