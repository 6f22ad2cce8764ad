"""`merit traffic`: fetch, convert, cut, scale, mix, describe and synthesize traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from pathlib import Path

    from meritorder.workload.trace import Trace

# Verbs in modules of their own, imported only when they are invoked: module and help line.
_ELSEWHERE = {
    "describe": ("meritorder.cli.traffic_describe", "Print the statistics of a trace and what to beware of in it."),
    "synthesize": ("meritorder.cli.traffic_synthesize", "Make traffic from a preset or a description."),
}


class _LazyVerbs(TyperGroup):
    """The verbs below and those elsewhere, whose modules are imported only when they are invoked."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), *_ELSEWHERE]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in _ELSEWHERE:
            return typer.core.TyperCommand(cmd_name, help=_ELSEWHERE[cmd_name][1])
        return super().get_command(ctx, cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in _ELSEWHERE:
            return super().resolve_command(ctx, args)
        from importlib import import_module

        from meritorder.cli.main import flowing

        inner = typer.Typer(add_completion=False)
        verb = import_module(_ELSEWHERE[args[0]][0]).command
        inner.command(args[0], help=flowing(verb.__doc__))(verb)
        command = typer.main.get_command(inner)
        command.name = args[0]
        return args[0], command, args[1:]


# Where a public trace was found, as in `workload.fetch.Located`.
_PLACES = {"shared": "in the shared folder", "cache": "in the cache"}

app = typer.Typer(cls=_LazyVerbs, add_completion=False)

Source = Annotated[
    str, typer.Argument(help="Trace file in any known format (also .gz, .zst), or a name.", show_default=False)
]
Target = Annotated[str, typer.Argument(help="Parquet file to write.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Format = Annotated[str | None, typer.Option("--format", help="Say the format instead of recognising it.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of everything drawn at random.")]


@app.callback(invoke_without_command=True)
def _traffic(context: typer.Context) -> None:
    """Fetch, convert, cut, scale, mix, describe and synthesize traffic."""
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def convert(
    source: Source,
    target: Target,
    format: Format = None,
    sort: Annotated[bool, typer.Option("--sort", help="Put rows in order of time instead of refusing.")] = False,
    jitter: Annotated[int | None, typer.Option(help="Spread timestamps inside their grid, with this seed.")] = None,
    limit: Annotated[int | None, typer.Option(help="Only the first so many requests.")] = None,
    closed_loop: Annotated[
        bool | None, typer.Option("--closed-loop/--open-loop", help="Turns of a session wait for one another, or not.")
    ] = None,
    start_spacing: Annotated[float, typer.Option(help="Seconds between session starts (Weka).")] = 60.0,
    start_seed: Annotated[int | None, typer.Option(help="Poisson session starts with this seed (Weka).")] = None,
    model: Annotated[str | None, typer.Option(help="Which service (ServeGen).")] = None,
    window: Annotated[str | None, typer.Option(help="Which part, as START:STOP in seconds (ServeGen).")] = None,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Write a trace of any known format as Meritorder's own Parquet, which is read fastest.

    Flat CSV formats stream: memory doesn't grow with their rows.
    """
    import time

    from meritorder.cli.output import print_json, progress
    from meritorder.cli.traffic_choice import parse_window
    from meritorder.workload.convert import convert as convert_trace
    from meritorder.workload.reading.options import Options

    started = time.perf_counter()
    with progress(f"Converting {source}", quiet=as_json) as advance:
        options = Options(
            closed_loop=closed_loop,
            jitter_seed=jitter,
            limit=limit,
            sort=sort,
            start_spacing_s=start_spacing,
            start_seed=start_seed,
            model=model,
            window_s=None if window is None else parse_window(window),
            seed=seed,
            forced=format is not None,
            progress=advance,
        )
        done = convert_trace(_public_file(source) or source, target, format, options)
    wall_s = time.perf_counter() - started
    if as_json:
        facts = {"target": target, "requests": done.requests, "format": done.format, "streamed": done.streamed}
        print_json({**facts, "wall_s": wall_s, "warnings": done.warnings})
        return
    _say(f"{target}: {done.requests:,} requests (format {done.format}) in {wall_s:.1f} s", done.warnings)


@app.command()
def fetch(
    name: Annotated[str | None, typer.Argument(help="Name of a public trace; none: list them.")] = None,
    to: Annotated[str | None, typer.Option(help="File to write; default: the cache.")] = None,
    as_json: Json = False,
) -> None:
    """Download a public trace from its address and check it, or list those there are."""
    from pathlib import Path

    from meritorder.cli.output import print_json, progress
    from meritorder.workload.fetch import TRACES, public
    from meritorder.workload.fetch import fetch as fetch_trace

    if name is None:
        _list_public(as_json)
        return
    trace = public(name)
    with progress(f"Fetching {name}", quiet=as_json) as advance:
        path = fetch_trace(name, Path(to) if to else None, advance)
    facts = {"name": name, "path": str(path), "url": trace.url, "sha256": TRACES[name].sha256}
    if as_json:
        print_json({**facts, "licence": trace.licence, "cite": trace.cite})
        return
    _say(f"{path}: {name} ({trace.licence}; cite {trace.cite})", ())


@app.command(name="slice")
def slice_(
    source: Source,
    target: Target,
    start: Annotated[float, typer.Option("--from", help="First second that is kept.")] = 0.0,
    stop: Annotated[float, typer.Option("--to", help="First second that is not.")] = float("inf"),
    format: Format = None,
    as_json: Json = False,
) -> None:
    """Keep the requests of a span of time; sessions cut at its start go on by the clock."""
    from meritorder.workload.transform import slice as slice_trace

    _write(slice_trace(_read(source, format, as_json), start, stop), target, as_json)


@app.command()
def scale(
    source: Source,
    target: Target,
    factor: Annotated[float, typer.Option(help="How many times the requests.", show_default=False)],
    seed: Seed = 0,
    share_blocks: Annotated[bool, typer.Option(help="Copies share the prefixes of the original.")] = False,
    dilate: Annotated[bool, typer.Option(help="Stretch or squeeze time instead.")] = False,
    format: Format = None,
    as_json: Json = False,
) -> None:
    """Change the rate by adding or leaving out whole sessions, so that bursts stay bursts."""
    from meritorder.cli.traffic_choice import scaled

    trace = _read(source, format, as_json)
    _write(scaled(trace, factor, seed, share_blocks=share_blocks, dilate=dilate), target, as_json)


@app.command()
def mix(
    target: Target,
    traces: Annotated[list[str], typer.Argument(help="NAME=TRACE for each service.", show_default=False)],
    as_json: Json = False,
) -> None:
    """Lay several traces over one another, each a service with a name."""
    from meritorder.problems import InputError, Problem
    from meritorder.workload.transform import mix as mix_traces

    pairs = [pair.partition("=") for pair in traces]
    wrong = [pair for pair in pairs if not (pair[0] and pair[2])]
    if wrong:
        raise InputError(
            Problem(f'"{"".join(wrong[0])}" names no service', "TRACES", fix="write chat=conv.csv code=code.csv")
        )
    read = [_read(path, None, as_json) for _, _, path in pairs]
    _write(mix_traces(read, [name for name, _, _ in pairs]), target, as_json)


def _read(source: str, format: str | None, quiet: bool) -> Trace:
    from meritorder.cli.output import progress
    from meritorder.workload.find import find

    with progress(f"Reading {source}", quiet=quiet) as advance:
        return find(source, format=format, progress=advance)


def _public_file(name: str) -> Path | None:
    """The file of a public trace, where `name` is one and no file is called so."""
    from pathlib import Path

    from meritorder.workload.fetch import TRACES, fetch, locate

    if name not in TRACES or Path(name).exists():
        return None
    place = locate(name)
    return place.path if place else fetch(name)  # the second try says why it can't be had


def _write(trace: Trace, target: str, as_json: bool) -> None:
    from meritorder.cli.output import print_json
    from meritorder.workload.parquet import write

    write(trace, target)
    if as_json:
        facts = {"target": target, "requests": len(trace), "duration_s": trace.duration_s, "services": trace.services}
        print_json({**facts, "source": trace.source, "warnings": trace.warnings})
        return
    _say(f"{target}: {len(trace):,} requests over {trace.duration_s:,.0f} s ({trace.source})", trace.warnings)


def _list_public(as_json: bool) -> None:
    from rich.text import Text

    from meritorder.cli.output import print_json, results, table
    from meritorder.workload.fetch import TRACES, locate

    here = {name: locate(name, download=False) for name in TRACES}
    if as_json:
        print_json(
            {
                name: {"url": t.url, "licence": t.licence, "path": str(at.path) if (at := here[name]) else None}
                for name, t in TRACES.items()
            }
        )
        return
    rows = table("Public traces", ("name", "licence", "cite", "on this machine"))
    for name, trace in TRACES.items():
        found = here[name]
        rows.add_row(name, trace.licence, trace.cite, _PLACES[found.how] if found else "no")
    results().print(rows)
    results().print(Text("Fetch one with `merit traffic fetch NAME`; any other trace file is read as it is."))


def _say(line: str, warnings: tuple[str, ...]) -> None:
    from rich.text import Text

    from meritorder.cli.output import results

    results().print(Text(line), soft_wrap=True)
    for warning in warnings:
        results().print(Text(f"warning: {warning}", style="yellow"), soft_wrap=True)
