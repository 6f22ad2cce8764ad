"""`merit emulate FLEET`: endpoints that keep the timing of a fleet which isn't there."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from meritorder.fleet.schema import Fleet
    from meritorder.perf.replica import Replica
    from meritorder.serve.emulate.emulator import Emulator

# Later than this on average, and the emulated timing is no longer what was promised.
_LATE_S = 0.005


def command(
    fleet: Annotated[str, typer.Argument(help="Fleet file (YAML).", show_default=False)],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0: any free one.")] = 8100,
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 for other machines.")] = "127.0.0.1",
    pool: Annotated[
        list[str] | None, typer.Option(help="Only this pool; may be given several times.", show_default=False)
    ] = None,
    speed: Annotated[float, typer.Option(help="Emulated seconds per real second.")] = 1.0,
    write: Annotated[
        Path | None,
        typer.Option(help="Write a fleet file with the endpoints, for `merit serve`.", show_default=False),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--for", min=0.0, help="End after so many seconds.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the answers' lengths where a client leaves them open.")] = 0,
) -> None:
    """Emulate a fleet: OpenAI-compatible endpoints with its timing, one per replica, no model behind them.

    Batching, KV memory, queues and prefix caches behave as in `merit simulate`, in real time. Every answer says that
    it is emulated. Ctrl-C ends it.
    """
    from meritorder.cli.fleets import load_with_document, refuse_roles
    from meritorder.problems import InputError, Problem, did_you_mean

    loaded, replicas, document = load_with_document(fleet)
    refuse_roles(loaded, document)
    unknown = [name for name in pool or () if name not in loaded.pools]
    if unknown:
        raise InputError(
            Problem(f'there is no pool "{name}"', "--pool", fix=did_you_mean(name, loaded.pools)) for name in unknown
        )
    if not 1e-3 <= speed <= 1e3:
        raise InputError(Problem(f"is {speed:g}", "--speed", fix="give 0.001 to 1000"))
    _run(loaded, replicas, Path(fleet), pool, (host, port), speed, write, seconds, seed)


def _run(
    fleet: Fleet,
    replicas: dict[str, Replica],
    path: Path,
    pools: list[str] | None,
    address: tuple[str, int],
    speed: float,
    write: Path | None,
    seconds: float | None,
    seed: int,
) -> None:
    """Listen until Ctrl-C, SIGTERM, or so many seconds are over."""
    import asyncio
    import os
    import signal

    import uvloop

    from meritorder.problems import InputError, Problem
    from meritorder.serve.emulate.emulator import Emulator
    from meritorder.serve.emulate.live_file import check_target, write_live_file

    if write is not None:
        check_target(write)

    async def emulate() -> Emulator:
        loop = asyncio.get_running_loop()
        over = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, over.set)
        emulator = Emulator(fleet, replicas, pools=pools, speed=speed, seed=seed, loop=loop)
        try:
            await emulator.start(*address)
        except OSError as error:
            place = f"{address[0]}:{address[1]}"
            fix = "choose another with --port"
            reason = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else error.strerror or error
            raise InputError(Problem(f"can't listen there: {reason}", place, fix=fix)) from None
        if write is not None:
            write_live_file(write, path, fleet, emulator.pools, emulator.url)
        _tell_start(emulator, speed, write)
        if seconds is not None:
            loop.call_later(seconds, over.set)
        await over.wait()
        emulator.close()
        return emulator

    _tell_end(uvloop.run(emulate()))


def _tell_start(emulator: Emulator, speed: float, write: Path | None) -> None:
    from meritorder.cli.output import console, table

    out = console()
    shown = table("Emulated, no model behind it", ("pool", "model", ">replicas", "first replica"))
    for name, pool in emulator.pools.items():
        shown.add_row(name, pool.model, f"{pool.replicas:,}", emulator.url(name, 0) + "/v1")
    out.print(shown)
    if speed != 1.0:
        out.print(f"time runs {speed:g} times as fast as the fleet's")
    if write is not None:
        out.print(f"gateway in front of it: merit serve {write}", markup=False, soft_wrap=True)


def _tell_end(emulator: Emulator) -> None:
    from meritorder.cli.output import console
    from meritorder.report import text

    mean, most = (text.seconds(late) for late in emulator.late_s)
    out = console()
    out.print(
        f"{emulator.asked:,} requests, {emulator.tokens:,} tokens asked for; on average {mean} late, at most {most}"
    )
    if emulator.late_s[0] > _LATE_S:
        words = "this machine is too slow for it: lower --speed, or a process for each --pool"
        out.print(words, style="yellow")
