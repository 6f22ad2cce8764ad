"""From fractions to what can be ordered: whole lots, whole systems in service, whole replicas.

Period by period: a period's deliveries are rounded and fixed, the linear program is solved again, so that later periods
make up for what was rounded before them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from meritorder.plan.held import Held
from meritorder.plan.instance import Floats
from meritorder.plan.linear import Index, Solved
from meritorder.plan.model.formulate import Formulated

NEAR = 1e-6  # of a lot
TRIED = 6  # lots that are tried in a period where rounding missed something


def whole_lots(formulated: Formulated, held: Held, bound: float) -> Solved:
    """Round what `held` has found; its integers are fixed. What must be served may be missed by what rounding costs."""
    columns, tree = formulated.columns, formulated.draft.tree
    short = columns.short[columns.short >= 0]
    held.bound(short, np.zeros(len(short)), np.full(len(short), np.inf))
    scenarios = np.arange(columns.delivered.shape[1])
    for period in range(len(columns.delivered)):
        standing = np.flatnonzero(tree.state[period] == scenarios)
        for scenario in np.flatnonzero(tree.choice[period] == scenarios):
            lots = _deliver(formulated, held, period, int(scenario))
            _place(formulated, held, period, standing)
            if lots is not None:
                _add(formulated, held, period, int(scenario), standing, lots)
    return held.solved(bound)


def _deliver(formulated: Formulated, held: Held, period: int, scenario: int) -> Floats | None:
    """Fix one period's deliveries at the first rounding that leaves a plan: the lots [S,H], None where none does."""
    for lots in _roundings(formulated, held.values, period, scenario):
        if _fixed(formulated, held, period, scenario, lots):
            return lots
    index = formulated.columns.delivered[period, scenario]
    there = (index >= 0) & ~formulated.whole
    held.bound(index[there], held.arrays.lower[index[there]], held.arrays.upper[index[there]])
    held.run()
    return None


def _fixed(formulated: Formulated, held: Held, period: int, scenario: int, lots: Floats) -> bool:
    """Whether there is a plan with these lots."""
    index = formulated.columns.delivered[period, scenario]
    there = (index >= 0) & ~formulated.whole
    systems = (lots * formulated.instance.stock.lot)[there].astype(float)
    held.bound(index[there], systems, systems)
    return held.run()


def _add(formulated: Formulated, held: Held, period: int, scenario: int, standing: Index, lots: Floats) -> None:
    """Add lots while something is missed that must be served and an addition helps."""
    stock = formulated.instance.stock
    index = formulated.columns.delivered[period, scenario]
    size = stock.lot * stock.nameplate_w
    missed = _missed(formulated, held, period)
    tried = np.zeros(lots.shape, bool)
    for _ in range(TRIED):
        if missed.sum() <= NEAR:
            return
        spare = stock.supply[period] + stock.option[period] - (lots * stock.lot).sum(axis=0)
        room = _room(formulated, held.values, period, scenario)
        helps = _help(formulated, missed)
        fits = (index >= 0) & ~formulated.whole & (stock.lot <= spare) & (room[:, None] >= size) & (helps > 0) & ~tried
        if not fits.any():
            return
        place = np.unravel_index(np.where(fits, helps, 0.0).argmax(), lots.shape)
        more = lots.copy()
        more[place] += 1
        _free(formulated, held, period, standing)
        if _fixed(formulated, held, period, scenario, more):
            _place(formulated, held, period, standing)
            after = _missed(formulated, held, period)
            if after.sum() < missed.sum() - NEAR:
                lots, missed = more, after
                continue
        tried[place] = True
        _free(formulated, held, period, standing)
        _fixed(formulated, held, period, scenario, lots)
        _place(formulated, held, period, standing)


def _missed(formulated: Formulated, held: Held, period: int) -> Floats:
    """[K] what must be served in a period and is not, in the program's units."""
    index = formulated.columns.short[formulated.draft.situations.period == period]
    missed: Floats = np.where(index >= 0, held.values[index], 0.0).sum(axis=0)
    return missed


def _help(formulated: Formulated, missed: Floats) -> Floats:
    """[S,H] what a USD of systems there carries of the missed classes."""
    ways, stock = formulated.instance.ways, formulated.instance.stock
    helps = np.zeros(stock.block.shape)
    on = np.flatnonzero(ways.api < 0)
    price = np.maximum(stock.usd.max(axis=0), 1.0)
    worth = ways.rate[on] * missed[ways.cls[on]] / price[ways.system[on]]
    np.maximum.at(helps, (ways.site[on], ways.system[on]), worth)
    return helps


def _roundings(formulated: Formulated, values: Floats, period: int, scenario: int) -> Iterator[Floats]:
    """Lots [S,H]: an offer's total to the nearest where there is room, then up, then all down, then all up."""
    index, stock = formulated.columns.delivered[period, scenario], formulated.instance.stock
    lots = np.where(index >= 0, values[index], 0.0) / stock.lot
    total = lots.sum(axis=0)
    yield _shared_out(formulated, values, lots, np.round(total), period, scenario)
    yield _shared_out(formulated, values, lots, np.ceil(total - NEAR), period, scenario)
    yield np.floor(lots + NEAR)
    yield np.ceil(lots - NEAR)


