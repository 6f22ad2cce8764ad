"""Idle systems that a loss needs: the least that all losses which must be survived take beyond the busy ones.

One linear program for a period: systems held are y, and in each loss the surviving ones (busy + y at most) serve the
share of the demand that is asked for; the nameplate of y is least. Power is not looked at.
"""

from __future__ import annotations

import numpy as np

from meritorder.plan.instance import Floats, Instance
from meritorder.plan.linear import Program
from meritorder.plan.model.pools import pools_of
from meritorder.plan.outcome import Build


def busy_systems(instance: Instance, served: Floats, t: int, j: int) -> Floats:
    """[S,H] systems that requests [F] a second take in period t and scenario j."""
    busy = np.zeros((instance.shape["S"], instance.shape["H"]))
    ways = instance.ways.at(t)
    for system, rate in ((ways.system, ways.rate), (ways.decoder, ways.decoder_rate)):
        own = (system >= 0) & (rate > 0)
        np.add.at(
            busy, (ways.site[own], system[own]), served[own] / (rate[own] * instance.demand.speed[j, system[own]])
        )
    return busy


def reserve(instance: Instance, build: Build, t: int, r: int, j: int, busy: Floats) -> Floats:
    """[S,H] systems held in period t for the contingencies of that period; 0 where there are none."""
    losses = [lost for lost in instance.contingencies if lost.periods[t] and lost.kind in ("site", "supplier", "late")]
    if not losses:
        return np.zeros_like(busy)
    stock, ways, size = instance.stock, instance.ways.at(t), instance.shape
    program = Program()
    working = stock.availability * build.systems[t]
    idle = np.maximum(working - busy, 0.0)
    held = program.variables(busy.shape, upper=idle, cost=stock.nameplate_w / stock.nameplate_w.max())
    pools = pools_of(instance)
    placed = build.placed[t, pools.site, pools.system, pools.model] * stock.availability[pools.system]
    asked = instance.demand.requests[t, :, r, j]
    for lost in losses:
        alive = np.ones(busy.shape, bool)
        if lost.kind == "site":
            alive[lost.site] = False
        elif lost.kind == "supplier":
            alive[:, lost.systems] = False
        most = working
        if lost.kind == "late":
            most = np.where(lost.systems, np.maximum(working - stock.availability * build.delivered[t], 0.0), working)
        there = np.where(ways.site >= 0, alive[ways.site, ways.system] & (ways.rate > 0), True)
        there &= np.where(ways.decoder >= 0, alive[ways.site, ways.decoder] & (ways.decoder_rate > 0), True)
        served = program.variables(size["F"], where=there)
        missed = program.variables(size["K"], cost=1e3)  # what even all can't serve
        rows = program.add("demand", [(1.0, missed)], shape=size["K"], lower=lost.share * asked)
        program.put(rows[ways.cls], 1.0, served)
        calls = (ways.api == np.arange(size["A"])[:, None]).astype(float)  # [A,F]
        program.add("calls", [(calls, served[None])], shape=size["A"], upper=instance.policy.api_rate[t])
        on = program.add("systems", [(-1.0, held)], shape=busy.shape, upper=busy, where=alive)
        total = program.add("working", [], shape=busy.shape, upper=most, where=alive)
        pool_rows = program.add("placed", [], shape=len(placed), upper=placed)
        for system, rate, pool in (
            (ways.system, ways.rate, pools.way),
            (ways.decoder, ways.decoder_rate, pools.decoder),
        ):
            own = np.flatnonzero((system >= 0) & (rate > 0) & there)
            use = 1.0 / (rate[own] * instance.demand.speed[j, system[own]])
            for target in (on[ways.site[own], system[own]], total[ways.site[own], system[own]], pool_rows[pool[own]]):
                program.put(target, use, served[own])
    found = program.arrays().solve(threads=1)
    return found[held] if found.status == "optimal" else idle
