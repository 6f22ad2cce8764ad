"""`merit simulate FLEET TRAFFIC`: run a fleet in virtual time, print what came of it, leave a report."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from meritorder.cli.simulate_cases import Case
    from meritorder.fleet.dispatch import Dispatch
    from meritorder.fleet.schema import Fleet
    from meritorder.perf.replica import Replica
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
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first so many requests of that.", show_default=False)
    ] = None,
    format: Annotated[str | None, typer.Option("--format", help="Say the trace's format.", show_default=False)] = None,
    jitter: Annotated[
        int | None,
        typer.Option(min=0, help="Spread timestamps inside their grid, with this seed.", show_default=False),
    ] = None,
    closed_loop: Annotated[
        bool | None, typer.Option("--closed-loop/--open-loop", help="Turns of a session wait for one another, or not.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Policies that run at the same time.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same result to the last bit.")] = 0,
    start: Annotated[
        str | None,
        typer.Option(help="Moment of the traffic's time 0, e.g. 2023-07-14T12:00Z.", show_default=False),
    ] = None,
    ranges: Annotated[
        bool, typer.Option("--ranges/--no-ranges", help="Run again with machines at both ends of their ranges.")
    ] = True,
    contingency: Annotated[
        str | None,
        typer.Option(
            help="Lose each `site`, `supplier`, `feed`, `all` of them, or one by its name, at the busiest hour.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Run a fleet on traffic, request by request, in virtual time.

    Where a machine's speed or room is known as a range only, it runs twice more, and results are ranges, too.
    Prints service levels, latency, energy and cost. With --output it writes requests, series, summary and a report.
    """
    from meritorder.cli.fleets import load_fleet
    from meritorder.cli.output import console, print_json, progress
    from meritorder.cli.simulate_cases import cases_of
    from meritorder.cli.simulate_tables import print_runs
    from meritorder.cli.traffic_choice import choose
    from meritorder.simulate.folder import check_folder
    from meritorder.simulate.store import ours

    loaded, replicas = load_fleet(fleet)
    loaded = _started(loaded, start)
    policies = _policies(loaded, policy)
    if output:
        check_folder(output, ours)
    trace = choose(
        traffic,
        rate=rate,
        window=window,
        limit=limit,
        format=format,
        jitter=jitter,
        closed_loop=closed_loop,
        seed=seed,
        quiet=as_json,
    )
    if contingency is not None:
        from meritorder.cli.contingency import run_contingencies

        _compile(loaded, tuple(replicas.values()), trace, seed)
        run_contingencies(contingency, loaded, tuple(replicas.values()), trace, policies, seed, output, as_json)
        return
    cases, missing = cases_of(loaded, tuple(replicas.values()), ranges)
    runs = _run(cases, trace, policies, seed, threads, as_json, missing)
    from meritorder.simulate.compare import compare

    with progress("comparing and writing", as_json):
        comparison = compare(runs) if len(runs) > 1 else None
        report = _write(runs, output, comparison) if output else None
    if as_json:
        print_json(_as_json(runs, comparison, report))
        return
    print_runs(runs, trace)
    if report:
        console().print(f"report: {report}", markup=False, soft_wrap=True)


def _started(fleet: Fleet, start: str | None) -> Fleet:
    """The fleet with the moment of time 0 that the command line gives, if it does."""
    from pydantic import TypeAdapter, ValidationError

    from meritorder.fleet.part import Moment
    from meritorder.problems import InputError, Problem

    if start is None:
        return fleet
    try:
        moment = TypeAdapter(Moment).validate_python(start)
    except ValidationError:
        fix = "write it as 2023-07-14T12:00Z"
        raise InputError(Problem(f'"{start}" is no moment with its offset from UTC', "--start", fix=fix)) from None
    return fleet.model_copy(update={"start": moment})


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


