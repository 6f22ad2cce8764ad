"""What a period costs, by system and by way to serve. USD of the period, not discounted, expected over the scenarios.

What is charged once within the horizon for something that stands from t on is spread over the periods that it serves,
by their length, so that its discounted sum is the charge. What stood before the horizon is paid already.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meritorder.plan.costs import grown
from meritorder.plan.instance import Floats, Instance
from meritorder.plan.outcome import Build, Plan

# "unused": systems that serve nothing in the period, and those that were paid for and not taken
PARTS = ("systems", "ground", "idle energy", "energy", "carbon", "metered", "unused")
SYSTEMS, GROUND, IDLE, ENERGY, CARBON, METERED, UNUSED = range(len(PARTS))


@dataclass(frozen=True)
class Spent:
    """Of one period."""

    of_systems: Floats  # [parts,S,H]
    of_ways: Floats  # [parts,F]
    untaken: float  # and what else has no system to stand on

    @property
    def total(self) -> float:
        """All of it."""
        return float(self.of_systems.sum() + self.of_ways.sum()) + self.untaken


def spent_in(instance: Instance, plan: Plan, t: int) -> Spent:
    """What period t costs."""
    size = instance.shape
    of_systems = np.zeros((len(PARTS), size["S"], size["H"]))
    of_ways = np.zeros((len(PARTS), size["F"]))
    rest = 0.0
    for j, (chance, build) in enumerate(zip(instance.demand.probability, plan.builds, strict=True)):
        of_systems[SYSTEMS] += chance * _systems(instance, build, t)
        power = build.systems[t] * instance.stock.nameplate_w
        share = np.divide(power, power.sum(axis=1, keepdims=True), out=np.zeros_like(power), where=power > 0)
        ground = _ground(instance, build, t)
        of_systems[GROUND] += chance * ground[:, None] * share
        rest += chance * (float(ground[share.sum(axis=1) == 0].sum()) + _untaken(instance, build, t))
        rest += chance * _running(instance, plan, build, t, j, chance, of_systems, of_ways)
    ways = instance.ways
    weight = instance.demand.seconds[t][:, None] * instance.demand.probability
    of_ways[METERED] = np.einsum("rjf,rj->f", plan.operation.served[t], weight) * ways.usd
    return Spent(of_systems, of_ways, rest)


def spread(instance: Instance, t: int, start: int, end: int) -> float:
    """Part of a charge at `start` (discounted USD) that period t pays in its own money, of periods start to end - 1."""
    if not start <= t < end:
        return 0.0
    stretch = slice(start, min(end, len(instance.years)))
    return float(instance.years[t] / (instance.years[stretch] @ instance.discount[stretch]))


def _systems(instance: Instance, build: Build, t: int) -> Floats:
    """[S,H]"""
    stock = instance.stock
    paid = np.zeros(build.delivered.shape[1:])
    for past in range(t + 1):
        come = build.delivered[past]
        share = np.divide(come, come.sum(axis=0), out=np.zeros_like(come), where=come.sum(axis=0) > 0)
        extra = (stock.option_usd[past] - stock.usd[past]) * build.option[past]
        each = np.array([spread(instance, t, past, past + int(life)) for life in stock.life])
        paid += each * (come * stock.usd[past] + share * extra)
    return paid


def _ground(instance: Instance, build: Build, t: int) -> Floats:
    """[S] blocks, batteries, opening."""
    ground, size = instance.ground, instance.shape
    own = build.blocks - ground.block_standing
    new = grown(own)
    battery = grown(build.battery_j)
    opened = grown(build.open)
    paid = np.zeros(size["S"])
    for past in range(t + 1):
        share = spread(instance, t, past, size["T"])
        np.add.at(paid, ground.block_site, share * new[past] * ground.block_usd[past])
        paid += share * battery[past] * ground.battery_usd_per_j[past]
        paid += share * np.maximum(opened[past], 0.0) * ground.open_usd[past]
    return paid


def _untaken(instance: Instance, build: Build, t: int) -> float:
    """Paid for and not taken, spread over the whole horizon."""
    return spread(instance, t, 0, len(instance.years)) * float(build.untaken @ instance.stock.take_usd)


def _running(
    instance: Instance, plan: Plan, build: Build, t: int, j: int, chance: float, of_systems: Floats, of_ways: Floats
) -> float:
    """Adds energy and carbon of scenario j; returns what no system drew (a building that stands empty)."""
    ways, ground, stock, demand = instance.ways, instance.ground, instance.stock, instance.demand
    size = instance.shape
    served = plan.operation.served[t, :, j]  # [R,F]
    own = ways.site >= 0
    drawn = served * np.where(own, ways.joules + np.where(ways.decoder >= 0, ways.decoder_joules, 0.0), 0.0)
    dynamic = np.zeros((size["R"], size["S"]))
    np.add.at(dynamic.T, ways.site[own], drawn[:, own].T)
    idle = build.systems[t] * stock.idle_w  # [S,H]
    it = dynamic + idle.sum(axis=1)
    joules = plan.operation.grid_w[t, :, j] * demand.seconds[t][:, None]  # [R,S]
    kg = joules * ground.kg_per_j[t].T
    usd = joules * ground.usd_per_j[t].T * demand.power_price[j]
    carbon = kg * instance.policy.carbon_usd_per_kg
    rest = 0.0
    for part, idle_part, cost in ((ENERGY, IDLE, usd), (CARBON, CARBON, carbon)):
        each = np.divide(cost, it, out=np.zeros_like(cost), where=it > 0)  # USD per IT watt of the hour
        of_ways[part, own] += chance * (drawn[:, own] * each[:, ways.site[own]]).sum(axis=0)
        of_systems[idle_part] += chance * each.sum(axis=0)[:, None] * idle
        rest += float(cost[it <= 0].sum())
    return rest
