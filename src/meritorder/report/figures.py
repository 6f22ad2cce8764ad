"""The figures of a report as plain dictionaries in Plotly's form.

Colours, dashes and fonts are not here: the page gives them by theme. A trace says `meta: {"slot": k}` for the k-th
colour (with its own dash and marker, so that nothing is told by colour alone).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from meritorder.report.curves import arrivals, clock, distribution, group_values, pool_series, rounded
from meritorder.report.text import number, share
from meritorder.simulate.columns import latency
from meritorder.simulate.store import Run


@dataclass(frozen=True)
class Figure:
    """One figure: Plotly's data and layout, a title and what it shows for those who can't see it."""

    title: str
    note: str
    data: list[dict[str, Any]]
    layout: dict[str, Any]
    height: int = 300


AXES = {"ttft_s": "Time to first token", "tpot_s": "Time per output token", "e2e_s": "Time to last token"}


def latency_figures(run: Run, by: str) -> list[Figure]:
    """Distributions of the three latencies by `service` (with targets) or by `pool`."""
    figures = []
    for name, title in AXES.items():
        values = latency(run.requests, name)
        data = []
        for slot, (_, label, mine) in enumerate(group_values(run, name, values, by)):
            data += _curve(mine, label, slot)
            if by == "service":
                data += _target(run, label, name, slot)
        note = _note(data)
        figures.append(Figure(f"{title}, by {by}", note, data, _share_layout(title)))
    return figures


def policy_latency_figures(runs: list[Run], service: str) -> list[Figure]:
    """The same distributions for one service, a curve a run."""
    index = runs[0].services.index(service)
    figures = []
    for name, title in AXES.items():
        data = []
        for slot, run in enumerate(runs):
            data += _curve(latency(run.requests, name)[run.requests["service"] == index], run.name, slot)
        data += _target(runs[0], service, name, -1)
        figures.append(Figure(f"{title}, {service}", _note(data), data, _share_layout(title)))
    return figures


def _note(data: list[dict[str, Any]]) -> str:
    if any(trace["meta"].get("target") for trace in data):
        return "Completed requests. A diamond is a target: the curve should pass above it."
    return "Completed requests."


def _curve(values: Any, label: str, slot: int) -> list[dict[str, Any]]:
    points = distribution(values)
    if points is None:
        return []
    hover = "%{y:.1f}% within %{x:.3~s}s"
    return [
        {"type": "scatter", "mode": "lines", "name": label, "x": points[0], "y": points[1], "meta": {"slot": slot}}
        | {"hovertemplate": hover}
    ]


def _target(run: Run, service: str, name: str, slot: int) -> list[dict[str, Any]]:
    slo = run.summary["by_service"][service]["slo"]
    goal = slo["ttft_s"] if name == "ttft_s" else None
    if name == "tpot_s" and slo["token_rate"]:
        goal = 1.0 / slo["token_rate"]
    if goal is None:
        return []
    return [
        {"type": "scatter", "mode": "markers", "name": f"target {service}", "x": [goal], "y": [slo["percentile"] * 100]}
        | {"meta": {"slot": slot, "target": True}, "hovertemplate": "target: %{y:.4~g}% within %{x:.3~s}s"}
    ]


def _share_layout(title: str) -> dict[str, Any]:
    return {
        "xaxis": {"type": "log", "title": {"text": title}},
        "yaxis": {"range": [0, 101], "title": {"text": "Requests"}, "ticksuffix": "%"},
    }


SERIES_TITLES = {
    "busy": ("Busy replicas", "Share of the replicas' time with an iteration running", "%"),
    "running": ("Running sequences", "Requests being worked on, mean of each bin", ""),
    "waiting": ("Waiting requests", "In the queues of the engines, mean of each bin", ""),
    "kv": ("KV cache in use", "Blocks in use by running sequences; a shared prefix counts once", "%"),
    "power": ("IT power", "Idle power included, facility overhead not", "W"),
    "output": ("Output tokens a second", "Tokens produced, mean of each bin", ""),
}


def series_figures(run: Run) -> list[Figure]:
    """Arrivals by service, then load, queue, memory, power and tokens by pool over time."""
    size, unit = clock(run.span_s)
    step = {"x0": run.bin_s / size / 2, "dx": run.bin_s / size, "type": "scatter", "mode": "lines+markers"}

    def figure(title: str, note: str, curves: list[tuple[str, list[float | None]]], suffix: str) -> Figure:
        data = [
            step | {"name": label, "y": values, "meta": {"slot": slot}}
            for slot, (label, values) in enumerate(curves)
        ]  # fmt: skip
        axis: dict[str, Any] = {"rangemode": "tozero", "ticksuffix": suffix}
        if suffix == "W":
            axis["tickformat"] = "~s"
        time = {"title": {"text": f"Time, {unit}"}, "range": [0, run.span_s / size]}
        return Figure(title, note, data, {"xaxis": time, "yaxis": axis}, 250)

    made = [figure("Arrivals, by service", "Requests a second, mean of each bin", arrivals(run), "")]
    found = pool_series(run)
    return made + [
        figure(f"{t}, by pool", note, found[key], suffix) for key, (t, note, suffix) in SERIES_TITLES.items()
    ]


def flow_figure(run: Run) -> Figure:
    """Where requests went and why: service, reason of the choice, pool."""
    flows: dict[tuple[str, str], int] = {}
    services, reasons, ends = {}, {}, {}

    def add(service: str, reason: str, end: str, amount: int) -> None:
        if amount:
            services[service], reasons[reason], ends[end] = f"s {service}", f"r {reason}", f"e {end}"
            for pair in ((f"s {service}", f"r {reason}"), (f"r {reason}", f"e {end}")):
                flows[pair] = flows.get(pair, 0) + amount

    for service, pools in run.summary["routing"].items():
        for pool, cell in pools.items():
            for reason, amount in cell["reasons"].items():
                add(service, reason, pool, amount)
        row = run.summary["by_service"][service]
        for key, reason in (("rejected", "too long for every pool"), ("shed", "no replica could serve it")):
            add(service, reason, key, row[key])
    nodes = [*services.values(), *reasons.values(), *ends.values()]
    place = {node: i for i, node in enumerate(nodes)}
    data = {
        "type": "sankey",
        "arrangement": "snap",
        "node": {"label": [node[2:] for node in nodes], "pad": 14, "thickness": 14},
        "link": {
            "source": [place[a] for a, _ in flows],
            "target": [place[b] for _, b in flows],
            "value": list(flows.values()),
        },
        "meta": {"columns": [len(services), len(reasons), len(ends)]},
        "valueformat": ",d",
        "valuesuffix": " requests",
    }
    note = "From left to right: service, why the policy chose, pool. The table below has the numbers."
    return Figure("Where requests went, and why", note, [data], {}, max(300, 34 * max(len(ends), len(services), 8)))


def misses_figure(run: Run) -> Figure:
    """Share of each service's requests that missed, by cause."""
    rows = run.summary["limits"]["services"]
    causes = list(dict.fromkeys(cause for row in rows.values() for cause in row["causes"]))
    totals = [run.summary["by_service"][name]["requests"] or 1 for name in run.services]
    data = []
    for slot, cause in enumerate(causes):
        parts = [100 * rows[s]["causes"].get(cause, 0) / t for s, t in zip(run.services, totals, strict=True)]
        data.append(
            {"type": "bar", "orientation": "h", "name": cause, "x": rounded(parts), "y": list(run.services)}
            | {"meta": {"slot": slot}, "hovertemplate": "%{x:.2f}% of requests"}
        )
    layout = {
        "barmode": "stack",
        "xaxis": {"title": {"text": "Requests outside their targets"}, "ticksuffix": "%", "rangemode": "tozero"},
        "yaxis": {"autorange": "reversed", "type": "category", "automargin": True},
    }
    return Figure("Why targets were missed", "", data, layout, 150 + 34 * len(run.services))


