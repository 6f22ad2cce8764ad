"""Parquet files of other tools in batches of columns, and columns to numbers with the bad rows named."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from meritorder.workload.reading.faults import Faults
from meritorder.workload.reading.source import Source, reading
from meritorder.workload.trace import Longs

_ROWS = 1 << 17


def batches(source: Source, wanted: Sequence[str]) -> Iterator[tuple[Any, Longs]]:
    """Record batches of those columns of `wanted` that there are, with row numbers from 1."""
    import pyarrow.parquet as pq

    with reading(source.path), pq.ParquetFile(source.path) as file:
        total = max(file.metadata.num_rows, 1)
        row = 1
        for batch in file.iter_batches(batch_size=_ROWS, columns=[n for n in wanted if n in file.schema_arrow.names]):
            yield batch, np.arange(row, row + len(batch), dtype=np.int64)
            row += len(batch)
            if source.progress:
                source.progress(min(row / total, 1.0))


def numbers(batch: Any, name: str, rows: Longs, faults: Faults, right: str) -> npt.NDArray[Any]:
    """A numeric column; nulls become faults (and 1 here)."""
    import pyarrow as pa
    import pyarrow.types as types

    column = batch.column(name)
    if not (types.is_integer(column.type) or types.is_floating(column.type)):
        try:
            column = column.cast(pa.float64())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            faults.add(int(rows[0]) if len(rows) else 1, name, f"has type {column.type}", f"give {right}")
            faults.check()
    if column.null_count:
        empty = column.is_null().to_numpy(zero_copy_only=False)
        for row in rows[empty]:
            faults.add(int(row), name, "is missing", f"give {right}")
        column = column.fill_null(1)
    result: npt.NDArray[Any] = column.to_numpy(zero_copy_only=False)
    return result


def since_1970(batch: Any, name: str, rows: Longs, faults: Faults, per_second: float) -> npt.NDArray[Any]:
    """A column of timestamps (typed, or numbers counting `per_second`) as numbers of that unit."""
    import pyarrow as pa
    import pyarrow.types as types

    column = batch.column(name)
    if types.is_timestamp(column.type):
        unit = {1e3: "ms", 1e6: "us", 1e9: "ns"}[per_second]
        plain = column.cast(pa.timestamp(unit, column.type.tz), safe=False).cast(pa.int64())
        batch = pa.record_batch([plain], names=[name])
    return numbers(batch, name, rows, faults, "a time since 1970")
