"""`merit serve FLEET`: an OpenAI-compatible gateway in front of the fleet's backends."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from meritorder.fleet.schema import Fleet
    from meritorder.perf.replica import Replica
    from meritorder.serve.run import Ready


def command(
    fleet: Annotated[str, typer.Argument(help="Fleet file (YAML) whose pools have an `endpoint`.", show_default=False)],
    listen: Annotated[
        str | None, typer.Option(help="Where clients connect, instead of the file's.", show_default=False)
    ] = None,
    admin: Annotated[
        str | None, typer.Option(help="Where metrics and control are, instead of the file's.", show_default=False)
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes that share the port, instead of the file's.", show_default=False),
    ] = None,
    log: Annotated[
        str | None, typer.Option(help="File for a JSON line per request, `-` for stderr.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object when clients are served.")] = False,
) -> None:
    """Serve clients through the fleet's real backends, each request sent where the fleet's policy says.

    SIGHUP reads the fleet file again without dropping a request; SIGTERM or Ctrl-C finishes what is under way.
    """
    from meritorder.cli.output import console, print_json, table, teller
    from meritorder.console.pages import admin_pages, gateway_pages
    from meritorder.serve.run import Options, run

    out = console()
    changes = {"listen": listen, "admin": admin, "workers": workers}

    def load() -> tuple[Fleet, tuple[Replica, ...]]:
        return load_served(fleet, {key: value for key, value in changes.items() if value is not None})

    def ready(now: Ready) -> None:
        if as_json:
            print_json({"url": now.url, "admin": now.admin_url, "pid": _pid()})
            return
        served = now.supervisor.fleet
        shown = table(f"{served.name}: serving at {now.url}/v1", ("service", "model", "pools"))
        for name, service in served.services.items():
            pools = service.pools or [p for p, pool in served.pools.items() if pool.model == service.model]
            shown.add_row(name, service.model, ", ".join(pools))
        out.print(shown)
        out.print(f"live page and metrics: {now.admin_url}    Ctrl-C to stop")

    run(load, Options(gateway_pages(), admin_pages(), log), tell=teller(out), ready=ready)


def load_served(path: str, changes: dict[str, Any]) -> tuple[Fleet, tuple[Replica, ...]]:
    """A fleet file that can be served, with `changes` to its `gateway`. Raises InputError with all that is wrong."""
    from meritorder.cli.fleets import load_with_document, refuse_roles
    from meritorder.fleet.anchored import anchored
    from meritorder.problems import InputError

    fleet, replicas, document = load_with_document(path)
    refuse_roles(fleet, document)
    without = [name for name, pool in fleet.pools.items() if pool.endpoint is None]
    if without:
        fix = "say where its replicas listen: `endpoint: {kind: vllm, urls: [http://10.0.0.1:8000]}`"
        raise InputError(document.problem(("pools", name), "has no `endpoint`", fix) for name in without)
    return _changed(anchored(fleet, Path(path).parent), changes), tuple(replicas.values())


def _changed(fleet: Fleet, changes: dict[str, Any]) -> Fleet:
    """The fleet with what options say of its gateway."""
    from pydantic import ValidationError

    from meritorder.fleet.gateway import Gateway
    from meritorder.problems import InputError, Problem, said

    now = {name: getattr(fleet.gateway, name) for name in Gateway.model_fields}
    try:
        return fleet.model_copy(update={"gateway": Gateway.model_validate(now | changes)})
    except ValidationError as error:
        wrong = [str(fault["loc"][0]) for fault in error.errors()]
        raise InputError(
            Problem(f"is {said(changes[name])}", where=f"--{name}", fix="give HOST:PORT, for example 127.0.0.1:8000")
            for name in wrong
        ) from None


def _pid() -> int:
    import os

    return os.getpid()
