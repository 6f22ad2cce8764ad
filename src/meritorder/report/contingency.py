"""What each loss does to each service, as a table and a figure of the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from meritorder.report.curves import rounded
from meritorder.report.figures import Figure
from meritorder.report.tables import bar, table
from meritorder.report.text import count, safe, seconds, share

_MARKS = {"breaks": "✗ breaks", "missed anyway": "✗ missed anyway", "holds": "✓ holds", "no requests": "–"}
_STYLES = {"breaks": "bad", "missed anyway": "bad", "holds": "good", "no requests": "none"}


def lead(told: Mapping[str, Any]) -> str:
    """When things were lost, and how it is judged."""
    window = told["window"]
    lasted = seconds(window["back_s"] - window["loss_s"])
    return (
        f"One thing is lost at a time, at {seconds(window['loss_s'])} of the traffic, in the middle of its busiest "
        f"{seconds(window['stop_s'] - window['peak_s'])}, for {lasted} (machines then load their weights); "
        f"simulated from {seconds(window['start_s'])} to {seconds(window['stop_s'])}. A service breaks if less of the "
        "requests that arrive meanwhile are within target than it wants, and without the loss it had kept its level."
    )


def headline(told: Mapping[str, Any]) -> tuple[str, bool]:
    """How many of the losses break a service, and whether none does."""
    cases = told["contingencies"]
    bad = sum(any(row["verdict"] == "breaks" for row in case["services"].values()) for case in cases)
    if not bad:
        return f"✓ No loss of {count(len(cases))} breaks a service", True
    return f"✗ {count(bad)} of {count(len(cases))} losses {'breaks' if bad == 1 else 'break'} a service", False


def sentences(told: Mapping[str, Any]) -> str:
    """The summary in words, a line a loss."""
    words = "".join(f"<li>{safe(case['words'])}</li>" for case in told["contingencies"])
    return f"<ul>{words}</ul>"


def contingency_table(told: Mapping[str, Any]) -> str:
    """A row for each loss and service."""
    rows = []
    for case in told["contingencies"]:
        for name, row in case["services"].items():
            sign = f'<span class="{_STYLES[row["verdict"]]}">{safe(_MARKS[row["verdict"]])}</span>'
            rows.append(
                [
                    safe(f"{case['name']} ({case['what']})"),
                    safe(name),
                    share(row["before"]),
                    bar(row["during"], row["wanted"]),
                    share(row["base"]),
                    share(row["after"]),
                    count(row["lost"]),
                    count(row["refused"]),
                    count(row["gave_up"]),
                    count(row["delayed"]),
                    seconds(row["worst_ttft_s"]),
                    sign,
                ]
            )
    columns = [
        *("Loss of", "Service", ">Before", ">During", ">During, nothing lost", ">After", ">Lost", ">Refused"),
        *(">Gave up", ">Begun anew", ">Worst first token", "Verdict"),
    ]
    return table("Requests within targets by when they arrived", columns, rows)


def contingency_figure(told: Mapping[str, Any]) -> Figure:
    """Attainment of every service during each loss."""
    names = ["nothing", *(f"{case['name']} ({case['what']})" for case in told["contingencies"])]
    cases = [told["base"], *(case["services"] for case in told["contingencies"])]
    data = []
    for slot, (service, base) in enumerate(told["base"].items()):
        values = [case[service]["during"] for case in cases]
        data.append(
            {"type": "scatter", "mode": "markers", "name": f"{service} (target {share(base['wanted'])})"}
            | {"x": rounded([np.nan if v is None else 100 * v for v in values], 5), "y": names, "meta": {"slot": slot}}
            | {"hovertemplate": "%{x:.2f}%"}
        )
    layout = {
        "xaxis": {"title": {"text": "Requests within targets during the loss"}, "ticksuffix": "%"},
        "yaxis": {"autorange": "reversed", "type": "category", "automargin": True},
    }
    height = 200 + 30 * len(names)
    return Figure(
        "Service levels by what is lost", "Share of the judged requests of each service.", data, layout, height
    )
