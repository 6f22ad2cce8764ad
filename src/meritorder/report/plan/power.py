"""Megawatts: the ramp, headroom of the sites, and what is stranded by which cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from meritorder.report.curves import rounded
from meritorder.report.figures import Figure
from meritorder.report.plan.words import Told, power_scale
from meritorder.report.tables import table
from meritorder.report.text import NONE, number, safe, watts

_PERIODS = {"type": "category", "automargin": True}


def ramp_figures(told: Told) -> list[Figure]:
    """Installed nameplate by supplier and by site, with what is deployable of it."""
    ramp, periods = told["ramp"], told["horizon"]["periods"]
    size, unit = power_scale(ramp["installed_w"])
    deployable = [sum(row) / size for row in told["stranded"]["deployable"]]
    line = _line("IT power that blocks, coolant and grid feed", periods, deployable, -1, unit)
    made = []
    for title, key in (("Installed power by supplier", "suppliers"), ("Installed power by site", "sites")):
        data = stack(periods, ramp[key], size, unit)
        note = "Nameplate of the systems in service. The line is what blocks, coolant and grid feed in the design hour."
        made.append(Figure(title, note, [*data, line] if data else [], stacked(unit), 340))
    return made


def offers_figure(told: Told) -> Figure:
    """Installed nameplate by offer."""
    ramp, periods = told["ramp"], told["horizon"]["periods"]
    size, unit = power_scale(ramp["installed_w"])
    named = {f"{name} ({ramp['supplier_of'][name]})": values for name, values in ramp["offers"].items()}
    note = "Nameplate of the systems in service."
    return Figure("Installed power by offer", note, stack(periods, named, size, unit), stacked(unit), 340)


def stack(
    periods: Sequence[str], groups: Mapping[str, Sequence[float]], size: float, unit: str
) -> list[dict[str, Any]]:
    """A bar a period in parts; groups that are nothing throughout are left out."""
    return [
        {"type": "bar", "name": name, "x": list(periods), "y": rounded([v / size for v in values])}
        | {"meta": {"slot": slot}, "hovertemplate": f"%{{y:.4~g}} {unit}"}
        for slot, (name, values) in enumerate(groups.items())
        if any(values)
    ]


def stacked(unit: str, title: str = "") -> dict[str, Any]:
    """The layout of such bars."""
    return {
        "barmode": "relative",
        "bargap": 0.12,
        "xaxis": dict(_PERIODS),
        "yaxis": {"title": {"text": title or unit}, "rangemode": "tozero"},
    }


def _line(name: str, periods: Sequence[str], values: Sequence[float | None], slot: int, unit: str) -> dict[str, Any]:
    known = rounded([float("nan") if value is None else value for value in values])
    return {"type": "scatter", "mode": "lines+markers", "name": name, "x": list(periods), "y": known} | {
        "meta": {"slot": slot},
        "hovertemplate": f"%{{y:.4~g}} {unit}",
    }


_LIMITS = {
    "blocks_w": "power of the blocks",
    "cooled_w": "cooled, least hour",
    "it_w": "IT drawn, most",
    "grid_w": "grid limit",
    "facility_w": "facility drawn, most",
}


def headroom_figures(told: Told) -> list[Figure]:
    """A figure a site that is built on: what it has, and what is drawn of it."""
    periods, made = told["horizon"]["periods"], []
    for site, rows in told["headroom"].items():
        if not any(rows["nameplate_w"]):
            continue
        size, unit = power_scale([v for key in _LIMITS for v in rows[key]])
        data = [
            _line(label, periods, [None if v is None else v / size for v in rows[key]], slot, unit)
            for slot, (key, label) in enumerate(_LIMITS.items())
            if any(v is not None for v in rows[key])
        ]
        layout = {"xaxis": dict(_PERIODS), "yaxis": {"title": {"text": unit}, "rangemode": "tozero"}}
        made.append(
            Figure(f"Power and cooling of {site}", "Most over the hours and scenarios of a period.", data, layout, 320)
        )
    return made


def headroom_table(told: Told) -> str:
    """What is left at each site in the last period."""
    rows = []
    for site, found in told["headroom"].items():
        last = {key: values[-1] for key, values in found.items()}
        if not last["blocks_w"]:
            continue
        rows.append(
            [
                safe(site),
                watts(last["nameplate_w"]),
                watts(last["blocks_w"]),
                watts(last["it_w"]),
                _left(last["it_w"], last["blocks_w"]),
                _left(last["it_w"], last["cooled_w"]),
                watts(last["facility_w"]),
                watts(last["grid_w"]) if last["grid_w"] is not None else "no limit",
                _left(last["facility_w"], last["grid_w"]),
            ]
        )
    columns = ["Site", ">Nameplate", ">IT power of blocks", ">IT power drawn", ">Power left", ">Cooling left"]
    columns += [">Facility power", ">Grid limit", ">Grid left"]
    return table(f"At the end, {told['horizon']['periods'][-1]}", columns, rows) if rows else ""


def _left(used: float, limit: float | None) -> str:
    if not limit:
        return NONE
    return f"{100 * (1 - used / limit):.1f}%"


def stranded_figures(told: Told) -> list[Figure]:
    """Where the blocks' power and the machines' nameplate go, all sites together."""
    periods, made = told["horizon"]["periods"], []
    for key, title in (("power", "Power of the blocks, by use"), ("machines", "Nameplate of the machines, by use")):
        account = told["stranded"][key]
        groups = {
            part: [sum(sites) for sites in watts_of]
            for part, watts_of in zip(account["parts"], account["watts"], strict=True)
        }
        size, unit = power_scale([sum(sites) for sites in account["total"]])
        note = "Design hour, mean over the scenarios; what is neither used nor reserve is stranded."
        made.append(Figure(title, note, stack(periods, groups, size, unit), stacked(unit), 340))
    return made


def stranded_table(told: Told) -> str:
    """The parts with their meaning and their share at the end."""
    rows = []
    for key, label in (("power", "blocks"), ("machines", "machines")):
        account = told["stranded"][key]
        total = sum(account["total"][-1])
        for part, words, values in zip(account["parts"], account["words"], account["watts"], strict=True):
            amount = sum(values[-1])
            if amount > 0.0005 * total:
                rows.append([safe(part), label, safe(words), watts(amount), f"{number(100 * amount / total)}%"])
    return table(f"At the end, {told['horizon']['periods'][-1]}", ["Part", "Of", "Meaning", ">Power", ">Share"], rows)
