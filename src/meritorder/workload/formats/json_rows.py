"""JSON lines as records with line numbers, and lists of their values as columns with the bad ones named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from meritorder.workload.reading.faults import Faults, shown
from meritorder.workload.reading.source import Source
from meritorder.workload.trace import Longs

Record = dict[str, Any]


def records(source: Source, limit: int | None = None) -> Iterator[tuple[int, Record]]:
    """Each line's object with its line number. Raises InputError at a line that is none."""
    import orjson

    for count, (line, text) in enumerate(source.lines()):
        if limit is not None and count >= limit:
            return
        try:
            record = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            cut_off = not text.endswith(b"\n")
            what = "ends in the middle of a record" if cut_off else f"is no JSON: {error.msg}"
            faults = Faults(source.name)
            faults.add(line, "", what, "fetch or copy it again" if cut_off else "one JSON object a line is expected")
            faults.check()
        if not isinstance(record, dict):
            faults = Faults(source.name)
            faults.add(line, "", f"is no JSON object but {shown(record)}", "one JSON object a line is expected")
            faults.check()
        yield line, record


def column(
    values: Sequence[object], lines: Sequence[int] | Longs, name: str, faults: Faults, right: str
) -> npt.NDArray[Any]:
    """Values of a key as an array of numbers; what is no number becomes a fault (and 1 here). None is "missing"."""
    if set(map(type, values)) <= {int, float}:
        array = np.array(values)
        if array.dtype.kind in "iuf":  # else whole numbers beyond 64 bits
            return array
    result = np.ones(len(values))
    for i, value in enumerate(values):
        if isinstance(value, int | float) and not isinstance(value, bool):
            result[i] = value if abs(value) < 1e300 else np.inf
        else:
            what = "is missing" if value is None else f"is {shown(value)}"
            faults.add(int(lines[i]), name, what, f"give {right}")
    return result


def block_lists(
    lists: Sequence[object],
    prompts: npt.NDArray[Any],
    lines: Sequence[int],
    name: str,
    block_tokens: int,
    faults: Faults,
) -> tuple[Longs, Longs]:
    """Lists of block ids as offsets (n+1) and ids; a list may not name more blocks than its prompt fills."""
    counts = np.zeros(len(lists), np.int64)
    for i, ids in enumerate(lists):
        if isinstance(ids, list):
            counts[i] = len(ids)
        elif ids is not None:
            faults.add(lines[i], name, f"is {shown(ids)}", "give a list of block ids")
    most = np.ceil(np.asarray(prompts, np.float64) / block_tokens)
    for i in np.flatnonzero((counts > most) & (most > 0)).tolist():
        what = f"has {counts[i]:,} ids for a prompt of {prompts[i]:,} tokens, which fills {most[i]:,.0f} blocks"
        faults.add(lines[i], name, what, f"a block has {block_tokens} tokens in this format")
    start = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))
    flat = [ids for ids in lists if isinstance(ids, list)]
    try:
        joined = np.fromiter((block for ids in flat for block in ids), np.int64, count=int(start[-1]))
    except (TypeError, ValueError, OverflowError):
        joined = np.zeros(int(start[-1]), np.int64)
        for i, ids in enumerate(lists):
            bad = [x for x in ids if not isinstance(x, int) or abs(x) >= 2**63] if isinstance(ids, list) else []
            if bad:
                faults.add(lines[i], name, f"holds {shown(bad[0])}", "block ids are whole numbers")
    return start, joined
