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
ADDED = 4  # lots that are added in a period at most
TRIED = 6  # places that are tried for one


def whole_lots(formulated: Formulated, held: Held, bound: float) -> Solved:
    """Round what `held` has found; its integers are fixed. What must be served may be missed by what rounding costs."""
    columns = formulated.columns
    short = columns.short[columns.short >= 0]
    held.bound(short, np.zeros(len(short)), np.full(len(short), np.inf))
    for period in range(len(columns.delivered)):
        chosen = np.flatnonzero(formulated.draft.tree.choice[period] == np.arange(columns.delivered.shape[1]))
        for scenario in chosen:
            _deliver(formulated, held, period, int(scenario))
        standing = np.flatnonzero(formulated.draft.tree.state[period] == np.arange(columns.delivered.shape[1]))
        for scenario in standing:
            _place(formulated, held, period, int(scenario))
    held.run()
    return held.solved(bound)


def _deliver(formulated: Formulated, held: Held, period: int, scenario: int) -> None:
    """Fix one period's deliveries at the first rounding that leaves a plan."""
    index = formulated.columns.delivered[period, scenario]  # [S,H]
    there = (index >= 0) & ~formulated.whole
    if not there.any():
        return
    before = held.values
    for lots in _roundings(formulated, before, period, scenario):
        fixed = (lots * formulated.instance.stock.lot)[there].astype(float)
        held.bound(index[there], fixed, fixed)
        if held.run():
            _add(formulated, held, period, scenario, lots)
            return
    low, high = held.arrays.lower[index[there]], held.arrays.upper[index[there]]
    held.bound(index[there], low, high)
    held.run()


def _add(formulated: Formulated, held: Held, period: int, scenario: int, lots: Floats) -> None:
    """Add lots while something is missed that must be served and one of a few additions helps."""
    instance, index = formulated.instance, formulated.columns.delivered[period, scenario]
    stock = instance.stock
    there = (index >= 0) & ~formulated.whole
    size = stock.lot * stock.nameplate_w
    for _ in range(ADDED):
        missed = _missed(formulated, held, period)
        if missed <= NEAR:
            return
        room = _room(formulated, held.values, period, scenario)
        spare = stock.supply[period] + stock.option[period] - (lots * stock.lot).sum(axis=0)
        fits = there & (stock.lot <= spare) & (room[:, None] >= size)
        best: tuple[float, Floats] | None = None
        for site, system in np.argwhere(fits)[np.argsort(-lots[fits], kind="stable")][:TRIED]:
            more = lots.copy()
            more[site, system] += 1
            fixed = (more * stock.lot)[there].astype(float)
            held.bound(index[there], fixed, fixed)
            if held.run() and (best is None or held.objective < best[0]):
                best = held.objective, more
        lots = lots if best is None else best[1]
        fixed = (lots * stock.lot)[there].astype(float)
        held.bound(index[there], fixed, fixed)
        held.run()
        if best is None or _missed(formulated, held, period) >= missed:
            return


def _missed(formulated: Formulated, held: Held, period: int) -> float:
    """What must be served in a period and is not, in the program's units."""
    index = formulated.columns.short[formulated.draft.situations.period == period]
    return float(held.values[index[index >= 0]].sum())


def _roundings(formulated: Formulated, values: Floats, period: int, scenario: int) -> Iterator[Floats]:
    """Lots [S,H]: to the nearest by offer where there is room, then all down, then all up."""
    index, stock = formulated.columns.delivered[period, scenario], formulated.instance.stock
    lots = np.where(index >= 0, values[index], 0.0) / stock.lot
    yield _nearest(formulated, values, lots, period, scenario)
    yield np.floor(lots + NEAR)
    yield np.ceil(lots - NEAR)


def _nearest(formulated: Formulated, values: Floats, lots: Floats, period: int, scenario: int) -> Floats:
    """An offer's total to the nearest lot; the lots beyond the floors go where most is missing and there is room."""
    stock, room = formulated.instance.stock, _room(formulated, values, period, scenario)
    whole = np.floor(lots + NEAR)
    most = np.floor((stock.supply[period] + stock.option[period]) / stock.lot + NEAR)
    extra = np.minimum(np.round(lots.sum(axis=0)), most) - whole.sum(axis=0)  # [H]
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


def _place(formulated: Formulated, held: Held, period: int, scenario: int) -> None:
    """Whole systems in service, whole replicas of the models on them."""
    columns, stock, pools = formulated.columns, formulated.instance.stock, formulated.draft.pools
    index = columns.systems[period, scenario]
    there = (index >= 0) & ~formulated.whole
    values = held.values
    systems = np.floor(np.where(index >= 0, values[index], 0.0) + NEAR)
    held.bound(index[there], systems[there], systems[there])
    placed = columns.placed[period, scenario] if columns.placed.size else np.zeros(0, np.int64)
    own = np.flatnonzero((placed >= 0) & ~formulated.whole[pools.system])
    size = stock.replica[pools.system[own], pools.model[own]]
    size = np.where(size > 0, size, 1.0)
    replicas = np.floor(values[placed[own]] / size + NEAR)
    left = values[placed[own]] / size - replicas
    free = systems.copy()
    np.subtract.at(free, (pools.site[own], pools.system[own]), replicas * size)
    for k in np.argsort(-left, kind="stable"):
        cell = (pools.site[own[k]], pools.system[own[k]])
        if free[cell] >= size[k] * (1 - NEAR) and left[k] > NEAR:
            replicas[k] += 1
            free[cell] -= size[k]
    _fix(held, placed[own], replicas * size)


def _fix(held: Held, columns: Index, values: Floats) -> None:
    if len(columns):
        held.bound(columns, values, values)