def _shared_out(
    formulated: Formulated, values: Floats, lots: Floats, total: Floats, period: int, scenario: int
) -> Floats:
    """Lots [S,H] that add up to `total` [H]: those beyond the floors go where most is missing and there is room."""
    stock, room = formulated.instance.stock, _room(formulated, values, period, scenario)
    whole = np.floor(lots + NEAR)
    most = np.floor((stock.supply[period] + stock.option[period]) / stock.lot + NEAR)
    extra = np.minimum(total, most) - whole.sum(axis=0)  # [H]
    size = stock.lot * stock.nameplate_w
    room -= whole @ size
    missing = lots - whole
    order = np.argsort(-missing, axis=None, kind="stable")
    for site, system in zip(*np.unravel_index(order, lots.shape), strict=True):
        if missing[site, system] > NEAR and extra[system] >= 1 and room[site] >= size[system]:
            whole[site, system] += 1
            extra[system] -= 1
            room[site] -= size[system]
    return whole


def _room(formulated: Formulated, values: Floats, period: int, scenario: int) -> Floats:
    """[S] nameplate that the period's deliveries may have at a site, W: crews, and the power of its blocks."""
    columns, instance = formulated.columns, formulated.instance
    stock, ground = instance.stock, instance.ground
    blocks, systems, came = (
        np.where(index >= 0, values[index], 0.0)
        for index in (
            columns.blocks[period, scenario],
            columns.systems[period, scenario],
            columns.delivered[period, scenario],
        )
    )
    power = np.zeros(len(ground.ramp_w))
    power_of = (ground.block_standing[period] + np.round(blocks)) * ground.block_w
    np.add.at(power, ground.block_site, power_of)
    kept = (np.maximum(systems - came, 0.0) * stock.nameplate_w).sum(axis=1)
    least: Floats = np.minimum(ground.ramp_w, ground.oversubscription * power - kept)
    return least


def _place(formulated: Formulated, held: Held, period: int, scenarios: Index) -> None:
    """Fix whole systems in service and whole replicas of the models on them: up where they fit, else down, else not."""
    values = held.values
    for upwards in (True, False):
        for scenario in scenarios:
            index, placed = _standing(formulated, period, int(scenario))
            there = (index >= 0) & ~formulated.whole
            systems = _whole_systems(formulated, values, period, int(scenario), upwards=upwards)
            held.bound(index[there], systems[there], systems[there])
            own = np.flatnonzero(placed >= 0)
            if len(own):
                whole = _replicas(formulated, systems, values[placed[own]], own)
                held.bound(placed[own], whole, whole)
        if held.run():
            return
    _free(formulated, held, period, scenarios)  # a limit leaves no whole number: parts of systems stay
    held.run()


def _whole_systems(formulated: Formulated, values: Floats, period: int, scenario: int, *, upwards: bool) -> Floats:
    """[S,H] Who retires a part of a system keeps all of it, unless the blocks are too small for that."""
    columns, ground = formulated.columns, formulated.instance.ground
    index, stock = columns.systems[period, scenario], formulated.instance.stock
    systems = np.where(index >= 0, values[index], 0.0)
    down, up = np.floor(systems + NEAR), np.ceil(systems - NEAR)
    if not upwards:
        return np.asarray(down)
    new = columns.blocks[period, scenario]
    blocks = ground.block_standing[period] + np.round(np.where(new >= 0, values[new], 0.0))
    room = blocks * ground.block_w * ground.oversubscription[ground.block_site]  # [B]
    used = np.zeros(len(room))
    on = stock.block >= 0
    np.add.at(used, stock.block[on], (up * stock.nameplate_w)[on])
    fits = used <= room * (1 + NEAR)
    return np.where(on & fits[stock.block], up, down)


def _free(formulated: Formulated, held: Held, period: int, scenarios: Index) -> None:
    """Let systems and replicas of a period be fractions again."""
    for scenario in scenarios:
        index, placed = _standing(formulated, period, int(scenario))
        both = np.concatenate([index[(index >= 0) & ~formulated.whole], placed[placed >= 0]])
        held.bound(both, np.zeros(len(both)), np.full(len(both), np.inf))


def _standing(formulated: Formulated, period: int, scenario: int) -> tuple[Index, Index]:
    """Columns of systems [S,H] and of what is placed of offers that don't come in whole replicas anyway [P]."""
    columns, pools = formulated.columns, formulated.draft.pools
    return columns.systems[period, scenario], np.where(
        formulated.whole[pools.system], -1, columns.placed[period, scenario]
    )


def _replicas(formulated: Formulated, systems: Floats, placed: Floats, own: Index) -> Floats:
    """Systems in whole replicas: down to one, then one more where most is missing and systems are left."""
    pools, stock = formulated.draft.pools, formulated.instance.stock
    site, system = pools.site[own], pools.system[own]
    size = stock.replica[system, pools.model[own]]
    size = np.where(size > 0, size, 1.0)
    replicas = np.floor(placed / size + NEAR)
    left = placed / size - replicas
    free = systems.copy()
    np.subtract.at(free, (site, system), replicas * size)
    for k in np.argsort(-left, kind="stable"):
        if free[site[k], system[k]] >= size[k] * (1 - NEAR) and left[k] > NEAR:
            replicas[k] += 1
            free[site[k], system[k]] -= size[k]
    whole: Floats = replicas * size
    return whole
