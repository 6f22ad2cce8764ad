"""`read`: any public trace format, recognised by content, as one `Trace`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np

from meritorder.problems import InputError, Problem, did_you_mean
from meritorder.workload import formats
from meritorder.workload.reading.intake import Intake, closed_loop, jitter
from meritorder.workload.reading.options import Options
from meritorder.workload.reading.peek import Peek, peek
from meritorder.workload.rows import by_time, join, take
from meritorder.workload.trace import Trace

# Formats whose recordings hold how long answers took: their sessions are closed loops unless the user says otherwise.
_CLOSED_BY_DEFAULT = ("tracelab", "copilot")


def read(
    path: str | Path,
    format: str | None = None,
    *,
    closed_loop: bool | None = None,
    jitter_seed: int | None = None,
    limit: int | None = None,
    sort: bool = False,
    start_spacing_s: float = 60.0,
    start_seed: int | None = None,
    model: str | None = None,
    window_s: tuple[float, float] | None = None,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Trace:
    """The trace in the file or folder `path`, plain or packed with gzip or zstd.

    The format is recognised by content (header, keys, columns), never by name; `format` forces one. `closed_loop`
    links the turns of sessions (None: where the recording says how long answers took). `jitter_seed` spreads
    timestamps inside the grid they stand on. `limit` keeps the first requests. `sort` accepts rows out of order.
    Weka sessions start `start_spacing_s` apart (Poisson with `start_seed`). ServeGen needs `model` where a file has
    several, draws the part `window_s` with `seed`.

    What a careful reader should know is in `Trace.warnings`. Raises InputError naming file, line, column and value.
    """
    options = Options(
        closed_loop=closed_loop,
        jitter_seed=jitter_seed,
        limit=limit,
        sort=sort,
        start_spacing_s=start_spacing_s,
        start_seed=start_seed,
        model=model,
        window_s=window_s,
        seed=seed,
        forced=format is not None,
        progress=progress,
    )
    return read_with(Path(path), format, options)


def read_with(path: Path, format: str | None, options: Options) -> Trace:
    """`read` with the choices in one object."""
    check_options(options)
    looked = peek(path, options.progress)
    module = recognise(looked, format)
    if hasattr(module, "read"):
        trace: Trace = module.read(looked, options)
        if options.limit is not None and len(trace) > options.limit:
            trace = take(trace, np.arange(options.limit))
    else:
        trace = _read_rows(looked, module, options)
    if options.jitter_seed is not None:
        trace = jitter(trace, options.jitter_seed)
    elif module.NAME != "merit":
        trace = trace.with_warnings(*_grid(trace))
    if not len(trace):
        raise InputError(Problem("has no request that was answered", str(path), fix="a trace has at least one"))
    return trace


def recognise(looked: Peek, format: str | None) -> ModuleType:
    """The module of the one format that fits. Raises InputError where none does, or several do."""
    modules = formats.every()
    name = looked.source.name
    if format is not None:
        module = next((m for m in modules if format == m.NAME), None)
        if module is None:
            raise InputError(
                Problem(f'there is no format "{format}"', "--format", fix=did_you_mean(format, formats.names()))
            )
        if not module.matches(looked):
            raise InputError(
                Problem(f"is no {format} trace", name, fix=f"that has: {module.LOOKS_FOR}; {_found(looked)}")
            )
        return module
    fitting = [m for m in modules if m.matches(looked)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        both = " and ".join(m.NAME for m in fitting)
        raise InputError(Problem(f"fits several formats: {both}", name, fix="choose one with --format"))
    sought = "".join(f"\n  {m.NAME}: {m.LOOKS_FOR}" for m in modules)
    raise InputError(Problem(f"is no trace format that is known ({_found(looked)})", name, fix=f"looked for:{sought}"))


def _found(looked: Peek) -> str:
    """What was seen instead, in words."""
    kinds = {
        "csv": "a first line",
        "json": "a JSON object with",
        "parquet": "Parquet columns",
        "folder": "a folder with",
    }
    seen = [name if len(name) <= 40 else name[:40] + "…" for name in sorted(looked.names)]
    more = f" and {len(seen) - 12} more" if len(seen) > 12 else ""
    names = ", ".join(seen[:12]) or "nothing in it"
    return f"found {kinds[looked.kind]} {names}{more}".encode("ascii", "backslashreplace").decode()


def pieces(looked: Peek, module: ModuleType, options: Options, intake: Intake, notes: list[str]) -> Iterator[Trace]:
    """The trace of a row-wise format a batch at a time, open loop, at most `options.limit` requests."""
    for draft in module.drafts(looked.source, options, notes):
        piece = intake.piece(draft)
        surplus = intake.requests - options.limit if options.limit is not None else 0
        if surplus > 0:
            yield take(piece, np.arange(len(piece) - surplus))
            return
        yield piece
        if surplus == 0 and options.limit is not None:
            return


def check_options(options: Options) -> None:
    """Raises InputError for choices that can't be."""
    problems = []
    if options.limit is not None and options.limit < 1:
        problems.append(Problem(f"is {options.limit}", "--limit", fix="give at least 1 request"))
    if not 0 <= options.start_spacing_s < 1e9:
        problems.append(Problem(f"is {options.start_spacing_s:g}", "--start-spacing", fix="give seconds, 0 or more"))
    for name, seed in (
        ("--jitter", options.jitter_seed),
        ("--start-seed", options.start_seed),
        ("--seed", options.seed),
    ):
        if seed is not None and seed < 0:
            problems.append(Problem(f"is {seed}", name, fix="a seed is a whole number, 0 or more"))
    if problems:
        raise InputError(problems)


