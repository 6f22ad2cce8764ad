"""What `merit check` says of a plan, as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def print_plan(facts: Mapping[str, Any]) -> None:
    """Tables of what a plan asks."""
    from rich.text import Text

    from meritorder.cli.output import results

    out = results()
    span = facts["horizon"]
    periods, scenarios = span["periods"], facts["scenarios"]
    futures = ", ".join(f"{name} {share:.0%}" for name, share in scenarios.items())
    words = f"Plan: {len(periods)} periods from {periods[0]} to {periods[-1]}, {span['discount_rate']:.1%} a year"
    out.print(Text(f"{words}; scenarios: {futures}\n"), soft_wrap=True)
    out.print(_demand_table(facts["demand"]), "")
    for line in _fit_lines(facts["demand"]):
        out.print(Text(line), soft_wrap=True)
    for name, asked in facts["demand"].items():
        for warning in asked["warnings"]:
            out.print(Text(f"note: {name}: {warning}", style="dim"), soft_wrap=True)
    if facts["offers"]:
        out.print(_offers_table(facts["offers"]), "")
    if facts["apis"]:
        out.print(_apis_table(facts["apis"]), "")
    if facts["sites"]:
        out.print(_blocks_table(facts["sites"]), "")
    for line in (*_contract_lines(facts["contracts"]), *_survive_lines(facts["policy"]["survive"])):
        out.print(Text(line), soft_wrap=True)


def _demand_table(demand: Mapping[str, Mapping[str, Any]]) -> Any:
    from meritorder.cli.output import table

    columns = ("service", ">regions", ">tokens in", ">out", ">first month\nreq/s", ">last month\nreq/s")
    result = table("Demand", (*columns, ">its busiest\nhour", "not served"))
    for name, facts in demand.items():
        result.add_row(
            name,
            str(len(facts["regions"])),
            f"{facts['prompt_tokens']:,.0f}",
            f"{facts['output_tokens']:,.0f}",
            f"{facts['first_month_per_s']:,.4g}",
            _between(facts["last_month_per_s"].values()),
            _between(facts["design_hour_per_s"].values()),
            "never" if facts["must_serve"] else "at a loss",
        )
    return result


def _fit_lines(demand: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What the past of each service told."""
    lines = []
    for name, facts in demand.items():
        fit = facts["fit"]
        if fit is None:
            continue
        models = ", ".join(f"{model} {share:.0%}" for model, share in fit["models"].items() if share >= 0.005)
        grows = "x{low:.2f}, x{best:.2f}, x{high:.2f}".format(**fit["per_year"])
        kept = f"; of {fit['tried']} earlier forecasts {fit['inside']:.0%} were inside, median error {fit['error']:.0%}"
        past = f"{fit['months']} months to {fit['last']} ({models})"
        lines.append(f"{name}: by {past} it grows {grows} a year (10, 50, 90 %){kept if fit['tried'] else ''}\n")
    return lines


def _offers_table(offers: Mapping[str, Mapping[str, Any]]) -> Any:
    from meritorder.cli.output import table
    from meritorder.units import show

    columns = ("offer", "system", "supplier", "models", ">power", ">price", ">lead", ">a quarter", "coolant")
    result = table("Offers", columns)
    for name, facts in offers.items():
        price = facts["usd"] or facts["usd_per_month"]
        unit = "" if facts["usd"] else " a month"
        supply = facts["supply_per_quarter"]
        supplied = f"{supply:,}" if isinstance(supply, int) else _between(supply.values())
        result.add_row(
            name,
            f"{facts['chips']} x {facts['accelerator']}",
            facts["supplier"],
            ", ".join(facts["models"]),
            show(facts["power_w"], "W", 3),
            f"{_usd(price['low'], price['high'])}{unit}",
            _months(facts["lead_months"]),
            supplied,
            facts["coolant"],
        )
    return result


def _apis_table(apis: Mapping[str, Mapping[str, Any]]) -> Any:
    from meritorder.cli.output import table
    from meritorder.units import show

    result = table("Metered APIs", ("API", "supplier", "model", ">USD/Mtok in", ">out", ">TTFT", ">tok/s"))
    for name, facts in apis.items():
        prices = (f"{facts[key]:g}" for key in ("usd_per_mtok_prompt", "usd_per_mtok_output"))
        speed = (show(facts["ttft"], "s", 3), f"{facts['token_rate']:g}")
        result.add_row(name, facts["supplier"], facts["model"], *prices, *speed)
    return result


def _blocks_table(sites: Mapping[str, Mapping[str, Any]]) -> Any:
    from meritorder.cli.output import table
    from meritorder.units import show

    columns = ("site", "block", "coolant", ">IT power", ">standing", ">at most", ">lead", ">most IT\npower", ">grid")
    result = table("Sites to build on", columns)
    for name, facts in sites.items():
        grid = facts["grid_w"]
        steps = list(grid.values()) if isinstance(grid, dict) else [grid] * (grid is not None)
        for index, (kind, block) in enumerate(facts["blocks"].items()):
            result.add_row(
                "" if index else name,
                kind,
                block["coolant"],
                show(block["power"], "W", 3),
                f"{block['standing']:,}",
                f"{block['most']:,}",
                _months(block["lead"]),
                show(block["power"] * block["most"], "W", 3),
                "" if index else (f"to {show(max(steps), 'W', 3)}" if steps else "-"),
            )
    return result


def _contract_lines(contracts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What is owed or due."""
    from meritorder.units import show

    lines = []
    for name, facts in contracts.items():
        whose = ", ".join(facts["offers"] or ()) or facts["supplier"] or "all suppliers"
        measure = "IT" if facts["measure"] == "it" else "facility"
        steps = ", ".join(f"{show(watts, 'W', 3)} from {month}" for month, watts in facts["power"].items())
        lines.append(f"contract {name}: {facts['sense'].replace('-', ' ')} {steps} of {whose} ({measure} power)")
    return lines


def _survive_lines(survive: Mapping[str, Any]) -> list[str]:
    """What must be survived."""
    lost = {
        "site": "without any one site",
        "supplier": "without any one supplier",
        "late": "with all deliveries of any one offer late",
        "curtailment": "with all curtailments at once",
    }
    lines = []
    for kind, words in lost.items():
        if survive[kind]:
            shares = ", ".join(f"{share:.0%} of {name}" for name, share in survive[kind].items())
            lines.append(f"{words} ({survive['when']}): {shares}".replace("of default", "of the others"))
    return lines


def _between(values: Any) -> str:
    low, high = min(values), max(values)
    return f"{low:,.4g}" if low == high else f"{low:,.4g} to {high:,.4g}"


def _months(number: float) -> str:
    return f"{number:g} month{'' if number == 1 else 's'}"


def _usd(low: float, high: float) -> str:
    from meritorder.units import show

    return show(low, "USD", 3) if low == high else f"{show(low, 'USD', 3)} to {show(high, 'USD', 3)}"
