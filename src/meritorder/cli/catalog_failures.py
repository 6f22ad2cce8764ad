"""What `merit catalog` says of how often things break, and how long they take to come back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_MEANINGS = {
    "mtbf": "mean time from a repair to the next failure",
    "mttr": "mean time to repair, loading weights not included",
    "shape": "Weibull shape of the times between failures",
    "spread": "sigma of the log-normal repair times",
    "window": "a bad release reaches its machines over so long",
    "factor": "an iteration takes so many times as long",
    "engine_start": "start of the engine",
    "load_rate": "weights that one accelerator loads",
}


def failure_rows() -> list[dict[str, Any]]:
    """One line for each kind of fault; seconds."""
    from meritorder.catalog.failures import failures

    return [
        {
            "name": one.name,
            "title": one.title,
            "what": one.what,
            "per_accelerator": one.per_accelerator,
            **{f"{key}_s" if key in ("mtbf", "mttr", "window") else key: value for key, value in one.values.items()},
            "mtbf_range": [one.figures["mtbf"].low, one.figures["mtbf"].high],
            "confidence": one.figures["mtbf"].confidence,
        }
        for one in failures()
    ]


def failure_facts(name: str) -> dict[str, Any]:
    """Every figure of one kind of fault, and of coming back where it is a machine; empty where there is none."""
    from meritorder.catalog.failures import failures, reload_of
    from meritorder.cli.catalog_facts import figure_facts

    for one in failures():
        if one.name == name:
            found = {
                "name": name,
                "title": one.title,
                "what": one.what,
                "per_accelerator": one.per_accelerator,
                "figures": {key: figure_facts(figure) for key, figure in one.figures.items()},
            }
            if one.kind or one.what == "engine":
                back = reload_of(one.kind or "gpu")
                found["reload"] = {key: figure_facts(figure) for key, figure in back.figures.items()}
            return found
    return {}


def print_failures(rows: Sequence[dict[str, Any]]) -> None:
    """The table of all kinds."""
    from meritorder.cli.output import results, table

    shown = table("Faults (`faults.rates`)", ("name", "what breaks", ">fails every", "range", ">repair", "confidence"))
    for row in rows:
        low, high = row["mtbf_range"]
        each = " a chip" if row["per_accelerator"] else ""
        span = f"{low} to {high}"
        cells = (_hours(row["mtbf_s"]) + each, span, _hours(row["mttr_s"]), row["confidence"])
        shown.add_row(row["name"], row["title"], *cells)
    results().print(shown, "")


def print_failure(facts: dict[str, Any]) -> None:
    """One kind with every figure and its source."""
    from rich.text import Text

    from meritorder.cli.catalog_tables import figures_table
    from meritorder.cli.output import results

    out = results()
    out.print(Text(f"{facts['name']}: {facts['title']}", style="bold"))
    out.print(Text(f"`what: {facts['what']}` in the fleet file's `faults`\n"))
    sources: dict[str, int] = {}
    out.print(figures_table("Figures", facts["figures"], _MEANINGS, sources))
    if "reload" in facts:
        out.print()
        out.print(figures_table("From repaired to serving", facts["reload"], _MEANINGS, sources))
    out.print()
    for source, number in sources.items():
        out.print(Text(f"[{number}] {source}", style="dim"), soft_wrap=True)


def _hours(seconds: float) -> str:
    return f"{seconds:,.3g} s" if seconds < 600 else f"{seconds / 3600:,.6g} h"
