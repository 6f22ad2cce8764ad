"""`merit simulate FLEET TRAFFIC`: run a fleet in virtual time, print what came of it, leave a report."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from meritorder.fleet.dispatch import Dispatch
    from meritorder.fleet.schema import Fleet
    from meritorder.simulate.store import Run
    from meritorder.workload.trace import Trace


def command(
    fleet: Annotated[str, typer.Argument(help="Fleet file (YAML).", show_default=False)],
    traffic: Annotated[
        str, typer.Argument(help="Trace in any known format, a public trace, or a preset.", show_default=False)
    ],
    policy: Annotated[
        str | None,
        typer.Option(
            help="Another dispatch policy than the file's; several with commas, or `all`.", show_default=False
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for results and report.", show_default=False)
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="Scale the traffic to so many requests per second.", show_default=False)
    ] = None,
    window: Annotated[
        str | None, typer.Option(help="Only this part, as START:STOP in seconds.", show_default=False)
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Only the first so many requests.", show_default=False)] = None,
    format: Annotated[str | None, typer.Option("--format", help="Say the trace's format.", show_default=False)] = None,
    jitter: Annotated[
        int | None, typer.Option(help="Spread timestamps inside their grid, with this seed.", show_default=False)
    ] = None,
    closed_loop: Annotated[
        bool | None, typer.Option("--closed-loop/--open-loop", help="Turns of a session wait for one another, or not.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Policies that run at the same time.")] = 2,
    seed: Annotated[int, typer.Option(help="Same seed, same result to the last bit.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Run a fleet on traffic, request by request, in virtual time.

    Prints service levels, latency, energy and cost. With --output it writes requests, series, summary and a report.
    """
    from meritorder.cli.output import console, print_json
    from meritorder.compiled import is_compiled
    from meritorder.fleet.load import load

    loaded = load(fleet)
    policies = _policies(loaded, policy)
    trace = _traffic(traffic, rate, window, limit, format, jitter, closed_loop, seed, as_json)
    if not is_compiled():
        console().print("compiling the kernel, this once (about half a minute)", style="dim")
    runs = _run(loaded, trace, policies, seed, threads, as_json)
    from meritorder.simulate.compare import compare

    comparison = compare(runs) if len(runs) > 1 else None
    report = _write(runs, output, comparison) if output else None
    if as_json:
        print_json(_as_json(runs, comparison, report))
        return
    _print(runs, trace)
    if report:
        console().print(f"report: {report}", markup=False, soft_wrap=True)


def _policies(fleet: Fleet, names: str | None) -> list[Dispatch]:
    """The policies to run: the fleet's own with its parameters, others with their defaults."""
    from meritorder.fleet.dispatch import POLICIES
    from meritorder.problems import InputError, Problem, did_you_mean

    if names is None:
        return [fleet.dispatch]
    wanted = list(POLICIES) if names == "all" else [name.strip() for name in names.split(",")]
    problems = [
        Problem(f'there is no policy "{name}"', "--policy", fix=did_you_mean(name, (*POLICIES, "all")))
        for name in wanted
        if name not in POLICIES
    ]
    if len(set(wanted)) < len(wanted):
        problems.append(Problem("names a policy twice", "--policy", fix="name each once"))
    if problems:
        raise InputError(problems)
    return [
        fleet.dispatch if name == fleet.dispatch.policy else POLICIES[name]()  # type: ignore[misc]
        for name in wanted
    ]


def _traffic(
    name: str,
    rate: float | None,
    window: str | None,
    limit: int | None,
    format: str | None,
    jitter: int | None,
    closed_loop: bool | None,
    seed: int,
    quiet: bool,
) -> Trace:
    from meritorder.cli.output import progress
    from meritorder.workload import transform
    from meritorder.workload.find import find

    with progress(f"reading {name}", quiet) as advance:
        trace = find(
            name,
            format=format,
            closed_loop=closed_loop,
            jitter_seed=jitter,
            limit=limit,
            seed=seed,
            progress=advance,
        )
    if window is not None:
        trace = transform.slice(trace, *_window(window))
    if rate is not None:
        trace = transform.scale_rate(trace, _factor(trace, rate), seed=seed)
    return trace


def _window(text: str) -> tuple[float, float]:
    from meritorder.problems import InputError, Problem

    try:
        start, stop = (float(part) for part in text.split(":"))
    except ValueError:
        raise InputError(Problem(f'"{text}" is no window', "--window", fix="write seconds as 600:1200")) from None
    return start, stop


