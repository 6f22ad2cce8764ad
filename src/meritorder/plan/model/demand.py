"""Demand is served, or it is missed where that has a price.

sum_f x_f + u_k = D_k          x: requests/s by way; a contingency asks for a share of D and allows no u
"""

from __future__ import annotations

import numpy as np

from meritorder.plan.instance import Bools, Floats
from meritorder.plan.model.draft import Draft

MUCH = 3.0


def demand(draft: Draft, *, soft: bool = False) -> None:
    """Columns `served`, `unmet`, `short`; rows of demand.

    `soft`: what must be served may be missed, at a price that nothing else comes near.
    """
    program, columns, sit = draft.program, draft.columns, draft.situations
    ways, wanted = draft.instance.ways, draft.instance.demand
    asked = sit.asked / draft.scale.requests
    columns.served = program.variables(
        (len(asked), len(ways.cls)), where=_usable(draft) & (sit.asked > 0)[:, ways.cls], upper=np.inf
    )
    priced = np.isfinite(wanted.unmet_usd)
    hard = ~(np.isfinite(wanted.unmet_usd) & sit.ordinary[:, None]) & (asked > 0)
    columns.short = program.variables(asked.shape, upper=np.where(soft, asked, 0.0), cost=forbidding(draft), where=hard)
    columns.unmet = program.variables(asked.shape, upper=asked, where=priced & sit.ordinary[:, None] & (asked > 0))
    draft.units["demand"] = draft.scale.requests
    rows = program.add(
        "demand",
        [(1.0, columns.unmet), (1.0, columns.short)],
        shape=asked.shape,
        lower=asked,
        upper=np.where(sit.ordinary[:, None], asked, np.inf),
        where=asked > 0,
    )
    program.put(rows[:, ways.cls], 1.0, columns.served)


def forbidding(draft: Draft) -> Floats:
    """[K] a price per unit of requests/s in any situation beyond that of building for it, and of any penalty."""
    instance, scale = draft.instance, draft.scale
    stock, ground, ways, wanted = instance.stock, instance.ground, instance.ways, instance.demand
    room = (ground.block_usd / ground.block_w).max(initial=0.0)
    system = stock.usd.max(axis=0, initial=0.0) + stock.nameplate_w * room
    per_way = ways.usd * wanted.seconds.sum()
    own = (ways.api < 0) & (ways.rate > 0)
    per_way[own] += system[ways.system[own]] / ways.rate[own]
    dearest = np.zeros(len(wanted.model))
    np.maximum.at(dearest, ways.cls, per_way)
    penalty = np.where(np.isfinite(wanted.unmet_usd), wanted.unmet_usd, 0.0).max(initial=0.0) * wanted.seconds.sum()
    return np.asarray(MUCH * np.maximum(dearest, penalty) * scale.requests / scale.usd + 1.0)


def _usable(draft: Draft) -> Bools:
    """[E,F] whether a way's systems can stand there and are not lost."""
    ways, sit = draft.instance.ways, draft.situations
    there = draft.possible[sit.period] & sit.alive  # [E,S,H]
    own, pair = ways.api < 0, ways.decoder >= 0
    usable = np.where(own, there[:, ways.site, ways.system] & (ways.rate > 0), True)
    usable &= np.where(pair, there[:, ways.site, ways.decoder] & (ways.decoder_rate > 0), True)
    if len(draft.instance.names.apis):
        usable &= np.where(own, True, draft.instance.policy.api_rate[sit.period][:, ways.api] > 0)
    return usable
