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
        "offers": {name: _offer_facts(name, offer, fleet) for name, offer in plan.offers.items()},
        "apis": {name: api.model_dump() for name, api in plan.apis.items()},
        "sites": {name: _site_facts(name, plan) for name in plan.sites},
        "contracts": {name: contract.model_dump() for name, contract in plan.contracts.items()},
        "policy": plan.policy.model_dump(),
    }


def check_plan(fleet: Fleet, facts: Mapping[str, Any], document: Document, *, as_json: bool, report: str) -> None:
    """`merit check` of a fleet that has no pools yet. Raises InputError where halls are to be drawn."""
    from rich.text import Text

    from meritorder.cli.check_plan_tables import print_plan
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


def _offer_facts(name: str, offer: Offer, fleet: Fleet) -> dict[str, Any]:
    from meritorder.fleet.plan.stands import coolant_of, nameplate_of, supplier_of
    from meritorder.plan.systems import block_of

    assert fleet.plan is not None
    machine = fleet.accelerators[offer.accelerator]
    return {
        "accelerator": offer.accelerator,
        "chips": offer.chips,
        "supplier": supplier_of(offer, machine),
        "coolant": coolant_of(offer, machine),
        "power_w": nameplate_of(offer, machine),
        "models": list(offer.runs),
        "usd": None if offer.price is None else offer.price.model_dump(),
        "usd_per_month": None if offer.rent_per_month is None else offer.rent_per_month.model_dump(),
        "lead_months": offer.lead,
        "supply_per_quarter": offer.supply,
        "standing": dict(offer.standing),
        "sites": [site for site in fleet.plan.sites if block_of(fleet, site, name) is not None],
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
