"""`merit traffic synthesize PRESET|SPEC.yaml`: write synthetic traffic; without a name, list the presets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from meritorder.workload.synthesis.spec import TrafficSpec


def command(
    workload: Annotated[
        str | None, typer.Argument(help="Preset, or YAML file of a workload; none: list the presets.")
    ] = None,
    output: Annotated[str, typer.Option("--output", "-o", help="Parquet file to write.")] = "traffic.parquet",
    requests: Annotated[int | None, typer.Option(help="Stop after so many requests.")] = None,
    duration: Annotated[str | None, typer.Option(help="How long, as '1 h'; default: what the workload says.")] = None,
    rate: Annotated[float | None, typer.Option(help="Requests per second instead of the workload's own.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same traffic.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make traffic from a preset or a description.

    Clients with rate curves, renewal gaps, bursts, lengths, sessions and shared prefixes; see docs/traffic.md.
    """
    import time

    from rich.text import Text

    from meritorder.cli.output import print_json, progress, results
    from meritorder.workload.parquet import write
    from meritorder.workload.synthesis.synthesize import synthesize

    if workload is None:
        _list(as_json)
        return
    spec = _spec(workload)
    started = time.perf_counter()
    with progress(f"synthesizing {spec.name}", quiet=as_json):
        trace = synthesize(spec, seed, duration_s=_seconds(duration), requests=requests, rate_per_s=rate)
        wall_s = time.perf_counter() - started
        write(trace, output)
    if as_json:
        facts = {"output": output, "requests": len(trace), "duration_s": trace.duration_s}
        print_json({**facts, "source": trace.source, "seed": seed, "wall_s": wall_s})
        return
    line = f"{output}: {len(trace):,} requests over {trace.duration_s:,.0f} s ({trace.source}, seed {seed})"
    results().print(Text(line), soft_wrap=True)


def _spec(workload: str) -> TrafficSpec:
    from pathlib import Path

    from meritorder.problems import InputError, Problem, did_you_mean
    from meritorder.workload.synthesis import presets
    from meritorder.workload.synthesis.spec import load_spec

    path = Path(workload)
    if path.exists() or path.suffix in (".yaml", ".yml"):
        return load_spec(path)
    if workload not in presets.names():
        fix = did_you_mean(workload, presets.names())
        raise InputError(Problem(f'"{workload}" is neither a file nor a preset', fix=fix))
    return presets.load(workload)


def _seconds(duration: str | None) -> float | None:
    from meritorder.problems import InputError, Problem
    from meritorder.units import parse

    if duration is None:
        return None
    try:
        return parse(duration, "s")
    except InputError as error:
        problem = error.problems[0]
        raise InputError(Problem(problem.what, "--duration", fix=problem.fix)) from None


def _list(as_json: bool) -> None:
    from meritorder.cli.output import print_json, results, table
    from meritorder.report.text import number
    from meritorder.workload.synthesis import presets
    from meritorder.workload.synthesis.synthesize import expected_rate

    specs = [presets.load(name) for name in presets.names()]
    if as_json:
        print_json({s.name: s.model_dump(include={"description", "source", "licence", "date", "fit"}) for s in specs})
        return
    rows = table("Traffic presets", ("name", ">requests/s", "description", "licence"))
    for spec in specs:
        rows.add_row(spec.name, number(expected_rate(spec, spec.duration)), spec.description, spec.licence)
    results().print(rows)
