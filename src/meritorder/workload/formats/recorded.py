"""A folder of traffic that `merit serve` recorded: our own Parquet files, one a minute and worker, read as one trace.

Unlike other traces of ours they hold 64-bit hashes as block ids, so that equal text is known across files, and in the
metadata `began`: the Unix time at which `arrival_s` is 0.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from meritorder.files import replacing
from meritorder.problems import InputError, Problem
from meritorder.workload.parquet import load, metadata_of, to_table, trace_of
from meritorder.workload.reading.options import Options
from meritorder.workload.reading.peek import Peek
from meritorder.workload.trace import Longs, Trace

NAME = "recorded"
LOOKS_FOR = "a folder with traffic-*.parquet (recorded by `merit serve`)"
# Hashes can't be made any smaller.
_STORAGE: dict[str, Any] = {
    "compression": {"blocks.list.element": "none"},
    "use_dictionary": ["service", "region", "session", "turn", "after", "think_s", "cancel_s"],
}
_FILE = re.compile(r"traffic-.+\.parquet")


def matches(peek: Peek) -> bool:
    """Whether the folder has recordings in it."""
    return peek.kind == "folder" and any(_FILE.fullmatch(name) for name in peek.names)


def read(peek: Peek, options: Options) -> Trace:
    """All recordings of the folder as one trace, in order of arrival, from the first arrival on."""
    folder = peek.source.path
    paths = sorted(folder / name for name in peek.names if _FILE.fullmatch(name))
    tables, says = [], []
    for number, path in enumerate(paths, 1):
        table, said = load(path)
        if "began" not in said:
            fix = "read it as a file of its own, or take it out of the folder"
            raise InputError(Problem("doesn't say when it was recorded", str(path), "began", fix))
        tables.append(_shifted(table, said["began"]))
        says.append(said)
        if options.progress:
            options.progress(number / len(paths))
    trace = trace_of(_by_time(tables), _joined(says, folder), folder)
    if not options.closed_loop:
        return trace
    fix = "leave --closed-loop out: every request starts by the clock"
    raise InputError(Problem("has no sessions to close a loop over", str(folder), fix=fix))


def write(trace: Trace, path: Path, began: float, start: Longs, hashes: Longs, block_tokens: int) -> None:
    """Write one recording: `trace` without blocks, and request i's block hashes `hashes[start[i]:start[i+1]]`.

    Appears whole or not at all. Raises InputError where `path` can't be written.
    """
    import orjson
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = to_table(trace, blocks=False, every_column=True)
    table = table.append_column("blocks", pa.LargeListArray.from_arrays(pa.array(start), pa.array(hashes)))
    ((key, said),) = metadata_of(trace).items()
    more = {"began": began, "block_tokens": block_tokens}
    table = table.replace_schema_metadata({key: orjson.dumps(orjson.loads(said) | more)})
    with replacing(path) as partial:
        pq.write_table(table, partial, **_STORAGE)


def _shifted(table: Any, began: float) -> Any:
    """With arrivals in Unix time, and services by name: each file numbers them its own way."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for name, column in (
        ("arrival_s", pc.add(table["arrival_s"], began)),
        ("service", table["service"].cast(pa.string())),
        ("region", table["region"].cast(pa.string())),
    ):
        table = table.set_column(table.column_names.index(name), name, column)
    return table.replace_schema_metadata(None)


def _by_time(tables: list[Any]) -> Any:
    import pyarrow as pa

    table = pa.concat_tables(tables)
    arrival = table["arrival_s"].to_numpy()
    order = np.argsort(arrival, kind="stable")
    at = table.column_names.index("arrival_s")
    return table.take(pa.array(order)).set_column(at, "arrival_s", pa.array(arrival[order] - arrival.min()))


def _joined(says: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
    """What the metadata of all files say together."""
    sizes = {said["block_tokens"] for said in says if said.get("block_tokens")}
    if len(sizes) > 1:
        fix = "read recordings of different versions one by one"
        raise InputError(Problem(f"has blocks of {sorted(sizes)} tokens", str(folder), "block_tokens", fix))
    services = dict.fromkeys(name for said in says for name in said.get("services", ()))
    warnings = dict.fromkeys(text for said in says for text in said.get("warnings", ()))
    return {
        "block_tokens": max(sizes, default=0),
        "services": list(services),
        "source": f"traffic recorded in {folder.name}",
        "warnings": list(warnings),
    }
