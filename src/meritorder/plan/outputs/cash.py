"""Cash flow: what is paid in each period, not discounted, expected over the scenarios; by cause."""

from __future__ import annotations

import numpy as np

from meritorder.fleet.plan.offers import Offer
from meritorder.fleet.plan.plan import Plan as Asked
from meritorder.plan.instance import Floats, Instance
from meritorder.plan.outcome import Costs, Plan
from meritorder.plan.outputs.orders import battery_price

# The column of each cause, in the order of a waterfall.
CAUSES = (
    *("systems", "upkeep", "blocks", "rent", "opening", "batteries"),
    *("energy", "carbon", "metered", "untaken"),
)


def cash_flow(asked: Asked, instance: Instance, plan: Plan) -> dict[str, Floats]:
    """USD [T] by cause (`CAUSES`), and apart from them `unmet`: the penalty for demand not served, which nobody pays.

    Systems, blocks and batteries when they come; systems not taken at the end. What standing systems cost to keep is
    in it; what was paid for them is not.
    """
    money, ground = instance.money, instance.ground
    probability = instance.demand.probability
    paid = dict.fromkeys((*CAUSES, "unmet"), np.zeros(len(instance.years)))
    for weight, build in zip(probability, plan.builds, strict=True):
        bought = build.blocks - ground.block_standing
        new = np.diff(bought, axis=0, prepend=np.zeros((1, bought.shape[1])))
        opened = np.diff(build.open.astype(float), axis=0, prepend=np.zeros((1, build.open.shape[1])))
        energy = np.diff(build.battery_j, axis=0, prepend=np.zeros((1, build.battery_j.shape[1])))
        premium = np.array([offer.option.premium if offer.option else 1.0 for offer in offers_of(asked, instance)])
        systems = build.delivered.sum(axis=1) + (premium - 1.0) * build.option
        untaken = np.zeros(len(instance.years))
        untaken[-1] = (build.untaken * money.system_cash[-1]).sum()
        parts = {
            "systems": (systems * money.system_cash).sum(axis=1),
            "upkeep": (build.systems * money.upkeep_cash).sum(axis=(1, 2)),
            "blocks": (new * money.block_cash).sum(axis=1),
            "rent": (build.blocks * money.rent_cash).sum(axis=1),
            "opening": (np.maximum(opened, 0.0) * money.open_cash).sum(axis=1),
            "batteries": energy @ np.array([battery_price(asked, site) for site in instance.names.sites]),
            "untaken": untaken,
        }
        for name, value in parts.items():
            paid[name] = paid[name] + weight * value
    for name, value in running(plan.costs).items():
        paid[name] = (value @ probability) / instance.discount
    return paid


def offers_of(asked: Asked, instance: Instance) -> list[Offer]:
    """The offers in the order of the instance's systems."""
    return [asked.offers[name] for name in instance.names.systems]


def running(costs: Costs) -> dict[str, Floats]:
    """What running costs by cause, discounted [T,J]."""
    return {"energy": costs.energy, "carbon": costs.carbon, "metered": costs.metered, "unmet": costs.unmet}


def expected_costs(instance: Instance, costs: Costs) -> dict[str, float]:
    """USD over the horizon, discounted, expected over the scenarios, by cause; `unmet` is the penalty."""
    built = {
        "systems": float(costs.systems.sum()),
        "blocks": float(costs.blocks.sum()),
        "opening": float(costs.opening.sum()),
        "batteries": float(costs.batteries.sum()),
        "untaken": costs.untaken,
    }
    run = {name: float((value @ instance.demand.probability).sum()) for name, value in running(costs).items()}
    return {**built, **run}
