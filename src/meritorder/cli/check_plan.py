"""What `merit check` says of a plan: horizon, demand, what can be had and where it can stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from meritorder.fleet.document import Document
    from meritorder.fleet.plan.offers import Offer
    from meritorder.fleet.plan.plan import Plan
    from meritorder.fleet.schema import Fleet
    from meritorder.plan.demand import DemandTable
    from meritorder.plan.demand.history import Fit


def plan_facts(fleet: Fleet, document: Document) -> dict[str, Any]:
    """All that is said, SI units, USD. Raises InputError where files of demand are wrong."""
    from meritorder.cli.fleets import located
    from meritorder.plan import horizon
    from meritorder.plan.demand import demand_of

    plan = fleet.plan
    assert plan is not None, "a fleet with a plan"
    with located(document):
        demand = demand_of(fleet)
    span = horizon.of(plan)
    return {
        "horizon": {
            "periods": list(span.names),
            "months_per_period": len(span.months[0]),
            "discount_rate": plan.horizon.discount_rate,
            "hours": plan.horizon.hours,
        },
        "scenarios": dict(zip(demand.scenarios, demand.probability.tolist(), strict=True)),
        "demand": {name: _service_facts(name, plan, demand) for name in demand.services},
        "offers": {name: _offer_facts(offer, fleet) for name, offer in plan.offers.items()},
        "apis": {name: api.model_dump() for name, api in plan.apis.items()},
        "sites": {name: _site_facts(name, plan) for name in plan.sites},
        "contracts": {name: contract.model_dump() for name, contract in plan.contracts.items()},
        "policy": plan.policy.model_dump(),
    }


def check_plan(fleet: Fleet, facts: Mapping[str, Any], document: Document, *, as_json: bool, report: str) -> None:
    """`merit check` of a fleet that has no pools yet. Raises InputError where halls are to be drawn."""
    from rich.text import Text

    from meritorder.cli.output import print_json, results
    from meritorder.problems import InputError

    if report:
        raise InputError(document.problem((), "has no pools, only a plan: no halls to draw", "leave out --report"))
    if as_json:
        print_json({"fleet": fleet.name, "plan": facts})
        return
    results().print(Text(f"{fleet.name}: no machines yet, only a plan (`merit plan`)\n"))
    print_plan(facts)


def _service_facts(name: str, plan: Plan, demand: DemandTable) -> dict[str, Any]:
    rows = [index for index, (service, _) in enumerate(demand.classes) if service == name]
    monthly = demand.monthly[:, rows].sum(axis=1)  # [months,J]
    design = demand.requests[:, rows, -1].sum(axis=1)  # [T,J]
    sizes, fit = demand.sizes[name], demand.fits.get(name)
    return {
        "regions": [demand.classes[row][1] for row in rows],
        "traffic": sizes.source,
        "prompt_tokens": sizes.prompt_tokens,
        "output_tokens": sizes.output_tokens,
        "first_month_per_s": float(monthly[0] @ demand.probability),
        "last_month_per_s": dict(zip(demand.scenarios, monthly[-1].tolist(), strict=True)),
        "design_hour_per_s": dict(zip(demand.scenarios, design[-1].tolist(), strict=True)),
        "must_serve": plan.demand[name].unmet_usd_per_mtok is None,
        "warnings": list(sizes.warnings),
        "fit": None if fit is None else _fit_facts(fit),
    }


def _fit_facts(fit: Fit) -> dict[str, Any]:
    return {
        "months": fit.months,
        "first": fit.first,
        "last": fit.last,
        "models": fit.models,
        "aicc": fit.aicc,
        "per_year": dict(zip(("low", "best", "high"), fit.per_year, strict=True)),
        "error": fit.error,
        "inside": fit.inside,
        "tried": fit.tried,
    }


def _offer_facts(offer: Offer, fleet: Fleet) -> dict[str, Any]:
    from meritorder.fleet.plan.stands import blocks_for, coolant_of, supplier_of

    assert fleet.plan is not None
    machine = fleet.accelerators[offer.accelerator]
    coolant = coolant_of(offer, machine)
    grounds = {name: ground for name, ground in fleet.plan.sites.items() if offer.sites is None or name in offer.sites}
    return {
        "accelerator": offer.accelerator,
        "chips": offer.chips,
        "supplier": supplier_of(offer, machine),
        "coolant": coolant,
        "power_w": machine.max * offer.chips if offer.power is None else offer.power,
        "models": list(offer.runs),
        "usd": None if offer.price is None else offer.price.model_dump(),
        "usd_per_month": None if offer.rent_per_month is None else offer.rent_per_month.model_dump(),
        "lead_months": offer.lead,
        "supply_per_quarter": offer.supply,
        "standing": dict(offer.standing),
        "sites": [name for name, ground in grounds.items() if blocks_for(ground, coolant)],
    }


def _site_facts(name: str, plan: Plan) -> dict[str, Any]:
    ground = plan.sites[name]
    blocks = {kind: block.model_dump() for kind, block in ground.blocks.items()}
    return {
        "blocks": blocks,
        "grid_w": ground.grid,
        "standing_w": sum(block.power * block.standing for block in ground.blocks.values()),
        "most_w": sum(block.power * block.most for block in ground.blocks.values()),
    }


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


def _between(values: Any) -> str:
    low, high = min(values), max(values)
    return f"{low:,.4g}" if low == high else f"{low:,.4g} to {high:,.4g}"


def _months(number: float) -> str:
    return f"{number:g} month{'' if number == 1 else 's'}"


def _usd(low: float, high: float) -> str:
    from meritorder.units import show

    return show(low, "USD", 3) if low == high else f"{show(low, 'USD', 3)} to {show(high, 'USD', 3)}"
