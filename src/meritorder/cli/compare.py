"""`merit compare RUN RUN ...`: several runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.text import Text


def command(
    folders: Annotated[
        list[Path], typer.Argument(help="Folders that `merit simulate --output` wrote; the first is the reference.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a report that shows the runs side by side.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
) -> None:
    """Set several runs, or policies, side by side.

    Every metric with its difference to the first run. Differences whose 95% interval holds 0 (moving-block
    bootstrap over the time of arrival, paired where the runs served the same requests) are marked with ≈.
    """
    from meritorder.cli.output import console, print_json
    from meritorder.problems import InputError, Problem
    from meritorder.simulate.compare import compare
    from meritorder.simulate.store import Run, load_run

    if len(folders) < 2:
        raise InputError(Problem("one run is nothing to compare", where="merit compare", fix="name two or more"))
    runs: list[Run] = []
    problems: list[Problem] = []
    for folder, name in zip(folders, _names(folders), strict=True):
        try:
            runs.append(load_run(folder, name))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    found = compare(runs, seed)
    if html:
        from meritorder.report.page import write_report

        write_report(runs, html, "merit compare " + " ".join(map(str, folders)), found)
    if as_json:
        print_json(found)
    else:
        _print(found)
    if html:
        console().print(f"report: {html}", markup=False, soft_wrap=True)


def _names(folders: list[Path]) -> list[str]:
    """The folders' own names, or their paths where names repeat."""
    short = [folder.resolve().name for folder in folders]
    return short if len(set(short)) == len(short) else [str(folder) for folder in folders]


def _print(found: dict[str, Any]) -> None:
    from rich.text import Text

    from meritorder.cli.output import results, table
    from meritorder.report.text import of_unit

    out = results()
    names = [run["name"] for run in found["runs"]]
    shown = table("", ("metric", *(f">{name}" for name in names)))
    for row in found["metrics"]:
        cells: list[str | Text] = [row["label"], of_unit(row["values"][0], row["unit"])]
        for value, difference in zip(row["values"][1:], row["differences"], strict=True):
            cells.append(Text(of_unit(value, row["unit"])).append_text(_change(difference, row)))
        shown.add_row(*cells)
    out.print(shown)
    out.print(Text("Differences to the first run: ✓ better, ✗ worse, ≈ can't be told from chance."))
    out.print(Text(found["method"]), style="dim")
    for name, paired in zip(names, found["paired"], strict=True):
        if not paired:
            out.print(Text(f"{name} did not serve the requests of {names[0]}: not paired", style="yellow"))


def _change(difference: dict[str, Any], row: dict[str, Any]) -> Text:
    """The difference as ` ✗ +2.7%`, in the colour of better or worse."""
    from rich.text import Text

    from meritorder.report.text import change

    sign, words = change(difference, row)
    return Text(f" {sign} {words}".rstrip(), style={"✓": "green", "✗": "red"}.get(sign, "dim"))
