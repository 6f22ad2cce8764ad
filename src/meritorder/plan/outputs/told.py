"""`told`: a plan as plain data, for JSON, tables and the report. SI units; money in USD."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from meritorder import __version__
from meritorder.plan.outputs.assumptions import assumptions
from meritorder.plan.outputs.cash import cash_flow, expected_costs
from meritorder.plan.outputs.fan import fan
from meritorder.plan.outputs.power import by_supplier, headroom, installed

if TYPE_CHECKING:
    from meritorder.plan.planned import Planned


def told(planned: Planned) -> dict[str, Any]:
    """All of it. Lists over periods stand in the order of `horizon.periods`."""
    instance, plan = planned.instance, planned.plan
    return {
        "fleet": planned.fleet.name,
        "version": __version__,
        "seed": planned.seed,
        "continued_from": planned.before.as_of if planned.before else None,
        "horizon": _horizon(planned),
        "cost": _cost(planned),
        "schedule": [asdict(order) for order in planned.orders],
        "ramp": _ramp(planned),
        "headroom": _headroom(planned),
        "cash_usd": plain(cash_flow(instance, plan)),
        "services": _services(planned),
        "unit_costs": plain(planned.units.rows),
        "stranded": plain(planned.stranded),
        "studies": {name: plain(found) for name, found in vars(planned.studies).items()},
        "certificate": plain(planned.certificate),
        "contingencies": [{"name": loss.name, "kind": loss.kind} for loss in instance.contingencies],
        "assumptions": plain(assumptions(planned.fleet)),
        "size": {"columns": plan.columns, "rows": plan.rows, "hours": planned.hours},
        "seconds": planned.seconds,
    }


def plain(value: Any) -> Any:
    """Dataclasses, arrays and tuples as mappings, lists and numbers; NaN and infinity as None, builds left out."""
    if is_dataclass(value) and not isinstance(value, type):
        return {name: plain(part) for name, part in vars(value).items() if name != "build"}
    if isinstance(value, dict):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value


def _horizon(planned: Planned) -> dict[str, Any]:
    horizon = planned.horizon
    return {
        "periods": list(horizon.names),
        "starts": [months[0] for months in horizon.months],
        "end": horizon.months[-1][-1],
        "years": plain(horizon.years),
        "discount": plain(horizon.discount),
        "discount_rate": horizon.rate,
    }


def _cost(planned: Planned) -> dict[str, Any]:
    """What it costs, discounted; the penalty for unmet demand stands apart, it is in none of the others."""
    instance, plan = planned.instance, planned.plan
    demand = instance.demand
    by_cause = expected_costs(instance, plan.costs)
    penalty = by_cause.pop("unmet")
    unmet = plan.costs.unmet.sum(axis=0)
    return {
        "expected_usd": float(plan.costs.paid @ demand.probability),
        "penalty_usd": penalty,
        "by_cause_usd": by_cause,
        "scenarios": {
            name: {
                "probability": float(demand.probability[j]),
                "paid_usd": float(plan.costs.paid[j]),
                "penalty_usd": float(unmet[j]),
            }
            for j, name in enumerate(instance.names.scenarios)
        },
        "objective_usd": plan.objective,
        "bound_usd": plan.bound,
        "gap": plan.gap,
        "aversion": instance.policy.aversion,
        "tail": instance.policy.tail,
    }


def _ramp(planned: Planned) -> dict[str, Any]:
    """Nameplate in service at each period, W; of the median scenario's build where scenarios part."""
    instance, build = planned.instance, planned.plan.build
    power = installed(instance, build)
    names = instance.names
    return {
        "installed_w": plain(power.sum(axis=(1, 2))),
        "sites": {name: plain(power[:, s].sum(axis=1)) for s, name in enumerate(names.sites)},
        "suppliers": {name: plain(by_supplier(instance, build)[:, v]) for v, name in enumerate(names.suppliers)},
        "offers": {name: plain(power[:, :, h].sum(axis=1)) for h, name in enumerate(names.systems)},
        "systems": {
            site: {offer: plain(build.systems[:, s, h]) for h, offer in enumerate(names.systems)}
            for s, site in enumerate(names.sites)
        },
        "supplier_of": {name: names.suppliers[instance.stock.supplier[h]] for h, name in enumerate(names.systems)},
    }


def _headroom(planned: Planned) -> dict[str, Any]:
    """Of each site: IT power of its blocks, of its machines, what is cooled, facility power and the grid's limit; W."""
    found = headroom(planned.instance, planned.plan)
    return {
        site: {f"{name}_w": plain(values[:, s]) for name, values in vars(found).items()}
        for s, site in enumerate(planned.instance.names.sites)
    }


def _services(planned: Planned) -> dict[str, Any]:
    """Demand in the busiest hour and what could be served of it, tok/s; share of the horizon's requests not served."""
    instance = planned.instance
    found = fan(instance, planned.plan)
    names = instance.names
    probability = instance.demand.probability
    services = {}
    for p, name in enumerate(names.services):
        requests = float(found.requests[p] @ probability)
        missed = float((found.unmet[p] * found.requests[p]) @ probability)
        services[name] = {
            "demand_tok_s": {scenario: plain(found.demand[:, p, j]) for j, scenario in enumerate(names.scenarios)},
            "served_tok_s": {scenario: plain(found.served[:, p, j]) for j, scenario in enumerate(names.scenarios)},
            "capacity_tok_s": plain(found.capacity[:, p]),
            "unmet_share": {scenario: float(found.unmet[p, j]) for j, scenario in enumerate(names.scenarios)},
            "unmet_share_expected": missed / requests if requests else 0.0,
        }
    return services