def _factor(trace: Trace, rate: float) -> float:
    from meritorder.problems import InputError, Problem

    if not 0.0 < rate < float("inf"):
        raise InputError(Problem(f"is {rate:g}", "--rate", fix="give requests per second above 0"))
    if trace.duration_s <= 0.0:
        raise InputError(Problem("has no duration, so no rate to scale", trace.source, fix="leave out --rate"))
    return rate * trace.duration_s / len(trace)


def _run(fleet: Fleet, trace: Trace, policies: list[Dispatch], seed: int, threads: int, quiet: bool) -> list[Run]:
    """Run every policy on the same traffic, several at a time; each result is the same whatever runs beside it."""
    from concurrent.futures import ThreadPoolExecutor

    from meritorder.cli.output import progress
    from meritorder.perf.compile import compile_replica
    from meritorder.simulate.run import simulate
    from meritorder.simulate.store import run_of

    replicas = tuple(compile_replica(fleet, name) for name in fleet.pools)
    done = [0] * len(policies)
    label = f"simulating {trace.duration_s / 60:,.0f} min" if trace.duration_s > 90 else "simulating"
    with progress(label, quiet) as advance:

        def told(index: int) -> Callable[[float, int], None]:
            def tell(now_s: float, ended: int) -> None:
                done[index] = ended
                advance(sum(done) / (len(trace) * len(policies)))

            return tell

        def one(index: int) -> Run:
            result = simulate(fleet, trace, policies[index], seed=seed, replicas=replicas, progress=told(index))
            return run_of(result)

        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(one, range(len(policies))))


def _write(runs: list[Run], folder: Path, comparison: dict[str, Any] | None) -> Path:
    """Results of one run in the folder itself, of several in a folder each; the report beside them."""
    from meritorder.report.page import write_report
    from meritorder.simulate.store import save

    for run in runs:
        save(run, folder if len(runs) == 1 else folder / run.name)
    report = folder / "report.html"
    write_report(runs, report, " ".join(["merit", *sys.argv[1:]]), comparison)
    return report


def _as_json(runs: list[Run], comparison: dict[str, Any] | None, report: Path | None) -> dict[str, Any]:
    """The summary of one run, or of several by policy with their comparison."""
    where = {"report": str(report)} if report else {}
    if comparison is None:
        return runs[0].summary | where
    return {"runs": {run.name: run.summary for run in runs}, "comparison": comparison} | where


def _print(runs: list[Run], trace: Trace) -> None:
    from rich.text import Text

    from meritorder.cli.output import console, results, table
    from meritorder.report import text

    out = results()
    first = runs[0].summary
    speed = sum(run.summary["requests"] for run in runs) / sum(run.summary["wall_s"] for run in runs)
    out.print(
        Text(
            f"{trace.source}: {len(trace):,} requests, {text.seconds(first['span_s'])} of virtual time, "
            f"{speed:,.0f} requests per second of wall time"
        )
    )
    slo = table("Requests within their SLO (target)", ("policy", *(f">{name}" for name in runs[0].services)))
    for run in runs:
        cells = []
        for name in runs[0].services:
            row = run.summary["by_service"][name]
            mark = "✓" if row["slo_met"] else "✗"
            cells.append(Text(f"{text.share(row['slo_attainment'])} ({text.share(row['slo']['percentile'])}) {mark}"))
        slo.add_row(run.name, *cells)
    out.print(slo)
    totals = table(
        "", ("policy", ">TTFT p50", ">p99", ">TPOT p50", ">p99", ">IT energy", ">cost", ">per Mtok", ">refused")
    )
    for run in runs:
        s = run.summary
        totals.add_row(
            run.name,
            text.seconds(s["ttft_s"]["p50"]),
            text.seconds(s["ttft_s"]["p99"]),
            text.seconds(s["tpot_s"]["p50"]),
            text.seconds(s["tpot_s"]["p99"]),
            text.energy(s["energy_j"]),
            text.number(s["cost_usd"], "USD"),
            text.number(s["usd_per_mtok"], "USD"),
            text.count(s["rejected"] + s["shed"] + s["cancelled"]),
        )
    out.print(totals)
    for line in dict.fromkeys(warning for run in runs for warning in run.summary["warnings"]):
        console().print(Text(f"note: {line}", style="yellow"), soft_wrap=True)