def wants_links(module: ModuleType, options: Options) -> bool:
    """Whether sessions of a row-wise format become closed loops."""
    if options.closed_loop is not None:
        return options.closed_loop
    return module.NAME in _CLOSED_BY_DEFAULT


def _read_rows(looked: Peek, module: ModuleType, options: Options) -> Trace:
    intake = Intake(looked.source.name, sort=options.sort)
    notes: list[str] = []
    parts = list(pieces(looked, module, options, intake, notes))
    if not parts:
        raise InputError(Problem("has no rows", looked.source.name, fix="a trace has at least one request"))
    trace = parts[0] if len(parts) == 1 else join(parts, share_blocks=True, share_sessions=True)
    durations = np.concatenate(intake.durations)[: len(trace)] if intake.durations else None
    trace = replace(
        trace,
        services=intake.service_names,
        source=f"{module.NAME} trace from {looked.source.path.name}{intake.began}",
        warnings=(*intake.warnings(), *notes),
    )
    if options.sort:
        order = np.argsort(trace.arrival_s, kind="stable")
        durations = durations[order] if durations is not None else None
        moved = int((np.diff(trace.arrival_s) < 0).sum())
        trace = by_time(trace)
        trace = replace(trace, arrival_s=trace.arrival_s - trace.arrival_s[:1])
        if moved:
            trace = trace.with_warnings(f"rows were not in order of time ({moved:,} steps back): sorted")
    if wants_links(module, options):
        if not (trace.session >= 0).any():
            fix = "leave --closed-loop out: every request starts by the clock"
            raise InputError(Problem("has no sessions to close a loop over", looked.source.name, fix=fix))
        trace = closed_loop(trace, durations)
    return trace


def _grid(trace: Trace) -> tuple[str, ...]:
    """A grid of a second and more hides how bursty the traffic was, or fakes bursts when it is replayed."""
    from meritorder.workload.statistics.traps import grid_step

    step = grid_step(trace.arrival_s[trace.after < 0])
    if step is None or step < 1:
        return ()
    return (
        f"timestamps sit on a {step:g} s grid: bursts inside {step:g} s are an artefact; "
        "spread them with --jitter before judging anything shorter",
    )
