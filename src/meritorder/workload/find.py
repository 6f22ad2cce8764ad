"""Traffic by whatever name a user has for it: a file, a public trace, or a preset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from meritorder.problems import InputError, Problem, did_you_mean
from meritorder.workload.fetch import TRACES, locate
from meritorder.workload.read import read
from meritorder.workload.rows import first, opened
from meritorder.workload.synthesis import presets
from meritorder.workload.synthesis.spec import TrafficSpec, load_spec
from meritorder.workload.synthesis.synthesize import expected_rate, synthesize
from meritorder.workload.trace import Trace

_HOW = {
    "shared": "found in the shared folder",
    "cache": "from the download cache",
    "download": "downloaded, checksum right",
}


def find(
    name: str,
    *,
    format: str | None = None,
    closed_loop: bool | None = None,
    jitter_seed: int | None = None,
    limit: int | None = None,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> Trace:
    """The trace that `name` stands for; its `source` says what it was taken from.

    In this order: a file or folder; a public trace, from the shared folder, the cache or its address; a preset drawn
    with `seed`, also where a public trace of that name can't be had (then with a warning). The other options are
    those of `read`. Raises InputError where nothing has this name.
    """
    if not Path(name).exists():
        place = locate(name, progress=progress) if name in TRACES else None
        if place is not None:
            options = {"closed_loop": closed_loop, "jitter_seed": jitter_seed, "limit": limit}
            trace = read(place.path, format, progress=progress, **options)  # type: ignore[arg-type]
            return replace(trace, source=f"{name} ({_HOW[place.how]})")
        if name in presets.names():
            trace = _preset(name, closed_loop, limit, seed)
            if name in TRACES:
                warning = f"the recorded {name} can't be had here: this is traffic from the preset fitted to it"
                trace = trace.with_warnings(warning)
            if jitter_seed is not None:
                trace = trace.with_warnings("a preset has no grid in its timestamps: jitter left them as they are")
            return trace
        known = sorted({*TRACES, *presets.names()})
        raise InputError(Problem("is no file and no traffic by that name", name, fix=did_you_mean(name, known)))
    return read(
        name,
        format,
        closed_loop=closed_loop,
        jitter_seed=jitter_seed,
        limit=limit,
        seed=seed,
        progress=progress,
    )


def specified(name: str) -> TrafficSpec | None:
    """The workload that a YAML file or the name of a preset specifies; None: `name` is neither. Raises InputError."""
    path = Path(name)
    if path.suffix in (".yaml", ".yml") and path.is_file():
        return load_spec(path)
    return presets.load(name) if name in presets.names() and not path.exists() else None


def _preset(name: str, closed_loop: bool | None, limit: int | None, seed: int) -> Trace:
    spec = presets.load(name)
    few = limit is not None and limit < expected_rate(spec, spec.duration) * spec.duration
    trace = synthesize(spec, seed, requests=limit if few else None)
    trace = trace if limit is None else first(trace, limit)
    if closed_loop and not trace.closed_loop:
        fix = "leave --closed-loop out: every request starts by the clock"
        raise InputError(Problem("is a preset whose sessions don't wait for answers", name, fix=fix))
    if closed_loop is False and trace.closed_loop:
        trace = opened(trace)
    return replace(trace, source=f"preset {name}, seed {seed}")
