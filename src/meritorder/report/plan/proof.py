"""The certificate: which promises hold when the plan is simulated, and how far plan and simulator are apart."""

from __future__ import annotations

from typing import Any

from meritorder.report.body import Body
from meritorder.report.figures import Figure
from meritorder.report.plan.words import Told
from meritorder.report.tables import bar, table
from meritorder.report.text import NONE, count, number, safe, share

_MARKS = {"holds": ("good", "✓ holds"), "does not hold": ("bad", "✗ does not hold"), "can't say": ("none", "can't say")}
_LOSSES = {"site": "a site", "supplier": "a supplier", "late": "a late delivery", "curtail": "curtailment"}


def section(body: Body, told: Told) -> None:
    """What was simulated: losses first, then every other hour; nothing where no proof was asked for."""
    proof = told["certificate"]
    if proof is None:
        return
    lost = [row for row in proof["promises"] if row["kind"] in _LOSSES]
    others = [row for row in proof["promises"] if row["kind"] not in _LOSSES]
    lines = "".join(f"<li>{safe(line)}</li>" for line in proof["lines"])
    figure = [attainment_figure(proof)] if proof["promises"] else []
    body.section("Proof", f"<ul>{lines}</ul>", body.figures(figure, wide=True), promise_table(others), lead=_LEAD)
    if lost:
        body.section("Losses", promise_table(lost), lead=_LOST)
    body.section("Plan against simulator", capacity_table(proof), hour_table(proof), _left_out(proof), lead=_AGAINST)


_LEAD = (
    "The plan's worst hours, its losses and ordinary days, simulated request by request with buildings and faults. A "
    "promise holds only where its whole interval does."
)
_LOST = "One thing is lost in the busiest hour, and a part of the demand must be served all the same."
_AGAINST = (
    "How much of a year's design hour the machines carry, by the plan's rates and by the simulation. Rates were "
    "corrected by the difference, and the plan was made again."
)


def promise_table(rows: list[dict[str, Any]]) -> str:
    """A row a service and case."""
    cells = []
    for row in rows:
        css, words = _MARKS[row["verdict"]]
        found = NONE if row["kept"] is None else bar(row["kept"], row["target"])
        interval = f"{share(row['low'])} to {share(row['high'])}"
        why = safe(row["why"]) if row["verdict"] != "holds" else ""
        cells.append(
            [
                safe(row["case"]),
                safe(row["service"]),
                share(row["demand_share"]),
                found,
                interval,
                share(row["target"]),
                f'<span class="{css}">{words}</span>',
                count(row["requests"]),
                why,
            ]
        )
    columns = ["Case", "Service", ">Of its demand", "Within target", ">Interval", ">Wanted", "Verdict", ">Requests"]
    columns.append("What kept the others")
    return table("Shares of the requests that keep the service level, 95% intervals", columns, cells) if cells else ""


def attainment_figure(proof: Told) -> Figure:
    """How far above or below its target every promise is, with its interval."""
    services = list(dict.fromkeys(row["service"] for row in proof["promises"]))
    data = []
    for slot, service in enumerate(services):
        rows = [row for row in proof["promises"] if row["service"] == service and row["kept"] is not None]
        middle = [100 * (row["kept"] - row["target"]) for row in rows]
        data.append(
            {"type": "scatter", "mode": "markers", "name": service, "y": [row["case"] for row in rows]}
            | {"x": [round(value, 3) for value in middle], "meta": {"slot": slot}}
            | {"hovertemplate": "%{x:+.2f} points", "error_x": _whiskers(rows)}
        )
    cases = dict.fromkeys(row["case"] for row in proof["promises"])
    layout = {
        "xaxis": {"title": {"text": "share within the service level, points above its target"}, "zeroline": True},
        "yaxis": {"autorange": "reversed", "type": "category", "automargin": True},
    }
    note = "Left of 0: the target is missed. Lines are 95% intervals."
    return Figure("Every promise", note, data, layout, 140 + 26 * len(cases))


def _whiskers(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [round(100 * (row["high"] - row["kept"]), 3) for row in rows],
        "arrayminus": [round(100 * (row["kept"] - row["low"]), 3) for row in rows],
        "thickness": 1.2,
        "width": 3,
    }


def capacity_table(proof: Told) -> str:
    """Plan and simulator by year."""
    rows = [
        [
            safe(row["period"]),
            safe(", ".join(row["services"])),
            f"{row['planned']:.3f}",
            f"{row['simulated']:.3f}",
            f"{100 * row['error']:+.1f}%",
            ", ".join(f"{100 * error:+.1f}%" for error in _before(proof, row)),
            f"one of {row['sampled']}" if row["sampled"] > 1 else "all",
        ]
        for row in proof["capacities"]
    ]
    columns = [
        "Period",
        "Services",
        ">By the plan",
        ">Simulated",
        ">Error",
        ">In earlier rounds",
        ">Requests simulated",
    ]
    return table("Factor on the demand of the design hour that the machines carry, all of them up", columns, rows)


def _before(proof: Told, row: dict[str, Any]) -> list[float]:
    same = (row["year"], row["services"])
    return [old["error"] for entries in proof["before"] for old in entries if (old["year"], old["services"]) == same]


def hour_table(proof: Told) -> str:
    """Power, energy and traffic of the worst hours."""
    rows = [
        [
            safe(row["case"]),
            safe(row["what"]),
            number(row["planned"], row["unit"]),
            number(row["simulated"], row["unit"]),
            NONE if row["error"] is None else f"{100 * row['error']:+.1f}%",
        ]
        for row in proof["hours"]
    ]
    return table("The worst hours", ["Hour", "What", ">Planned", ">Simulated", ">Error"], rows) if rows else ""


def _left_out(proof: Told) -> str:
    parts = []
    for title, key in (("What was simulated", "sampled"), ("What was left out", "left_out")):
        if proof[key]:
            items = "".join(f"<li>{safe(line)}</li>" for line in proof[key])
            parts.append(f"<details><summary>{title}</summary><ul>{items}</ul></details>")
    return "".join(parts)
