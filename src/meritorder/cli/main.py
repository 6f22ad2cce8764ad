"""The `merit` command: finds the verb, runs it, and turns bad input into one clear message and exit code 2."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from meritorder import __version__
from meritorder.problems import InputError, Problem, did_you_mean


class Verb(NamedTuple):
    """Where a verb is and what `merit --help` says about it."""

    module: str  # has `command`, a function with Typer annotations, or `app`, a typer.Typer with sub-verbs
    help: str


VERBS = {
    "check": Verb("meritorder.cli.check", "Say what a fleet file describes and what is wrong in it."),
    "facility": Verb("meritorder.cli.facility", "Say what the buildings of a fleet draw, lose and carry, by load."),
    "plan": Verb("meritorder.cli.plan", "Plan what to install where and when, and prove it by simulation."),
    "simulate": Verb("meritorder.cli.simulate", "Run a fleet on traffic in virtual time and report on it."),
    "compare": Verb("meritorder.cli.compare", "Set several runs, or policies, side by side."),
    "traffic": Verb("meritorder.cli.traffic", "Fetch, describe, convert and synthesize traffic."),
    "up": Verb("meritorder.cli.up", "Serve a small model on this machine: engines, gateway, chat page."),
    "serve": Verb("meritorder.cli.serve", "Serve clients through a fleet's real backends."),
    "emulate": Verb("meritorder.cli.emulate", "Endpoints that keep the timing of a fleet which isn't there."),
    "replay": Verb("meritorder.cli.replay", "Ask a live endpoint a trace's requests and measure."),
    "calibrate": Verb("meritorder.cli.calibrate", "Measure a live endpoint: a machine profile for fleet files."),
    "keys": Verb("meritorder.cli.keys", "Make, list, rotate and revoke the API keys of a gateway."),
    "predict": Verb("meritorder.cli.predict", "Append predictions to a table of configurations."),
    "catalog": Verb("meritorder.cli.catalog", "Machines and models that fleet files may name, with sources."),
    "policies": Verb("meritorder.cli.policies", "List the dispatch policies with their parameters and sources."),
    "schema": Verb("meritorder.cli.schema", "Print the JSON Schema of fleet files, for editors."),
}


class _LazyVerbs(TyperGroup):
    """Knows its verbs by name and help line; a verb's module is imported only when it is invoked."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        verb = VERBS.get(cmd_name)
        return None if verb is None else typer.core.TyperCommand(cmd_name, help=verb.help)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if name not in VERBS and not name.startswith("-"):
            raise InputError(Problem(f'there is no verb "{name}"', where="merit", fix=did_you_mean(name, VERBS)))
        return (name, _load(name), args[1:]) if name in VERBS else super().resolve_command(ctx, args)


def _load(name: str) -> Any:
    from importlib import import_module

    module = import_module(VERBS[name].module)
    app = getattr(module, "app", None)
    if app is None:
        app = typer.Typer(add_completion=False)
        app.command(name, help=flowing(module.command.__doc__))(module.command)
    command = typer.main.get_command(app)
    command.name = name
    return command


def flowing(text: str | None) -> str:
    """A docstring with each paragraph on one line, so that help breaks it where the terminal ends."""
    from inspect import cleandoc

    return "\n\n".join(" ".join(part.split()) for part in cleandoc(text or "").split("\n\n"))


app = typer.Typer(cls=_LazyVerbs)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"merit {__version__}")
        raise typer.Exit


@app.callback()
def _merit(
    version: bool = typer.Option(False, "--version", help="Print the version.", is_eager=True, callback=_print_version),
) -> None:
    """Plan, simulate and serve AI inference on mixed fleets of wafer-scale machines and GPUs."""


def run(arguments: list[str]) -> int:
    """Run `merit` with these arguments and return its exit code: 0, 2 for bad input, 130 when interrupted."""
    try:
        code = typer.main.get_command(app).main(arguments or ["--help"], prog_name="merit", standalone_mode=False)
        sys.stdout.flush()
    except InputError as error:
        _tell(error.problems, arguments)
        return 2
    except TyperException as error:
        _tell([_usage_problem(error)], arguments)
        return 2
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except BrokenPipeError:
        return _reader_gone()
    except MemoryError:
        _tell([Problem("needs more memory than there is", "merit", fix="take less of the traffic at once")], arguments)
        return 2
    except OSError as error:  # files are looked after where they are used: this is stdout, on a full disk for instance
        _reader_gone()
        reason = (error.strerror or str(error)).lower()
        place = str(error.filename or "standard output")
        _tell([Problem(f"can't be written: {reason}", place, fix="send it where there is room")], [])
        return 2
    return code if isinstance(code, int) else 0


def main() -> None:
    """Entry point of the `merit` script."""
    sys.exit(run(sys.argv[1:]))


def _tell(problems: Any, arguments: list[str]) -> None:
    from meritorder.cli.output import print_problems

    try:
        print_problems(problems, as_json="--json" in arguments)
    except BrokenPipeError:
        _reader_gone()


def _usage_problem(error: TyperException) -> Problem:
    """What Typer says about wrong options, as a problem with the nearest right one."""
    context = getattr(error, "ctx", None)
    where = context.command_path if context else "merit"
    wrong = getattr(error, "option_name", "")
    possible = getattr(error, "possibilities", None)
    if wrong and possible is not None:
        return Problem(f"there is no option {wrong}", where=where, fix=did_you_mean(wrong, possible))
    what = error.format_message().rstrip(".").replace("\n", " ")
    return Problem(what[:1].lower() + what[1:], where=where, fix=f"see `{where} --help`")


def _reader_gone() -> int:
    """Nobody reads our output any more (`| head`): say nothing, also not when Python flushes at exit."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
