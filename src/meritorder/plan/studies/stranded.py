"""Installed, deployable and stranded power, by site and cause, in the design hour of one scenario.

Two accounts, each adds up to the watt. **Power**: the IT power of the blocks that stand is

* `machines`: under the nameplate of systems, as far as it can be fed;
* `cooling`: more than the coolant carries away at the design hour's weather;
* `grid`: more than the grid can feed with the building's losses (all blocks of the site throttled alike);
* `supply`: empty, and of every system that could stand there all that could be had has been bought;
* `share`: empty, some system could be had, but its supplier is at its share of the power;
* `ahead`: empty, and nobody needs it yet: blocks come whole, and before the demand.

`deployable` = built - cooling - grid. **Machines**: the nameplate of the systems that stand is

* `used`: what the demand of the design hour takes of their time;
* `down`: what is expected to be broken (1 - availability);
* `power`, `cooling`, `grid`: idle, and their block or site is at that limit: more nameplate than can draw at once;
* `reserve`: idle, but some loss that must be survived (a site, a supplier) needs it: the least that all need together;
* `unneeded`: idle, and no loss needs it: nothing to serve within the service levels of that hour.
"""

from __future__ import annotations

import numpy as np

from meritorder.plan.instance import Bools, Floats, Instance, Ints
from meritorder.plan.model.situations import design_hour, median_scenario
from meritorder.plan.outcome import Build, Plan
from meritorder.plan.studies.findings import Account, Stranded
from meritorder.plan.studies.reserve import busy_systems, reserve

POWER = {
    "machines": "under machines that it can feed",
    "cooling": "more than the coolant carries away in the design hour",
    "grid": "more than the grid can feed",
    "supply": "empty: no more systems were to be had",
    "share": "empty: suppliers of what was to be had are at their share",
    "ahead": "empty: blocks come whole and before the demand",
}
MACHINES = {
    "used": "busy in the design hour",
    "down": "expected to be broken",
    "power": "idle: the blocks' power is used up",
    "cooling": "idle: the coolant is used up",
    "grid": "idle: the grid's limit is reached",
    "reserve": "idle: held for a loss that must be survived",
    "unneeded": "idle: nothing to serve",
}
NEAR = 1e-4  # of a limit: at it


def stranded(instance: Instance, plan: Plan, scenario: int | None = None) -> Stranded:
    """The accounts of the plan; `scenario`: the one in the middle where not said."""
    j = median_scenario(instance) if scenario is None else scenario
    size, build = instance.shape, plan.builds[j]
    shape = (size["T"], size["S"])
    power, machines = np.zeros((len(POWER), *shape)), np.zeros((len(MACHINES), *shape))
    hours = design_hour(instance)
    for t in range(size["T"]):
        power[:, t] = _power(instance, build, t, int(hours[t]))
        machines[:, t] = _machines(instance, plan, build, t, int(hours[t]), j)
    built = np.zeros(shape)
    np.add.at(built.T, instance.ground.block_site, (build.blocks * instance.ground.block_w).T)
    nameplate = (build.systems * instance.stock.nameplate_w).sum(axis=2)
    return Stranded(
        periods=instance.names.periods,
        sites=instance.names.sites,
        scenario=instance.names.scenarios[j],
        power=Account(tuple(POWER), tuple(POWER.values()), built, power),
        machines=Account(tuple(MACHINES), tuple(MACHINES.values()), nameplate, machines),
        deployable=built - power[1] - power[2],
    )


def fed(instance: Instance, capacity: Floats, t: int, r: int) -> tuple[Floats, Floats]:
    """[B] IT power of the blocks that coolant can carry away, and the part of that which the grid can feed."""
    ground = instance.ground
    cooled = capacity * np.minimum(ground.cooled[t, r], 1.0)
    real = (ground.pieces[t, r] != 0).any(axis=2)
    part = np.ones(len(capacity))
    for s, limit in enumerate(ground.grid_w[t]):
        mine = np.flatnonzero(ground.block_site == s)
        low, high = 0.0, 1.0
        if _drawn(instance, capacity, cooled, t, r, mine, real, 1.0) <= limit:
            continue
        for _ in range(60):  # bisection: facility power grows with IT power
            middle = 0.5 * (low + high)
            fits = _drawn(instance, capacity, cooled, t, r, mine, real, middle) <= limit
            low, high = (middle, high) if fits else (low, middle)
        part[mine] = low
    return cooled, cooled * part


