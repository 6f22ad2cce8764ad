"""Traffic within what the systems carry.

    sum_f x_f / (rate_f x speed_jh) <= A_h g_tshm      g: systems that hold the model; pairs use two pools
    sum_m g_tshm <= N_tsh
    sum_m sum_f x_f / (rate_f x speed_jh) <= A_h N_{t-1,sh}     where the deliveries of t are late

`rate` has pooling in it. Where a system serves one model only at a site, N stands for g.
Whole: models take whole replicas, g = replica x integer.
"""

from __future__ import annotations

import numpy as np

from meritorder.plan.instance import Bools, Floats, Ints
from meritorder.plan.model.draft import Draft
from meritorder.plan.model.scenarios import shared, speaks

MANY = 30_000  # rows of models on systems; fewer are all written


def capacity(draft: Draft, needed: Bools | None = None) -> None:
    """Rows of capacity and of late deliveries. `needed` [E]: where models are kept apart, absent: everywhere."""
    pools, sit, stock = draft.pools, draft.situations, draft.instance.stock
    placed = draft.columns.placed
    there = draft.columns.systems[:, :, pools.site, pools.system]
    holder = np.where((placed >= 0) | ~pools.alone, placed, there)  # [T,J,P]
    exists = (draft.possible[sit.period] & sit.alive)[:, pools.site, pools.system]
    apart = needed if needed is not None else np.ones(len(exists), bool)
    rows = draft.program.add(
        "capacity",
        [(-stock.availability[pools.system], draft.at(holder))],
        shape=exists.shape,
        upper=0.0,
        where=exists & _used(draft) & (apart[:, None] | pools.alone),
    )
    for pool, _, busy in _loads(draft):
        on = np.flatnonzero(pool >= 0)
        draft.program.put(rows[:, pool[on]], busy[:, on], draft.columns.served[:, on])
    if not apart.all():
        _together(draft, ~apart)
    _late(draft)


def dominating(draft: Draft) -> Bools | None:
    """[E] situations in which models must be kept apart; None: all, as in a small program.

    Where another hour or scenario of the period asks for as much of every class on no faster systems, the models fit as
    they fit there, scaled down: only the sum over models is kept. What that may save in energy the check finds.
    """
    sit, pools, speed = draft.situations, draft.pools, draft.instance.demand.speed
    if len(sit.period) * int((~pools.alone).sum()) < MANY:
        return None
    needed = np.ones(len(sit.period), bool)
    state = draft.tree.state[sit.period, sit.scenario]
    for period in range(draft.instance.shape["T"]):
        here = np.flatnonzero((sit.period == period) & sit.ordinary)
        asked, slow = sit.asked[here], speed[sit.scenario[here]]
        less = (asked[:, None] <= asked[None]).all(axis=2) & (slow[:, None] >= slow[None]).all(axis=2)
        less &= state[here][:, None] == state[here][None]
        equal = less & less.T
        first = np.arange(len(here))
        needed[here] = ~(less & (~equal | (first[:, None] > first))).any(axis=1)
    return needed


def _together(draft: Draft, dominated: Bools) -> None:
    """Rows of what all models on a system at a site take together."""
    sit, pools, stock, ways = draft.situations, draft.pools, draft.instance.stock, draft.instance.ways
    mixed = np.zeros(stock.block.shape, bool)
    mixed[pools.site[~pools.alone], pools.system[~pools.alone]] = True
    exists = draft.possible[sit.period] & sit.alive & mixed & dominated[:, None, None]
    rows = draft.program.add(
        "capacity together",
        [(-stock.availability, draft.at(draft.columns.systems))],
        shape=exists.shape,
        upper=0.0,
        where=exists,
    )
    for pool, system, busy in _loads(draft):
        on = np.flatnonzero(pool >= 0)
        draft.program.put(rows[:, ways.site[on], system[on]], busy[:, on], draft.columns.served[:, on])


def place(draft: Draft, whole: Bools) -> None:
    """Column `placed`, where it isn't all systems that are there; rows of placement and of whole replicas."""
    program, columns, pools, stock = draft.program, draft.columns, draft.pools, draft.instance.stock
    there = columns.systems[:, :, pools.site, pools.system]  # [T,J,P]
    size = stock.replica[pools.system, pools.model]
    with np.errstate(divide="ignore"):
        fits = (size > 0) & (np.abs(np.round(1 / size) * size - 1) < 1e-9)  # whole replicas on one system
    broken = whole[pools.system] & (size > 0) & ~fits
    own = ~pools.alone | broken
    columns.placed = shared(program, draft.tree.state, (len(own),), where=own & (there >= 0))
    replicas = shared(
        program,
        draft.tree.state,
        (len(own),),
        where=own & (there >= 0) & whole[pools.system] & (size > 0),
        integer=True,
    )
    program.add(
        "replicas",
        [(1.0, columns.placed), (-size, replicas)],
        shape=replicas.shape,
        lower=0.0,
        upper=0.0,
        where=(replicas >= 0) & speaks(draft.tree.state)[..., None],
    )
    cells = np.zeros(stock.block.shape, bool)
    cells[pools.site[own], pools.system[own]] = True
    rows = program.add(
        "placement",
        [(-1.0, columns.systems)],
        shape=columns.systems.shape,
        upper=0.0,
        where=cells & (columns.systems >= 0) & speaks(draft.tree.state)[..., None, None],
    )
    program.put(rows[:, :, pools.site, pools.system], 1.0, np.where(own, columns.placed, -1))


def _loads(draft: Draft) -> list[tuple[Ints, Ints, Floats]]:
    """For prompts or whole requests, then for decoders of pairs: pool, system [F], systems per request/s [E,F]."""
    ways, demand, sit = draft.instance.ways, draft.instance.demand, draft.situations
    unit = draft.scale.requests[ways.cls]
    factor = ways.factors(sit.period)  # [E,F]
    loads = []
    for pool, system, rate in (
        (draft.pools.way, ways.system, ways.rate),
        (draft.pools.decoder, ways.decoder, ways.decoder_rate),
    ):
        real = np.where((pool >= 0) & (rate > 0), rate, np.inf)
        loads.append((pool, system, unit / (real * factor * demand.speed[sit.scenario][:, system])))
    return loads


def _used(draft: Draft) -> Bools:
    """[E,P] whether any traffic can go over a pool then."""
    used = np.zeros((len(draft.situations.period), len(draft.pools.site)), bool)
    for pool in (draft.pools.way, draft.pools.decoder):
        for way in np.flatnonzero(pool >= 0):
            used[:, pool[way]] |= draft.columns.served[:, way] >= 0
    return used


def _late(draft: Draft) -> None:
    sit, stock, ways = draft.situations, draft.instance.stock, draft.instance.ways
    if not sit.late.any():
        return
    systems = draft.columns.systems
    before = np.concatenate([np.full_like(systems[:1], -1), systems[:-1]])
    known = np.where(sit.period[:, None, None] == 0, draft.before, 0.0)
    rows = draft.program.add(
        "late",
        [(-stock.availability, draft.at(before))],
        shape=sit.late.shape,
        upper=stock.availability * known,
        where=sit.late & draft.possible[sit.period],
    )
    for pool, system, busy in _loads(draft):
        on = np.flatnonzero(pool >= 0)
        draft.program.put(rows[:, ways.site[on], system[on]], busy[:, on], draft.columns.served[:, on])