def cost_attainment_figure(runs: list[Run]) -> Figure:
    """Each run's cost against its worst service."""
    data = []
    for slot, run in enumerate(runs):
        cost = run.summary["usd_per_good_mtok"]
        margins = [
            100 * (row["slo_attainment"] - row["slo"]["percentile"])
            for row in run.summary["by_service"].values()
            if row["slo_attainment"] is not None
        ]
        if cost is None or not margins:
            continue
        data.append(
            {"type": "scatter", "mode": "markers", "name": run.name, "cliponaxis": False}
            | {"x": rounded([cost]), "y": rounded([min(margins)]), "meta": {"slot": slot}}
            | {"hovertemplate": "%{x} USD, worst service %{y:+.2f} points"}
        )
    layout = {
        "xaxis": {"title": {"text": "USD per million tokens within targets"}},
        "yaxis": {"title": {"text": "Worst service, points over target"}, "tickformat": "+"},
        "shapes": [{"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": 0, "y1": 0, "line": {"dash": "dash"}}],
    }
    note = "Left is cheaper, up is better; on or above the dashed line every service level is met."
    return Figure("Cost against service level", note, data, layout, 360)


def attainment_figure(runs: list[Run]) -> Figure:
    """Attainment of every service under every run."""
    data = []
    for slot, service in enumerate(runs[0].services):
        values = [run.summary["slo_attainment"].get(service) for run in runs]
        goal = runs[0].summary["by_service"][service]["slo"]["percentile"]
        data.append(
            {"type": "scatter", "mode": "markers", "name": f"{service} (target {share(goal)})", "meta": {"slot": slot}}
            | {"x": rounded([np.nan if v is None else 100 * v for v in values], 5), "y": [run.name for run in runs]}
            | {"hovertemplate": "%{x:.2f}%"}
        )
    layout = {
        "xaxis": {"title": {"text": "Requests within targets"}, "ticksuffix": "%"},
        "yaxis": {"autorange": "reversed", "type": "category", "automargin": True},
    }
    return Figure("Service levels by run", "Share of the judged requests of each service.", data, layout, 360)


def energy_figure(runs: list[Run]) -> Figure:
    """IT energy per output token of every run, idle and above idle."""
    names = [run.name for run in runs]
    data = []
    for slot, (label, key) in enumerate((("idle", "idle_energy_j"), ("above idle", "dynamic"))):
        values = []
        for run in runs:
            joules = run.summary["idle_energy_j"]
            joules = joules if key == "idle_energy_j" else run.summary["energy_j"] - joules
            values.append(joules / (run.summary["output_tokens"] or np.nan))
        data.append(
            {"type": "bar", "orientation": "h", "name": label, "x": rounded(values), "y": names, "meta": {"slot": slot}}
            | {"text": [number(v) for v in values], "hovertemplate": "%{x:.4~g} J"}
        )
    layout = {
        "barmode": "stack",
        "xaxis": {"title": {"text": "IT joules per output token"}, "rangemode": "tozero"},
        "yaxis": {"autorange": "reversed", "type": "category", "automargin": True},
    }
    return Figure("Energy by run", "", data, layout, 140 + 30 * len(runs))