def _drawn(
    instance: Instance, capacity: Floats, cooled: Floats, t: int, r: int, mine: Ints, real: Bools, part: float
) -> float:
    """Facility power of a site whose blocks run at `part` of what is cooled."""
    pieces = instance.ground.pieces[t, r]
    power = pieces[..., 0] * capacity[:, None] + pieces[..., 1] * (part * cooled)[:, None]
    return float(np.where(real, power, 0.0).max(axis=1, initial=0.0)[mine].sum())


def _power(instance: Instance, build: Build, t: int, r: int) -> Floats:
    """[parts,S]"""
    ground, stock = instance.ground, instance.stock
    capacity = build.blocks[t] * ground.block_w
    cooled, live = fed(instance, capacity, t, r)
    nameplate, why = np.zeros(len(capacity)), np.full(len(capacity), -1)
    spent, held = _bought_out(instance, build, t), _at_share(instance, build, t)
    for b, s in enumerate(ground.block_site):
        there = np.flatnonzero(stock.block[s] == b)
        nameplate[b] = build.systems[t, s, there] @ stock.nameplate_w[there]
        free = there[~spent[there]]
        why[b] = 3 if not len(free) else 4 if held[stock.supplier[free]].all() else 5
    filled = np.minimum(nameplate, live)
    parts = np.zeros((len(POWER), len(instance.names.sites)))
    for part, watts in ((0, filled), (1, capacity - cooled), (2, cooled - live)):
        np.add.at(parts[part], ground.block_site, watts)
    np.add.at(parts, (why, ground.block_site), live - filled)
    return parts


def _bought_out(instance: Instance, build: Build, t: int) -> Bools:
    """[H] whether all deliveries that could come up to t were taken (to less than one lot)."""
    stock = instance.stock
    taken = build.delivered[: t + 1].sum(axis=(0, 1))
    most = stock.supply[: t + 1].sum(axis=0) + np.minimum(stock.option[: t + 1].sum(axis=0), stock.option_all)
    full: Bools = taken > most - stock.lot + NEAR
    return full


def _at_share(instance: Instance, build: Build, t: int) -> Bools:
    """[V] whether a supplier has its share of the nameplate."""
    stock, share = instance.stock, instance.policy.supplier_share[t]
    power = (build.systems[t] * stock.nameplate_w).sum(axis=0)
    mine = np.bincount(stock.supplier, weights=power, minlength=len(share))
    limited: Bools = (share < 1) & (mine >= share * power.sum() * (1 - NEAR)) & (power.sum() > 0)
    return limited


def _machines(instance: Instance, plan: Plan, build: Build, t: int, r: int, j: int) -> Floats:
    """[parts,S]"""
    stock = instance.stock
    systems = build.systems[t]
    busy = np.minimum(busy_systems(instance, plan.operation.served[t, r, j], t, j), stock.availability * systems)
    idle = stock.availability * systems - busy
    limit = _limits(instance, plan, build, t, r, j)
    held = np.minimum(reserve(instance, build, t, r, j, busy), idle)
    parts = np.zeros((len(MACHINES), *systems.shape))
    parts[0], parts[1] = busy, systems - busy - idle
    for part in (2, 3, 4):
        parts[part] = np.where(limit == part, idle, 0.0)
    free = limit < 0
    parts[5] = np.where(free, held, 0.0)
    parts[6] = np.where(free, idle - held, 0.0)
    return np.asarray((parts * stock.nameplate_w).sum(axis=2))


def _limits(instance: Instance, plan: Plan, build: Build, t: int, r: int, j: int) -> Ints:
    """[S,H] the part of `MACHINES` that names the limit of power that a system's block is at; -1: none."""
    ground, stock, operation = instance.ground, instance.stock, plan.operation
    capacity = build.blocks[t] * ground.block_w
    cooled = np.minimum(ground.cooled[t, r], 1.0)
    full = (operation.it_w[t, r, j] >= capacity * cooled * (1 - NEAR)) & (capacity > 0)
    at_grid = operation.grid_w[t, r, j] >= ground.grid_w[t] * (1 - NEAR)
    of_block = np.where(full, np.where(cooled < 1, 3, 2), np.where(at_grid[ground.block_site], 4, -1))
    return np.where(stock.block >= 0, of_block[stock.block], -1)
