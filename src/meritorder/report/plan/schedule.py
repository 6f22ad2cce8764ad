"""The build schedule as a table."""

from __future__ import annotations

from typing import Any

from meritorder.report.plan.words import Told, usd
from meritorder.report.tables import table
from meritorder.report.text import NONE, count, energy, safe, watts

_WHAT = {"systems": "", "blocks": "power block ", "battery": "battery", "opening": "site is opened"}


def schedule_table(told: Told) -> str:
    """Every order."""
    several = any(row["scenario"] != "all" for row in told["schedule"])
    rows = [_row(order, several) for order in told["schedule"]]
    columns = ["Deliver", "Order", "Site", "What", ">Count", ">Power", ">Due"]
    columns += ["Scenario"] if several else []
    return table(f"{len(rows)} orders", columns, rows)


def _row(order: dict[str, Any], several: bool) -> list[str]:
    supplier = f" <small>{safe(order['supplier'])}</small>" if order["supplier"] else ""
    kind = order["kind"]
    name = order["what"] if kind in ("systems", "blocks") else ""
    size = watts(order["power_w"]) if order["power_w"] else NONE
    if order["energy_j"]:
        size += f" <small>{energy(order['energy_j'])}</small>"
    optional = f" <small>{count(order['option'])} by option</small>" if order["option"] else ""
    cells = [
        safe(order["delivered"]),
        safe(order["ordered"]),
        safe(order["site"]),
        f"{_WHAT[kind]}{safe(name)}{supplier}",
        (count(order["count"]) + optional) if kind in ("systems", "blocks") else NONE,
        size,
        usd(order["cash_usd"]),
    ]
    return [*cells, safe(order["scenario"])] if several else cells
