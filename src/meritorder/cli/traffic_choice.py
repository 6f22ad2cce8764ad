"""The traffic of a simulation: what the user named, cut and scaled as the options say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meritorder.workload.trace import Trace


def choose(
    name: str,
    *,
    rate: float | None = None,
    window: str | None = None,
    limit: int | None = None,
    format: str | None = None,
    jitter: int | None = None,
    closed_loop: bool | None = None,
    seed: int = 0,
    quiet: bool = False,
) -> Trace:
    """The part of the traffic in `window`, at `rate`, and of that the first `limit` requests. Raises InputError."""
    from meritorder.cli.output import progress
    from meritorder.workload import rows, transform
    from meritorder.workload.find import find

    span = None if window is None else parse_window(window)
    whole = span is None and rate is None
    with progress(f"reading {name}", quiet) as advance:
        trace = find(
            name,
            format=format,
            closed_loop=closed_loop,
            jitter_seed=jitter,
            limit=limit if whole else None,
            seed=seed,
            progress=advance,
        )
    if span is not None:
        with _about("--window"):
            trace = transform.slice(trace, *span)
    if rate is not None:
        with _about("--rate"):
            trace = scaled(trace, _factor(trace, rate), seed)
    return trace if limit is None else rows.first(trace, limit)


def scaled(trace: Trace, factor: float, seed: int, *, share_blocks: bool = False, dilate: bool = False) -> Trace:
    """`transform.scale_rate`, which must leave something. Raises InputError."""
    from meritorder.problems import InputError, Problem
    from meritorder.workload.transform import scale_rate

    result = scale_rate(trace, factor, seed, share_blocks=share_blocks, dilate=dilate)
    if not len(result):
        what = f"leaves none of {len(trace):,} requests"
        raise InputError(Problem(what, "--factor", fix="choose more, or more traffic to choose from"))
    return result


def parse_window(text: str) -> tuple[float, float]:
    """`600:1200` as seconds. Raises InputError."""
    from meritorder.problems import InputError, Problem

    try:
        start, stop = (float(part) for part in text.split(":"))
    except ValueError:
        fix = "write START:STOP in seconds, as 600:1200"
        raise InputError(Problem(f'"{text}" is no window', "--window", fix=fix)) from None
    return start, stop


def _factor(trace: Trace, rate: float) -> float:
    from meritorder.problems import InputError, Problem

    if not 0.0 < rate < float("inf"):
        raise InputError(Problem(f"is {rate:g}", "--rate", fix="give requests per second above 0"))
    if trace.duration_s <= 0.0:
        raise InputError(Problem("has no duration, so no rate to scale", trace.source, fix="leave out --rate"))
    own = len(trace) / trace.duration_s
    if not 1 / len(trace) <= rate / own <= 10_000:
        what = f"is {rate:g}, the traffic has {own:.3g} requests per second"
        raise InputError(Problem(what, "--rate", fix=f"give {own / len(trace):.2g} to {own * 10_000:.2g}"))
    return rate / own


@contextmanager
def _about(option: str) -> Iterator[None]:
    """Problems with an option of `merit traffic` are problems with this one."""
    from dataclasses import replace

    from meritorder.problems import InputError

    try:
        yield
    except InputError as error:
        problems = [replace(p, where=option) if p.where.startswith("--") else p for p in error.problems]
        raise InputError(problems) from None
