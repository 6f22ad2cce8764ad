"""What a million output tokens cost on average, by service and by hardware.

A system's own cost (price and upkeep of the period, its power block, its idle power) goes to those who use its time:
in each period in proportion to the system-seconds that the requests took, over all hours and scenarios by probability.
So time that nobody uses is paid by who uses the rest, and all money is in some row. A pair's cost follows both systems.
Energy above idle goes to the request that drew it, metered prices to the request that was sent there.
Blocks, batteries and openings of a site go to its systems by nameplate. A system that serves nothing in a period has no
row of its own there; what it costs is put on all others of the period by their cost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meritorder.plan.instance import Floats, Instance
from meritorder.plan.outcome import Plan
from meritorder.plan.studies.findings import UnitCost, UnitCosts
from meritorder.plan.studies.spending import PARTS, Spent, spent_in

MTOK = 1e6


@dataclass(frozen=True)
class _Use:
    """What each way does in a period, expected over the scenarios."""

    requests: Floats  # [F] in the period
    first: Floats  # [F] system-seconds of its system (of a pair, the one that computes prompts)
    second: Floats  # [F] of the decoder


def unit_costs(instance: Instance, plan: Plan) -> UnitCosts:
    """Average costs of the plan over the hours of `instance`, which must be those that it was made for."""
    rows: list[UnitCost] = []
    size = instance.shape
    unused = np.zeros((size["T"], size["S"], size["H"]))
    for t in range(size["T"]):
        use = _used(instance, plan, t)
        spent = spent_in(instance, plan, t)
        by_way = _shared(instance, spent, use)
        rows += _rows(instance, t, use, by_way)
        unused[t] = _unused(instance, plan, t, use)
    return UnitCosts(tuple(rows), unused)


def _used(instance: Instance, plan: Plan, t: int) -> _Use:
    """Requests and system-seconds of each way in period t."""
    ways, demand = instance.ways.at(t), instance.demand
    seconds = demand.seconds[t][:, None] * demand.probability  # [R,J]
    served = plan.operation.served[t] * seconds[..., None]  # [R,J,F] requests
    speed = np.where(ways.system >= 0, demand.speed[:, ways.system], 1.0)  # [J,F]
    second = np.where(ways.decoder >= 0, demand.speed[:, ways.decoder], 1.0)
    each = served.sum(axis=0)  # [J,F]
    return _Use(
        requests=each.sum(axis=0),
        first=_per(each, ways.rate * speed).sum(axis=0),
        second=_per(each, ways.decoder_rate * second).sum(axis=0),
    )


def _per(amount: Floats, rate: Floats) -> Floats:
    """amount / rate, 0 where there is no rate."""
    return np.divide(amount, rate, out=np.zeros_like(amount), where=rate > 0)


def _shared(instance: Instance, spent: Spent, use: _Use) -> Floats:
    """[parts,F] USD of the period by way."""
    ways, size = instance.ways, instance.shape
    cells = size["S"] * size["H"]
    total = np.zeros(cells)
    keys = []
    for system, seconds in ((ways.system, use.first), (ways.decoder, use.second)):
        key = np.where(system >= 0, ways.site * size["H"] + system, 0)
        weight = np.where(system >= 0, seconds, 0.0)
        np.add.at(total, key, weight)
        keys.append((key, weight))
    by_way = np.zeros((len(PARTS), size["F"]))
    idle = total <= 0
    for part, cost in enumerate(spent.of_systems):
        flat = cost.ravel()
        each = np.divide(flat, total, out=np.zeros(cells), where=~idle)
        for key, weight in keys:
            by_way[part] += each[key] * weight
    by_way += spent.of_ways
    lost = sum(float(cost.ravel()[idle].sum()) for cost in spent.of_systems) + spent.untaken
    whole = by_way.sum()
    if whole > 0:
        by_way[PARTS.index("unused")] += lost * by_way.sum(axis=0) / whole
    return by_way


def _rows(instance: Instance, t: int, use: _Use, by_way: Floats) -> list[UnitCost]:
    """All, each service, each system and API, and each service on each of them."""
    names, ways = instance.names, instance.ways
    tokens = use.requests * instance.demand.tokens[ways.cls] / MTOK
    service = instance.demand.service[ways.cls]
    where = np.where(ways.api >= 0, len(names.systems) + ways.api, ways.system)
    machines = (*names.systems, *names.apis)
    rows = []
    for a, one in ((-1, ""), *enumerate(names.services)):
        for b, machine in ((-1, ""), *enumerate(machines)):
            chosen = ((service == a) | (a < 0)) & ((where == b) | (b < 0))
            mtok = float(tokens[chosen].sum())
            if mtok <= 0:
                continue
            parts = {name: float(by_way[k, chosen].sum()) / mtok for k, name in enumerate(PARTS)}
            rows.append(UnitCost(one, machine, names.periods[t], mtok, sum(parts.values()), parts))
    return rows


def _unused(instance: Instance, plan: Plan, t: int, use: _Use) -> Floats:
    """[S,H] share of the working systems' time that nobody uses; NaN where none stand."""
    ways, size, demand = instance.ways, instance.shape, instance.demand
    busy = np.zeros((size["S"], size["H"]))
    for system, seconds in ((ways.system, use.first), (ways.decoder, use.second)):
        own = system >= 0
        np.add.at(busy, (ways.site[own], system[own]), seconds[own])
    systems = sum(p * build.systems[t] for p, build in zip(demand.probability, plan.builds, strict=True))
    time = systems * instance.stock.availability * demand.seconds[t].sum()
    idle: Floats = np.divide(time - busy, time, out=np.full_like(busy, np.nan), where=time > 0)
    return idle
