"""`merit predict`: append predictions to a table of configurations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    source: Annotated[Path, typer.Option("--in", metavar="CSV", help="Table of configurations, a row each.")],
    target: Annotated[Path, typer.Option("--out", metavar="CSV", help="Where to write it with predictions.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Predict what each row of a table describes: kernels, serving runs, power, wafer speeds.

    The kind of table is known by its columns. Columns with predictions and a note are appended; a row that can't
    be answered keeps empty cells, and the note says why. What describes a load is simulated request by request.
    """
    from time import perf_counter

    from meritorder.catalog.load import catalog
    from meritorder.cli.output import print_json, progress, results, table
    from meritorder.predict.answer import answered, form_of
    from meritorder.predict.forms import FORMS
    from meritorder.predict.tables import read_table, write_table

    rows = read_table(source)
    form = form_of(rows, FORMS, str(source))
    began, done = perf_counter(), 0

    with progress(f"predicting {len(rows.rows)} rows: {form.name}", quiet=as_json) as advance:

        def more(count: int) -> None:
            nonlocal done
            done += count
            advance(done / max(1, len(rows.rows)))

        answers = answered(form, rows.rows, catalog(), more)
    write_table(target, rows, form, answers)
    none = sum(not answer.values for answer in answers)
    noted = sum(bool(answer.note) for answer in answers)
    seconds = perf_counter() - began
    if as_json:
        facts = {"table": form.name, "rows": len(answers), "unanswered": none, "noted": noted}
        print_json({**facts, "columns": list(form.adds), "seconds": seconds, "out": str(target)})
        return
    shown = table(f"{form.name}: {source} -> {target}", ("rows", ">number", "what"))
    shown.add_row("answered", str(len(answers) - none), ", ".join(form.adds))
    shown.add_row("unanswered", str(none), "empty cells; the note says why")
    shown.add_row(
        "with a note", str(noted), "out of the range of the data, borrowed coefficients, or figures known as ranges"
    )
    results().print(shown)
    results().print(f"{seconds:.1f} s, {seconds / max(1, len(answers)) * 1e3:.1f} ms a row", style="dim")
