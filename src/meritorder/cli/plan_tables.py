"""The tables of `merit plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meritorder.cli.output import results, table

if TYPE_CHECKING:
    from meritorder.plan.studies.findings import Conflict

_MOST_ORDERS = 40
_MOST_PRICES = 12


def print_plan(told: dict[str, Any]) -> None:
    """The verdict in words, then schedule, ramp, services, what binds and the proof."""
    from rich.text import Text

    from meritorder.report.plan.verdict import headline

    out, verdict = results(), headline(told)
    sign, style = ("✓", "bold green") if verdict.good else ("✗", "bold red")
    out.print(Text(f"{sign} {verdict.title}", style=style), soft_wrap=True)
    for line in verdict.lines:
        out.print(Text(f"  {line}"), soft_wrap=True)
    out.print()
    shown = [_schedule(told), _ramp(told), _services(told)]
    if told["studies"]["prices"] and told["studies"]["prices"]["limits"]:
        shown.append(_prices(told))
    for each in shown:
        out.print(each)
        out.print()


def print_conflict(conflict: Conflict) -> None:
    """Why there is no plan."""
    from rich.text import Text

    results().print(Text("✗ No plan keeps all limits", style="bold red"))
    results().print(Text(conflict.words), soft_wrap=True)


def _schedule(told: dict[str, Any]) -> Any:
    from meritorder.report.plan.words import usd
    from meritorder.report.text import count, watts

    orders = told["schedule"]
    left = len(orders) - _MOST_ORDERS
    title = f"orders, the first {_MOST_ORDERS} of {len(orders)}" if left > 0 else "orders"
    result = table(title, ("delivery", "order", "site", "what", ">count", ">power", ">due", "scenario"))
    for order in orders[:_MOST_ORDERS]:
        name = {"systems": order["what"], "blocks": f"block {order['what']}"}.get(order["kind"], order["kind"])
        counted = order["kind"] in ("systems", "blocks")
        result.add_row(
            order["delivered"],
            order["ordered"],
            order["site"],
            name,
            count(order["count"]) if counted else "",
            watts(order["power_w"]) if order["power_w"] else "",
            usd(order["cash_usd"]),
            order["scenario"],
        )
    return result


def _ramp(told: dict[str, Any]) -> Any:
    from meritorder.report.plan.words import usd
    from meritorder.report.text import watts

    ramp, stranded, cash = told["ramp"], told["stranded"], told["cash_usd"]
    suppliers = [name for name, values in ramp["suppliers"].items() if any(values)]
    columns = ("period", ">installed", ">deployable", *(f">{name}" for name in suppliers), ">paid in it", ">USD/Mtok")
    result = table("power in service, cash, average cost of a million output tokens", columns)
    whole = {
        row["period"]: row["usd_per_mtok"] for row in told["unit_costs"] if not row["service"] and not row["system"]
    }
    for t, period in enumerate(told["horizon"]["periods"]):
        paid = sum(values[t] for name, values in cash.items() if name != "unmet")
        average = whole.get(period)
        result.add_row(
            period,
            watts(ramp["installed_w"][t]),
            watts(sum(stranded["deployable"][t])),
            *(watts(ramp["suppliers"][name][t]) for name in suppliers),
            usd(paid),
            "" if average is None else f"{average:.3g}",
        )
    return result


def _services(told: dict[str, Any]) -> Any:
    from meritorder.report.text import NONE, number, share

    last = told["horizon"]["periods"][-1]
    prices = told["studies"]["prices"] or {"marginal": []}
    marginal = {row["service"]: row["usd_per_mtok"] for row in prices["marginal"] if row["period"] == last}
    average = {
        row["service"]: row["usd_per_mtok"] for row in told["unit_costs"] if row["period"] == last and not row["system"]
    }
    columns = ("service", ">demand, lowest", ">highest", ">capacity", ">unserved", ">USD/Mtok", ">marginal")
    result = table(f"services in the busiest hour of {last}; unserved over the horizon", columns)
    for name, row in told["services"].items():
        demand = [values[-1] for values in row["demand_tok_s"].values()]
        missed = row["unmet_share_expected"]
        costs = (number(found.get(name)) for found in (average, marginal))
        rates = (number(value, "tok/s") for value in (min(demand), max(demand), row["capacity_tok_s"][-1]))
        result.add_row(name, *rates, share(missed) if missed > 5e-5 else NONE, *costs)
    return result


def _prices(told: dict[str, Any]) -> Any:
    from meritorder.report.plan.words import usd

    limits = told["studies"]["prices"]["limits"]
    result = table("what binds: worth of one more", ("limit", "of", "period", ">worth"))
    for row in limits[:_MOST_PRICES]:
        result.add_row(row["limit"], row["name"], row["period"], f"{usd(row['usd'])}{row['unit'].removeprefix('USD')}")
    return result
