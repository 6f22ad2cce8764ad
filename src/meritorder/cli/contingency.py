"""`merit simulate --contingency`: the loss of each site, supplier and power feed at the busiest time."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from meritorder.fleet.dispatch import Dispatch
    from meritorder.fleet.schema import Fleet
    from meritorder.perf.replica import Replica
    from meritorder.simulate.result import Result
    from meritorder.workload.trace import Trace


def run_contingencies(
    wanted: str,
    fleet: Fleet,
    replicas: tuple[Replica, ...],
    trace: Trace,
    policies: list[Dispatch],
    seed: int,
    output: Path | None,
    as_json: bool,
) -> None:
    """Run the base case and each loss, print which breaks which service, write the report if asked."""
    from meritorder.cli.output import console, print_json, progress
    from meritorder.problems import InputError, Problem
    from meritorder.simulate.contingency.cases import contingencies
    from meritorder.simulate.contingency.study import study

    if len(policies) > 1:
        raise InputError(Problem("contingencies are run under one policy", "--policy", fix="name one"))
    losses = contingencies(fleet, wanted)
    with progress(f"simulating {len(losses) + 1} times", as_json) as advance:
        told, base = study(fleet, trace, losses, policies[0], seed=seed, replicas=replicas, progress=advance)
    if output:
        told["report"] = str(_write(told, base, output))
    if as_json:
        print_json(told)
        return
    _print(told)
    if output:
        console().print(f"report: {told['report']}", markup=False, soft_wrap=True)


def _write(told: dict[str, Any], base: Result, folder: Path) -> Path:
    """The base case's run, what the losses did as JSON, and the report on both."""
    import orjson

    from meritorder.report.page import render
    from meritorder.simulate.folder import replacing_folder
    from meritorder.simulate.store import CONTINGENCY, REPORT, ours, run_of, write_run

    run = run_of(base, "base case")
    page = render([run], " ".join(["merit", *sys.argv[1:]]), contingency=told)
    with replacing_folder(folder, ours) as staging:
        write_run(run, staging)
        (staging / CONTINGENCY).write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        (staging / REPORT).write_text(page, encoding="utf-8")
    return folder / REPORT


def _print(told: dict[str, Any]) -> None:
    """The matrix loss x service, the sentences, and when things were lost."""
    from rich.text import Text

    from meritorder.cli.output import results, table
    from meritorder.report import text

    out, window = results(), told["window"]
    span = f"{text.seconds(window['stop_s'] - window['start_s'])} around the busiest time"
    when = f"lost at {text.seconds(window['loss_s'])} for {text.seconds(window['back_s'] - window['loss_s'])}"
    out.print(Text(f"{told['traffic']}: {told['requests']:,} requests, {span}; {when}\n"), soft_wrap=True)
    names = list(told["base"])
    shown = table(
        "Requests within their SLO: before, during and after the loss",
        (
            "loss of",
            *(f"{name}\n{text.share(told['base'][name]['wanted'])} wanted" for name in names),
            ">not served",
            ">late",
        ),
    )
    cells = [Text(_phases(told["base"][name])) for name in names]
    shown.add_row("nothing", *cells, *_counts(told["base"]))
    for case in told["contingencies"]:
        rows = case["services"]
        cells = [
            Text(f"{_phases(rows[name])} {_MARKS[rows[name]['verdict']]}", style=_style(rows[name])) for name in names
        ]
        shown.add_row(f"{case['name']} ({case['what']})", *cells, *_counts(rows))
    out.print(shown)
    out.print(
        Text(
            "not served: lost, refused, or given up by the client; late: begun anew after a failure, and completed\n",
            style="dim",
        )
    )
    for case in told["contingencies"]:
        broken = any(row["verdict"] == "breaks" for row in case["services"].values())
        out.print(Text(("✗ " if broken else "✓ ") + case["words"], style="red" if broken else ""), soft_wrap=True)


_MARKS = {"breaks": "✗", "missed anyway": "✗ anyway", "holds": "✓", "no requests": "–"}


def _counts(rows: dict[str, dict[str, Any]]) -> tuple[str, str]:
    """Requests that were not served, and those that were begun anew, from the loss on."""
    unserved = sum(row[key] for row in rows.values() for key in ("lost", "refused", "gave_up"))
    return f"{unserved:,}", f"{sum(row['delayed'] for row in rows.values()):,}"


def _style(row: dict[str, Any]) -> str:
    return {"breaks": "red", "holds": "green", "missed anyway": "yellow"}.get(row["verdict"], "")


def _phases(row: dict[str, Any]) -> str:
    from meritorder.report import text

    return " / ".join(text.share(row[phase]) for phase in ("before", "during", "after"))
