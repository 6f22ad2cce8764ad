"""What a build and its operation cost, from the arrays alone: no program, so that it checks the program's objective."""

from __future__ import annotations

import numpy as np

from meritorder.plan.instance import Bools, Floats, Instance
from meritorder.plan.outcome import Build, Costs, Operation


def costs_of(instance: Instance, builds: tuple[Build, ...], operation: Operation) -> Costs:
    """By scenario, USD, discounted."""
    stock, ground, demand = instance.stock, instance.ground, instance.demand
    delivered = np.stack([build.delivered.sum(axis=1) for build in builds], axis=1)  # [T,J,H]
    option = np.stack([build.option for build in builds], axis=1)
    blocks = np.stack([build.blocks for build in builds], axis=1) - ground.block_standing[:, None]
    opened = np.stack([build.open for build in builds], axis=1).astype(float)
    battery = np.stack([build.battery_j for build in builds], axis=1)
    untaken = np.stack([build.untaken for build in builds])
    lasts = demand.seconds * instance.discount[:, None]  # [T,R]
    energy = np.einsum("trjs,tsr,tr->tj", operation.grid_w, ground.usd_per_j, lasts) * demand.power_price
    carbon = np.einsum("trjs,tsr,tr->tj", operation.grid_w, ground.kg_per_j, lasts)
    penalty = np.where(np.isfinite(demand.unmet_usd), demand.unmet_usd, 0.0)
    return Costs(
        systems=((delivered - option) * stock.usd[:, None] + option * stock.option_usd[:, None]).sum(axis=2),
        blocks=(grown(blocks) * ground.block_usd[:, None]).sum(axis=2),
        batteries=(grown(battery) * ground.battery_usd_per_j[:, None]).sum(axis=2),
        opening=(grown(opened) * ground.open_usd[:, None]).sum(axis=2),
        untaken=untaken @ stock.take_usd,
        energy=energy,
        carbon=carbon * instance.policy.carbon_usd_per_kg,
        metered=np.einsum("trjf,f,tr->tj", operation.served, instance.ways.usd, lasts),
        unmet=np.einsum("tkrj,k,tr->tj", operation.unmet, penalty, lasts),
    )


def objective_of(instance: Instance, costs: Costs) -> float:
    """Expected cost + aversion x CVaR, USD."""
    totals, policy, probability = costs.by_scenario, instance.policy, instance.demand.probability
    expected = float(totals @ probability)
    return expected + (policy.aversion * cvar(totals, probability, policy.tail) if policy.aversion > 0 else 0.0)


def cvar(costs: Floats, probability: Floats, tail: float) -> float:
    """Mean of the worst `tail` of the probability, USD."""
    order = np.argsort(-costs, kind="stable")
    weight = np.clip(tail - np.concatenate([[0.0], np.cumsum(probability[order])[:-1]]), 0.0, probability[order])
    return float(weight @ costs[order] / tail)


def grown(stock: Floats | Bools) -> Floats:
    """What came in each period, from what stands [T, ...]; nothing stands before the first."""
    came: Floats = np.diff(stock.astype(np.float64), axis=0, prepend=0.0)
    return came
