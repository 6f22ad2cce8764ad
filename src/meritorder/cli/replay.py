"""`merit replay TRACE URL`: ask a live endpoint what a trace's clients asked, when they asked it, and measure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    from meritorder.fleet.schema import Fleet
    from meritorder.perf.replica import Replica
    from meritorder.serve.replay.measured import Measured
    from meritorder.workload.trace import Trace


@dataclass(frozen=True)
class _Asked:
    """The traffic of a replay and whom it is for; `service` (n) indexes `services`, `models` is by service."""

    trace: Trace
    services: tuple[str, ...]
    models: tuple[str, ...]  # "" where unknown
    service: npt.NDArray[np.int32]


def command(
    traffic: Annotated[
        str, typer.Argument(help="Trace in any known format, a public trace, or a preset.", show_default=False)
    ],
    url: Annotated[str, typer.Argument(help="Endpoint, as http://127.0.0.1:8000.", show_default=False)],
    fleet: Annotated[
        str | None, typer.Option(help="Fleet file: simulate the same traffic on it and compare.", show_default=False)
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
    closed_loop: Annotated[
        bool | None, typer.Option("--closed-loop/--open-loop", help="Turns of a session wait for one another, or not.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Model to ask for; else the service's name, or what is there.", show_default=False),
    ] = None,
    api: Annotated[str, typer.Option(help="completions (prompts of exact length) or chat.")] = "completions",
    key: Annotated[
        str | None, typer.Option(help="API key: env:NAME or file:PATH, never itself.", show_default=False)
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds after which a request counts as failed.")] = 600.0,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for a row per request.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Other seed, other prompts: no cached prefix of the last run.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Ask a live endpoint a trace's requests, on schedule, and measure.

    Latencies count from when the trace says that a request is sent, so that no wait is hidden. Ctrl-C ends it early and
    keeps what was measured. Exit code 1 when no request completed.
    """
    from meritorder.cli.endpoints import address_of, headers_of
    from meritorder.cli.output import print_json, progress
    from meritorder.cli.replay_tables import print_replay
    from meritorder.serve.replay.compare import compare, simulated_latencies, simulated_pools
    from meritorder.serve.replay.store import ours, save
    from meritorder.serve.replay.summary import summarise
    from meritorder.simulate.folder import check_folder

    headers = headers_of(key)
    address = address_of(url)
    if output:
        check_folder(output, ours)
    loaded = _fleet(fleet)
    asked = _traffic(
        traffic, model, loaded, rate=rate, window=window, limit=limit, closed_loop=closed_loop, seed=seed, quiet=as_json
    )
    with progress(f"replaying {asked.trace.duration_s / 60:,.1f} min", as_json) as advance:
        measured = _replay(asked, address, model, _api(api), headers, timeout, seed, advance)
    summary: dict[str, Any] = summarise(measured, asked.trace, asked.services, asked.service)
    simulated = {}
    if loaded is not None:
        from meritorder.simulate.run import simulate

        with progress("simulating the same", as_json):
            result = simulate(loaded[0], asked.trace, seed=seed, replicas=loaded[1])
        simulated = simulated_latencies(result)
        summary["comparison"] = {**compare(measured, simulated), "by_pool": simulated_pools(result)}
    if output:
        save(output, measured, asked.trace, asked.services, asked.service, summary, simulated)
    if as_json:
        print_json(summary)
    else:
        print_replay(summary, asked.trace, url, output)
    if measured.interrupted or not summary["completed"]:
        raise typer.Exit(130 if measured.interrupted else 1)


def _api(name: str) -> Literal["completions", "chat"]:
    from meritorder.problems import InputError, Problem, did_you_mean

    if name == "completions":
        return "completions"
    if name == "chat":
        return "chat"
    raise InputError(Problem(f'"{name}" is not replayed', "--api", fix=did_you_mean(name, ("completions", "chat"))))


def _fleet(path: str | None) -> tuple[Fleet, tuple[Replica, ...]] | None:
    if path is None:
        return None
    from meritorder.cli.fleets import load_fleet

    fleet, replicas = load_fleet(path)
    return fleet, tuple(replicas.values())


def _traffic(
    name: str, model: str | None, loaded: tuple[Fleet, tuple[Replica, ...]] | None, *, seed: int, **options: Any
) -> _Asked:
    """The traffic cut and scaled, and its requests' services.

    All are of the fleet's service that `model` names, if it names one; else as the fleet, or the trace alone, says.
    """
    from dataclasses import replace

    import numpy as np

    from meritorder.cli.traffic_choice import choose
    from meritorder.simulate.run import check
    from meritorder.simulate.services import services_of

    trace = choose(name, seed=seed, **options)
    check(trace)
    if loaded is None:
        return _Asked(trace, trace.services, ("",) * len(trace.services), trace.service.astype(np.int32))
    services = loaded[0].services
    if model in services:
        trace = replace(trace, services=(model,), service=np.zeros(len(trace), np.int16))
    models = tuple(service.model for service in services.values())
    return _Asked(trace, tuple(services), models, services_of(loaded[0], trace, seed))


def _replay(
    asked: _Asked,
    address: str,
    model: str | None,
    api: Literal["completions", "chat"],
    headers: bytes,
    timeout_s: float,
    seed: int,
    advance: Callable[[float], None],
) -> Measured:
    """Send everything; Ctrl-C ends it with what there is."""
    import asyncio
    import signal

    import uvloop

    from meritorder.serve.http.client import Upstream
    from meritorder.serve.replay.models import choose, served
    from meritorder.serve.replay.prompts import Prompts
    from meritorder.serve.replay.replay import Replay

    async def run() -> Measured:
        loop = asyncio.get_running_loop()
        upstream = Upstream(address, loop=loop, most_idle=10_000)
        try:
            if model is None:
                names = await served(upstream, headers, address)
                models = choose(names, asked.services, asked.models, asked.service, address)
            else:
                models = [model] * len(asked.trace)
            replay = Replay(
                asked.trace,
                upstream,
                models,
                Prompts(asked.trace, seed),
                loop=loop,
                api=api,
                headers=headers,
                timeout_s=timeout_s,
                progress=advance,
            )
            loop.add_signal_handler(signal.SIGINT, replay.stop)
            return await replay.run()
        finally:
            upstream.close()

    return uvloop.run(run())