def _run(
    cases: list[Case],
    trace: Trace,
    policies: list[Dispatch],
    seed: int,
    threads: int,
    quiet: bool,
    missing: list[str],
) -> list[Run]:
    """Run every policy on the same traffic, several at a time; each result is the same whatever runs beside it.

    The first case gives the runs, the others their ranges.
    """
    from concurrent.futures import ThreadPoolExecutor

    from meritorder.cli.output import on_ctrl_c, progress
    from meritorder.cli.simulate_cases import ranged
    from meritorder.simulate.run import simulate
    from meritorder.simulate.store import run_of
    from meritorder.simulate.summary import summarise

    _compile(*cases[0], trace, seed)
    jobs = [(chosen, case) for case in cases for chosen in policies]
    done = [0.0] * len(jobs)
    stopped = False
    span_s = trace.duration_s
    label = f"simulating {span_s / 60:,.0f} min" if span_s > 90 else f"simulating {span_s:,.0f} s"
    if len(cases) > 1:
        label += f" {len(cases)} times, for ranges"
    with progress(label, quiet) as advance, ThreadPoolExecutor(min(threads, len(jobs))) as pool:

        def tell(index: int) -> Callable[[float, int], None]:
            def told(now_s: float, count: int) -> None:
                if stopped:
                    raise KeyboardInterrupt
                # virtual time; where turns wait for one another nobody knows when it ends, so requests
                part = count / len(trace) if trace.closed_loop or span_s <= 0 else now_s / span_s
                done[index] = min(part, 1.0)
                advance(sum(done) / len(jobs))

            return told

        def one(index: int) -> Run | dict[str, Any]:
            chosen, (fleet, replicas) = jobs[index]
            result = simulate(fleet, trace, chosen, seed=seed, replicas=replicas, progress=tell(index))
            return run_of(result) if index < len(policies) else summarise(result)

        def stop(*_: object) -> None:
            # what runs is told, too: an exception may come up where nobody lets it through (a finaliser)
            nonlocal stopped
            stopped = True
            raise KeyboardInterrupt

        with on_ctrl_c(stop):
            try:
                return ranged(list(pool.map(one, range(len(jobs)))), cases[0][0], missing)
            except BaseException:  # Ctrl-C, or a policy that failed: the others needn't go on
                stopped = True
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def _compile(fleet: Fleet, replicas: tuple[Replica, ...], trace: Trace, seed: int) -> None:
    """Make the kernel's machine code where there is none yet, in this thread, so that Ctrl-C ends it."""
    from meritorder.cli.output import console
    from meritorder.compiled import is_compiled
    from meritorder.simulate.run import check, simulate
    from meritorder.simulate.services import services_of
    from meritorder.workload.rows import first

    if is_compiled():
        return
    check(trace)
    services_of(fleet, trace, seed)  # raises what is wrong with it now, not after a minute
    console().print("compiling the kernel, this once (one to three minutes)", style="dim")
    simulate(fleet, first(trace, 1), seed=seed, replicas=replicas)


def _write(runs: list[Run], folder: Path, comparison: dict[str, Any] | None) -> Path:
    """Results of one run in the folder itself, of several in a folder each; the report beside them."""
    from meritorder.report.page import render
    from meritorder.simulate.folder import replacing_folder
    from meritorder.simulate.store import REPORT, ours, write_run

    page = render(runs, " ".join(["merit", *sys.argv[1:]]), comparison)
    with replacing_folder(folder, ours) as staging:
        for run in runs:
            place = staging if len(runs) == 1 else staging / run.name
            place.mkdir(exist_ok=True)
            write_run(run, place)
        (staging / REPORT).write_text(page, encoding="utf-8")
    return folder / REPORT


def _as_json(runs: list[Run], comparison: dict[str, Any] | None, report: Path | None) -> dict[str, Any]:
    """The summary of one run, or of several by policy with their comparison."""
    where = {"report": str(report)} if report else {}
    if comparison is None:
        return runs[0].summary | where
    return {"runs": {run.name: run.summary for run in runs}, "comparison": comparison} | where
