"""Cash flow: what is paid in each period, not discounted, expected over the scenarios; by cause."""

from __future__ import annotations

import numpy as np

from meritorder.plan.costs import grown
from meritorder.plan.instance import Floats, Instance
from meritorder.plan.outcome import Build, Costs, Plan

# The column of each cause, in the order of a waterfall.
CAUSES = (
    *("systems", "upkeep", "blocks", "rent", "opening", "batteries"),
    *("energy", "carbon", "metered", "untaken"),
)


def cash_flow(instance: Instance, plan: Plan) -> dict[str, Floats]:
    """USD [T] by cause (`CAUSES`), and apart from them `unmet`: the penalty for demand not served, which nobody pays.

    Systems, blocks and batteries when they come; systems not taken when they were due. What standing systems cost to
    keep is in it; what was paid for them is not.
    """
    probability = instance.demand.probability
    paid = {name: np.zeros(len(instance.years)) for name in (*CAUSES, "unmet")}
    for weight, build in zip(probability, plan.builds, strict=True):
        for name, value in _built(instance, build).items():
            paid[name] = paid[name] + weight * value
    for name, value in running(plan.costs).items():
        paid[name] = (value @ probability) / instance.discount
    return paid


def _built(instance: Instance, build: Build) -> dict[str, Floats]:
    """What a build costs in each period [T], USD not discounted."""
    money = instance.money
    new = grown(build.blocks - instance.ground.block_standing)
    due = np.argmax(instance.stock.take >= instance.stock.take.max(axis=0), axis=0)  # [H] when the last was due
    untaken = np.zeros(len(instance.years))
    np.add.at(untaken, due, build.untaken * instance.stock.take_usd / instance.discount[due])
    bought = build.delivered.sum(axis=1) - build.option
    return {
        "systems": (bought * money.system_cash + build.option * money.option_cash).sum(axis=1),
        "upkeep": (build.systems * money.upkeep_cash).sum(axis=(1, 2)),
        "blocks": (new * money.block_cash).sum(axis=1),
        "rent": (build.blocks * money.rent_cash).sum(axis=1),
        "opening": (np.maximum(grown(build.open), 0.0) * money.open_cash).sum(axis=1),
        "batteries": (grown(build.battery_j) * money.battery_cash).sum(axis=1),
        "untaken": untaken,
    }


def running(costs: Costs) -> dict[str, Floats]:
    """What running costs by cause, discounted [T,J]."""
    return {"energy": costs.energy, "carbon": costs.carbon, "metered": costs.metered, "unmet": costs.unmet}


def expected_costs(instance: Instance, costs: Costs) -> dict[str, float]:
    """USD over the horizon, discounted, expected over the scenarios, by cause; `unmet` is the penalty."""
    built = {
        "systems": costs.systems,
        "blocks": costs.blocks,
        "opening": costs.opening,
        "batteries": costs.batteries,
        "untaken": costs.untaken[None, :],
    }
    probability = instance.demand.probability
    return {name: float((value @ probability).sum()) for name, value in (built | running(costs)).items()}
