"""The tables of a plan's folder as rows, from what `told` tells. MW and USD, as spreadsheets want them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Row = dict[str, Any]
Told = Mapping[str, Any]

ORDER_COLUMNS: dict[str, type] = {
    "kind": str,
    "site": str,
    "what": str,
    "supplier": str,
    "ordered": str,
    "delivered": str,
    "period": str,
    "count": float,
    "of_option": float,
    "mw": float,
    "mwh": float,
    "usd": float,
    "scenario": str,
}


def order_rows(told: Told) -> list[Row]:
    """A row an order: months of order and delivery, price that falls due, not discounted."""
    return [
        {name: order[name] for name in ("kind", "site", "what", "supplier", "ordered", "delivered", "period")}
        | {"count": float(order["count"]), "of_option": float(order["option"]), "mw": order["power_w"] / 1e6}
        | {"mwh": order["energy_j"] / 3.6e9, "usd": float(order["cash_usd"]), "scenario": order["scenario"]}
        for order in told["schedule"]
    ]


def ramp_rows(told: Told) -> list[Row]:
    """A row a period, site and offer: systems and nameplate in service; and a row a period and site with `offer` empty.

    Those rows hold what is deployable there (IT power that blocks, coolant and grid feed in the design hour) and what
    of blocks' power and machines' nameplate goes where, a column a part.
    """
    ramp, stranded = told["ramp"], told["stranded"]
    parts = {
        f"{kind}_{part.replace(' ', '_')}_mw": stranded[kind]["watts"][index]
        for kind in ("power", "machines")
        for index, part in enumerate(stranded[kind]["parts"])
    }
    each = {offer: _nameplate(ramp, offer) for offer in ramp["offers"]}
    rows = []
    for t, period in enumerate(told["horizon"]["periods"]):
        for s, (site, systems) in enumerate(ramp["systems"].items()):
            whole = {"period": period, "site": site, "supplier": "", "offer": ""}
            rows.append(
                whole
                | {"systems": sum(values[t] for values in systems.values())}
                | {"installed_mw": ramp["sites"][site][t] / 1e6, "deployable_mw": stranded["deployable"][t][s] / 1e6}
                | {name: watts[t][s] / 1e6 for name, watts in parts.items()}
            )
            for offer, values in systems.items():
                if values[t]:
                    rows.append(
                        {"period": period, "site": site, "supplier": ramp["supplier_of"][offer], "offer": offer}
                        | {"systems": values[t], "installed_mw": values[t] * each[offer] / 1e6, "deployable_mw": ""}
                        | dict.fromkeys(parts, "")
                    )
    return rows


def _nameplate(ramp: Told, offer: str) -> float:
    """Watts of one system."""
    for t, watts in enumerate(ramp["offers"][offer]):
        count = sum(systems[offer][t] for systems in ramp["systems"].values())
        if count:
            return float(watts) / float(count)
    return 0.0


def cash_rows(told: Told) -> list[Row]:
    """A row a period: what is paid by cause, their total, and apart the penalty, which nobody pays. USD."""
    cash = told["cash_usd"]
    return [
        {"period": period}
        | {f"{name}_usd": values[t] for name, values in cash.items() if name != "unmet"}
        | {"total_usd": sum(values[t] for name, values in cash.items() if name != "unmet")}
        | {"unmet_penalty_usd": cash["unmet"][t]}
        for t, period in enumerate(told["horizon"]["periods"])
    ]


def cost_rows(told: Told) -> list[Row]:
    """A row a period, service and what serves it (`all`: together): USD per million output tokens, with its parts."""
    prices = told["studies"]["prices"] or {"marginal": []}
    marginal = {(row["service"], row["period"]): row["usd_per_mtok"] for row in prices["marginal"]}
    parts = list(dict.fromkeys(name for row in told["unit_costs"] for name in row["parts"]))
    return [
        {"period": row["period"], "service": row["service"] or "all", "served_by": row["system"] or "all"}
        | {"million_output_tokens": row["mtok"], "average_usd_per_mtok": row["usd_per_mtok"]}
        | {"marginal_usd_per_mtok": None if row["system"] else marginal.get((row["service"], row["period"]))}
        | {f"{name.replace(' ', '_')}_usd_per_mtok": row["parts"].get(name) for name in parts}
        for row in told["unit_costs"]
    ]


def regret_rows(told: Told) -> list[Row]:
    """A row a scenario, USD."""
    found = told["studies"]["regret"]
    columns = {"scenario": "scenarios", "probability": "probability", "cost_usd": "cost", "foresight_usd": "foresight"}
    columns |= {"regret_usd": "regret", "mean_plan_usd": "mean_plan"}
    return [{column: found[key][j] for column, key in columns.items()} for j in range(len(found["scenarios"]))]
