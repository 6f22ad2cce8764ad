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
