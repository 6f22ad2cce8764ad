"""Costs: where the money goes, when it is paid, and what a million tokens costs."""

from __future__ import annotations

from typing import Any

from meritorder.report.curves import rounded
from meritorder.report.figures import Figure
from meritorder.report.plan.power import stack, stacked
from meritorder.report.plan.words import Told, money_scale, usd
from meritorder.report.tables import table
from meritorder.report.text import NONE, number, safe, share

CAUSES = {
    "systems": "systems",
    "upkeep": "upkeep and rent of systems",
    "blocks": "power blocks",
    "rent": "rent of blocks",
    "opening": "opening sites",
    "batteries": "batteries",
    "energy": "energy",
    "carbon": "carbon",
    "metered": "APIs and egress",
    "untaken": "take-or-pay not taken",
}
_PERIODS = {"type": "category", "automargin": True}


def waterfall_figure(told: Told) -> Figure:
    """What the plan costs, cause by cause up to the total."""
    causes = {name: value for name, value in told["cost"]["by_cause_usd"].items() if value}
    total = told["cost"]["expected_usd"]
    size, unit = money_scale([total])
    names, bases, heights, at = [], [], [], 0.0
    for name, value in causes.items():
        names.append(CAUSES[name])
        bases.append(at / size)
        heights.append(value / size)
        at += value
    step = {"type": "bar", "orientation": "h", "hovertemplate": f"%{{x:.4~g}} {unit}"}
    data = [
        step | {"name": "part", "y": names, "x": rounded(heights), "base": rounded(bases), "meta": {"slot": 0}},
        step
        | {"name": "all that is paid", "y": ["all that is paid"], "x": rounded([total / size]), "meta": {"slot": -1}},
    ]
    layout = {
        "barmode": "overlay",
        "showlegend": False,
        "xaxis": {"title": {"text": f"{unit}, discounted"}, "rangemode": "tozero"},
        "yaxis": {"autorange": "reversed", "type": "category", "automargin": True},
    }
    note = "Expected over the scenarios, discounted; capital only as far as it is used within the horizon."
    return Figure("What it costs", note, data, layout, 140 + 34 * (len(names) + 1))


def cash_figure(told: Told) -> Figure:
    """What is paid in each period."""
    paid = {CAUSES[name]: values for name, values in told["cash_usd"].items() if name in CAUSES}
    totals = [sum(values) for values in zip(*paid.values(), strict=True)]
    size, unit = money_scale(totals)
    note = "Not discounted, expected over the scenarios. Systems, blocks and batteries are paid when they come."
    data = stack(told["horizon"]["periods"], paid, size, unit)
    return Figure("Cash flow", note, data, stacked(unit, f"{unit} in the period"), 360)


def penalty_line(told: Told) -> str:
    """The penalty for unmet demand, said apart: nobody pays it."""
    penalty = told["cost"]["penalty_usd"]
    if not penalty:
        return ""
    return (
        f"Not in these costs: {usd(penalty)} of penalty for demand that is not served. It is a figure of the fleet "
        "file that tells the optimisation what serving is worth; nobody pays it."
    )


def scenario_table(told: Told) -> str:
    """What each scenario costs, and what of its demand stays unserved."""
    services = told["services"]
    rows = [
        [
            safe(name),
            share(found["probability"]),
            usd(found["paid_usd"]),
            usd(found["penalty_usd"]) if found["penalty_usd"] else NONE,
            ", ".join(
                f"{safe(service)} {share(row['unmet_share'][name])}"
                for service, row in services.items()
                if row["unmet_share"][name] > 5e-5
            )
            or "all served",
        ]
        for name, found in told["cost"]["scenarios"].items()
    ]
    columns = ["Scenario", ">Probability", ">Cost", ">Penalty, not paid", "Requests not served"]
    return table("Discounted over the horizon", columns, rows)


def unit_cost_figure(told: Told) -> Figure:
    """Average cost of a million output tokens by service and period, and the marginal one."""
    periods, data = told["horizon"]["periods"], []
    prices = told["studies"]["prices"] or {"marginal": []}
    for slot, service in enumerate(told["services"]):
        average = {row["period"]: row["usd_per_mtok"] for row in told["unit_costs"] if _whole(row, service)}
        data.append(_curve(f"{service}, average", "lines+markers", periods, average, slot))
        marginal = {
            row["period"]: row["usd_per_mtok"]
            for row in prices["marginal"]
            if row["service"] == service and row["usd_per_mtok"] is not None
        }
        if marginal:
            data.append(_curve(f"{service}, marginal", "lines", periods, marginal, slot))
    layout = {
        "xaxis": dict(_PERIODS),
        "yaxis": {"title": {"text": "USD per million output tokens"}, "rangemode": "tozero"},
    }
    note = "Average: all costs of the period. Marginal: what one more token costs, the systems for it included."
    return Figure("Cost of a million output tokens, by service", note, data, layout, 360)


def _whole(row: dict[str, Any], service: str) -> bool:
    return bool(row["service"] == service and row["system"] == "" and row["usd_per_mtok"] is not None)


def _curve(name: str, mode: str, periods: list[str], values: dict[str, float], slot: int) -> dict[str, Any]:
    known = rounded([values.get(period, float("nan")) for period in periods])
    return {"type": "scatter", "mode": mode, "name": name, "x": periods, "y": known, "meta": {"slot": slot}} | {
        "hovertemplate": "%{y:.3~g} USD"
    }


def unit_cost_table(told: Told) -> str:
    """Average cost by service and by what serves it, in the last period."""
    last = told["horizon"]["periods"][-1]
    rows = []
    for row in told["unit_costs"]:
        if row["period"] != last or not row["mtok"]:
            continue
        parts = ", ".join(f"{safe(name)} {number(value)}" for name, value in row["parts"].items() if value > 5e-4)
        rows.append(
            [
                safe(row["service"] or "all services"),
                safe(row["system"] or "all"),
                f"{row['mtok']:,.0f}",
                number(row["usd_per_mtok"], "USD"),
                parts,
            ]
        )
    columns = ["Service", "Served by", ">Million output tokens", ">Average cost", "Of which (USD)"]
    return table(f"Cost of a million output tokens in {last}", columns, rows)
