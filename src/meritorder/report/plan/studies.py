"""What else was asked of the plan: sensitivities, prices of limits, alternatives, regret, value of waiting."""

from __future__ import annotations

from typing import Any

from meritorder.report.curves import rounded
from meritorder.report.figures import Figure
from meritorder.report.plan.words import Told, money_scale, usd
from meritorder.report.tables import table
from meritorder.report.text import NONE, count, number, safe, share

_MOST_BARS = 14
_LEAST_USD = 0.01


def tornado_figure(told: Told) -> Figure:
    """How far the cost moves with each uncertain figure."""
    found = told["studies"]["tornado"]
    bars = found["bars"][:_MOST_BARS] if found else []
    size, unit = money_scale([end for bar in bars for end in bar["usd"]])
    names = [f"{bar['name']} ({bar['low']} to {bar['high']})" for bar in bars]
    data = [
        {"type": "bar", "orientation": "h", "name": label, "y": names, "meta": {"slot": slot}}
        | {"x": rounded([float("nan") if bar["usd"][end] is None else bar["usd"][end] / size for bar in bars])}
        | {"hovertemplate": f"%{{x:+.4~g}} {unit}"}
        for end, (label, slot) in enumerate((("at its low end", 2), ("at its high end", 1)))
        if bars
    ]
    layout = {
        "barmode": "overlay",
        "xaxis": {"title": {"text": f"change of the cost, {unit}"}, "zeroline": True},
        "yaxis": {"autorange": "reversed", "type": "category", "automargin": True},
    }
    note = f"One figure at a time, all others at their best. How: {found['how']}." if found else ""
    return Figure("Change of the expected cost", note, data, layout, 150 + 30 * len(bars))


def tornado_gaps(told: Told) -> str:
    """Ends at which there is no plan."""
    found = told["studies"]["tornado"]
    lines = [
        f"{bar['name']} at {bar[side]}"
        for bar in (found["bars"] if found else ())
        for end, side in enumerate(("low", "high"))
        if bar["usd"][end] is None
    ]
    return f"No plan at all with {'; '.join(lines)}." if lines else ""


def prices_table(told: Told) -> str:
    """What one more unit of a limit that binds is worth."""
    found = told["studies"]["prices"]
    rows = [
        [
            safe(row["limit"]),
            safe(row["name"]),
            safe(row["period"]),
            f"{usd(row['usd'])} {safe(row['unit'].removeprefix('USD'))}".replace(" /", "/"),
            NONE if row["more"] is None else usd(row["more"]),
            NONE if row["less"] is None else usd(row["less"]),
        ]
        for row in found["limits"]
    ]
    columns = ["Limit", "Of", "Period", ">Worth of one more", ">The next unit saves", ">A unit less costs"]
    return table("Limits that bind, money of the period", columns, rows) if rows else ""


def slo_table(told: Told) -> str:
    """What a millisecond of the service level costs: a row a service."""
    found: dict[str, list[tuple[float, str]]] = {}
    for row in told["studies"]["prices"]["slo"]:
        if row["usd_per_ms"] is not None:
            found.setdefault(row["service"], []).append((row["usd_per_ms"], row["period"]))
    rows = []
    for service, prices in found.items():
        total, (most, period) = sum(each for each, _ in prices), max(prices)
        if total >= _LEAST_USD:
            rows.append([safe(service), usd(total), f"{usd(most)} <small>{safe(period)}</small>"])
    caption = "What a millisecond more to the first token would save, not discounted"
    return table(caption, ["Service", ">USD per ms over the horizon", ">Most in a period"], rows) if rows else ""


def alternatives_table(told: Told) -> str:
    """Plans that cost little more."""
    found = told["studies"]["alternatives"]
    names = list(found["plans"][0]["figures"]) if found["plans"] else []
    rows = [
        [
            safe(plan["aim"]) + ("" if plan["proven"] else " <small>best that was found</small>"),
            usd(plan["cost_usd"]),
            "" if index == 0 else f"{100 * plan['more']:+.2f}%",
            *(_figure(name, plan["figures"].get(name)) for name in names),
        ]
        for index, plan in enumerate(found["plans"])
    ]
    risky = " with risk" if told["cost"]["aversion"] else ""
    columns = ["Aim", f">Cost{risky}", ">More", *(f">{name.replace('_', ' ')}" for name in names)]
    return table(f"Within {share(found['slack'])} of the least cost", columns, rows)


def _figure(name: str, value: float | None) -> str:
    if value is None:
        return NONE
    if name.startswith("share"):
        return share(value)
    return count(value) if value == round(value) else number(value)


def regret_table(told: Told) -> str:
    """What it costs not to know which scenario comes."""
    found = told["studies"]["regret"]
    columns = ["Scenario", ">Probability", ">Cost of the plan", ">Least, had it been known", ">Regret"]
    keys = ("scenarios", "probability", "cost", "foresight", "regret")
    rows = [
        [safe(name), share(chance), usd(cost), usd(least), usd(regret)]
        for name, chance, cost, least, regret in zip(*(found[key] for key in keys), strict=True)
    ]
    return table("Discounted, penalties for unmet demand counted", columns, rows)


def regret_line(told: Told) -> str:
    """Value of perfect information and of the stochastic solution."""
    found = told["studies"]["regret"]
    know = f"Knowing the scenario beforehand would be worth {usd(found['perfect_information'])}."
    value = found["stochastic_solution"]
    if value is None:
        return f"{know} A plan for the mean demand fails to serve what must be served in some scenario."
    return f"{know} Planning for all scenarios rather than for the mean demand saves {usd(value)}."


def values_table(told: Told) -> str:
    """Value of waiting and of flexibility."""
    rows = [
        [safe(row["name"]), safe(row["words"]), _worth(row), safe(row["how"])]
        for row in told["studies"]["values"]["values"]
    ]
    return table("What abilities are worth", ["Ability", "Meaning", ">Worth", "How it was found"], rows) if rows else ""


def _worth(row: dict[str, Any]) -> str:
    if row["usd"] is None:
        return "no plan without it"
    return usd(row["usd"]) + ("" if row["share"] is None else f" <small>{share(row['share'])} of the cost</small>")
