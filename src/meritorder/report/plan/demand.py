"""Demand of each service in each scenario beside what the plan could serve."""

from __future__ import annotations

from typing import Any

from meritorder.report.curves import rounded
from meritorder.report.figures import Figure
from meritorder.report.plan.words import Told, rate_scale
from meritorder.report.text import share


def fan_figures(told: Told) -> list[Figure]:
    """A fan a service: its demand by scenario, and the capacity of the systems that hold its model."""
    return [_fan(told, name, row) for name, row in told["services"].items()]


def _fan(told: Told, name: str, row: dict[str, Any]) -> Figure:
    periods = told["horizon"]["periods"]
    scenarios = row["demand_tok_s"]
    size, unit = rate_scale([v for values in (*scenarios.values(), row["capacity_tok_s"]) for v in values])
    size = size or 1.0
    data: list[dict[str, Any]] = []
    if len(scenarios) > 1:
        columns = list(zip(*scenarios.values(), strict=True))
        edges = ([min(column) / size for column in columns], [max(column) / size for column in columns])
        for values, band in zip(edges, (False, True), strict=True):
            data.append(
                {"type": "scatter", "mode": "lines", "x": periods, "y": rounded(values), "showlegend": False}
                | {
                    "name": "range of the scenarios",
                    "hoverinfo": "skip",
                    "meta": {"slot": 0, "band": band, "edge": True},
                }
            )
    for slot, (scenario, values) in enumerate(scenarios.items()):
        data.append(_curve(f"demand, {scenario}", periods, [v / size for v in values], slot, unit, "lines"))
    capacity = [v / size for v in row["capacity_tok_s"]]
    data.append(_curve("capacity", periods, capacity, -1, unit, "lines+markers"))
    layout = {
        "xaxis": {"type": "category", "automargin": True},
        "yaxis": {"title": {"text": f"output {unit}"}, "rangemode": "tozero"},
    }
    missed = row["unmet_share_expected"]
    served = (
        "All demand is served." if missed <= 5e-5 else f"{share(missed)} of the requests are expected to stay unserved."
    )
    note = f"Busiest hour of each period. Capacity: if the systems that hold its model served nothing else. {served}"
    return Figure(f"Demand and capacity of {name}", note, data, layout, 320)


def _curve(name: str, periods: list[str], values: list[float], slot: int, unit: str, mode: str) -> dict[str, Any]:
    return {"type": "scatter", "mode": mode, "name": name, "x": periods, "y": rounded(values)} | {
        "meta": {"slot": slot},
        "hovertemplate": f"%{{y:.4~g}} {unit}",
    }
