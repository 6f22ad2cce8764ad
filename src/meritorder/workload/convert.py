"""Any trace to our own Parquet; CSV and flat Parquet formats stream, so that memory doesn't grow with the rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import numpy as np

from meritorder.files import replacing
from meritorder.problems import InputError, Problem
from meritorder.workload.parquet import metadata_of, to_table, write
from meritorder.workload.read import check_options, pieces, read_with, recognise, wants_links
from meritorder.workload.reading.intake import Intake
from meritorder.workload.reading.options import Options
from meritorder.workload.reading.peek import Peek, peek
from meritorder.workload.trace import Trace, make_trace

# Row-wise formats without block ids over the whole file: a batch can be written and forgotten.
_STREAMED = ("azure", "burstgpt", "vidur", "chutes")
_ROWS_A_GROUP = 1 << 20


@dataclass(frozen=True)
class Converted:
    """What a conversion wrote."""

    requests: int
    format: str
    streamed: bool
    warnings: tuple[str, ...]


def convert(
    source: str | Path, target: str | Path, format: str | None = None, options: Options | None = None
) -> Converted:
    """Write the trace in `source` to `target` as our own Parquet. `target` appears whole or not at all.

    Streams at flat memory unless the choices need the whole trace (sorting, jitter, closed loops, block ids).
    Raises InputError as `read` does, and where `target` can't be written.
    """
    options = options or Options()
    check_options(options)
    looked = peek(Path(source), options.progress)
    module = recognise(looked, format)
    target = Path(target)
    if target.exists() and target.resolve() == Path(source).resolve():
        raise InputError(Problem("is the source itself", str(target), fix="name another file"))
    if options.sort or options.jitter_seed is not None or module.NAME not in _STREAMED or wants_links(module, options):
        trace = read_with(Path(source), format, options)
        write(trace, target)
        return Converted(len(trace), module.NAME, False, trace.warnings)
    return _stream(looked, module, target, options)


def _stream(looked: Peek, module: ModuleType, target: Path, options: Options) -> Converted:
    import pyarrow as pa
    import pyarrow.parquet as pq

    intake = Intake(looked.source.name)
    notes: list[str] = []
    grid = _Grid()
    with replacing(target) as partial:
        writer = None
        waiting: list[pa.Table] = []
        rows = 0
        try:
            for piece in pieces(looked, module, options, intake, notes):
                intake.durations.clear()
                grid.add(piece)
                waiting.append(_table(piece, intake))
                rows += len(piece)
                if writer is None:
                    writer = pq.ParquetWriter(partial, waiting[0].schema, compression="zstd", compression_level=1)
                if rows >= _ROWS_A_GROUP:
                    writer.write_table(pa.concat_tables(waiting, promote_options="none"))
                    waiting, rows = [], 0
            if not intake.requests or writer is None:
                raise InputError(Problem("has no request that was answered", looked.source.name))
            if rows:
                writer.write_table(pa.concat_tables(waiting, promote_options="none"))
            requests = intake.requests if options.limit is None else min(intake.requests, options.limit)
            warnings = (*intake.warnings(), *notes, *grid.warnings())
            empty = replace(
                make_trace([], [], []),
                services=intake.service_names,
                source=f"{module.NAME} trace from {looked.source.path.name}{intake.began}",
                warnings=warnings,
            )
            writer.add_key_value_metadata(metadata_of(empty))
        finally:
            if writer is not None:
                writer.close()
    return Converted(requests, module.NAME, True, warnings)


def _table(piece: Trace, intake: Intake) -> object:
    """The columns that this format has, the same in every piece."""
    import pyarrow as pa

    table = to_table(piece, blocks=False, every_column=True)
    names = ["arrival_s", "prompt_tokens", "output_tokens"]
    if intake.services:
        # As plain strings: Parquet makes its own dictionary, and later pieces may know more services.
        table = table.set_column(table.column_names.index("service"), "service", table["service"].cast(pa.string()))
        names.append("service")
    if intake.sessions:
        names += ["session", "turn"]
    return table.select(names)


class _Grid:
    """Whether all arrivals of a stream stand on whole seconds."""

    def __init__(self) -> None:
        self.whole = True
        self.rows = 0
        self.last = 0.0

    def add(self, piece: Trace) -> None:
        if self.whole and len(piece):
            self.whole = bool((piece.arrival_s == np.floor(piece.arrival_s)).all())
            self.last = float(piece.arrival_s[-1])
        self.rows += len(piece)

    def warnings(self) -> tuple[str, ...]:
        if not self.whole or self.rows < 100 or self.last == 0:
            return ()
        return ("timestamps are whole seconds: bursts inside a second are an artefact; convert again with --jitter",)
