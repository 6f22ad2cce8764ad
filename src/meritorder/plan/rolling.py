"""Rolling horizon: the rest of a planning problem, after what a state says has been done."""

from __future__ import annotations

from dataclasses import fields, replace
from math import ceil

import numpy as np

from meritorder.fleet.plan.plan import Plan as Asked
from meritorder.plan.assemble import spans
from meritorder.plan.axes import select
from meritorder.plan.horizon import Horizon
from meritorder.plan.instance import Bools, Floats, Ground, Instance, Stock
from meritorder.plan.state import State
from meritorder.problems import InputError, Problem


def rest_of(horizon: Horizon, state: State, where: str) -> int:
    """The first period that is still planned. Raises InputError where `as_of` begins none of the horizon's."""
    starts = [months[0] for months in horizon.months]
    if state.as_of not in starts:
        fix = f"give one of {', '.join(starts[:4])}{' ...' if len(starts) > 4 else ''}"
        raise InputError(Problem(f'"{state.as_of}" begins no period of the horizon', where, "as_of", fix))
    return starts.index(state.as_of)


def later_horizon(horizon: Horizon, first: int) -> Horizon:
    """The horizon from a period on; discounts stay those to the start in the fleet file."""
    names = {field.name for field in fields(horizon)} - {"rate"}
    return replace(horizon, **{name: getattr(horizon, name)[first:] for name in names})


def continued(asked: Asked, horizon: Horizon, full: Instance, state: State, first: int) -> Instance:
    """The instance from period `first` on, with what was ordered before standing, or arriving, free of charge.

    `horizon`, `full`: of the whole plan. Supply, options and take-or-pay are less what was ordered of them; nothing
    new comes earlier than its lead time after `as_of`.
    """
    done = state.done
    spent = _spent(horizon, full, done)
    stocked = replace(
        full, stock=_stock(asked, horizon, full, done, first), ground=_ground(asked, horizon, full, done, first)
    )
    stocked = replace(stocked, policy=replace(full.policy, budget_usd=_budget(full, spent, first)))
    return select(stocked, T=np.arange(first, len(full.years)))


def _spent(horizon: Horizon, full: Instance, done: State) -> Floats:
    """[T] cash for what was ordered, when it falls due."""
    names, money, periods = full.names, full.money, len(full.years)
    spent = np.zeros(periods + 1)  # the last one: beyond the horizon, at either end

    def due(delivered: str) -> int:
        t = horizon.period_of(delivered)
        return t if 0 <= t < periods else periods

    system_cash, option_cash, block_cash = (
        np.append(cash, np.zeros((1, cash.shape[1])), axis=0)
        for cash in (money.system_cash, money.option_cash, money.block_cash)
    )
    for row in done.systems:
        h, t = names.systems.index(row.offer), due(row.delivered)
        spent[t] += (row.systems - row.option) * system_cash[t, h] + row.option * option_cash[t, h]
    for block in done.blocks:
        t = due(block.delivered)
        spent[t] += block.blocks * block_cash[t, names.blocks.index(f"{block.site}/{block.block}")]
    for bought in done.batteries:
        spent[due(bought.delivered)] += bought.energy * money.battery_cash[names.sites.index(bought.site)]
    return spent[:periods]


def _budget(full: Instance, spent: Floats, first: int) -> Floats:
    """[T] budgets from which what was ordered is taken; of the year that `first` is in, all that it has left."""
    year = np.arange(len(spent)) if full.policy.year is None else full.policy.year
    budget = full.policy.budget_usd.copy()
    for y in np.unique(year[first:]):
        mine = year == y
        left = max(float(budget[mine].sum() - spent[mine].sum()), 0.0)
        budget[mine] = 0.0
        budget[np.flatnonzero(mine & (np.arange(len(year)) >= first))[0]] = left
    return budget


def _stock(asked: Asked, horizon: Horizon, full: Instance, done: State, first: int) -> Stock:
    """Systems: what was ordered arrives and grows old; what it took of supply, option and take-or-pay is gone."""
    names, periods = full.names, len(full.years)
    standing = full.stock.standing.copy()
    ordered, optional = np.zeros(len(names.systems)), np.zeros(len(names.systems))
    arrived = np.zeros_like(full.stock.supply)
    for row in done.systems:
        h, s = names.systems.index(row.offer), names.sites.index(row.site)
        comes = horizon.period_of(row.delivered)
        alive = slice(max(comes, 0), max(comes + int(full.stock.life[h]), 0))
        standing[alive, s, h] += row.systems
        ordered[h] += row.systems
        optional[h] += row.option
        if 0 <= comes < periods:
            arrived[comes, h] += row.systems
    supply, option = _still(asked, horizon, full, first)
    return replace(
        full.stock,
        standing=standing,
        supply=np.maximum(np.minimum(full.stock.supply, supply) - arrived, 0.0),
        option=np.where(option, full.stock.option, 0.0),
        option_all=np.maximum(full.stock.option_all - optional, 0.0),
        take=np.maximum(full.stock.take - ordered, 0.0),
    )


def _still(asked: Asked, horizon: Horizon, full: Instance, first: int) -> tuple[Floats, Bools]:
    """[T,H] most of the supply that can still come where nothing is ordered before period `first`; [T,H] any option."""
    months, last = spans.length(horizon), len(horizon.all_months) - 1
    supply, option = np.zeros_like(full.stock.supply), np.zeros(full.stock.supply.shape, bool)
    for h, name in enumerate(full.names.systems):
        offer = asked.offers[name]
        soonest = first * months + ceil(offer.lead - 1e-9)
        supply[:, h] = spans.whole_counts(offer.supply, horizon, soonest, last)
        option[:, h] = (np.arange(len(supply)) + 1) * months > soonest
    return supply, option


def _ground(asked: Asked, horizon: Horizon, full: Instance, done: State, first: int) -> Ground:
    """Blocks, openings and batteries that have been bought."""
    names, ground, periods = full.names, full.ground, len(full.years)
    standing = ground.block_standing.copy()
    battery_j, battery_w = ground.battery_j.copy(), ground.battery_w.copy()
    most_j, open_usd = ground.battery_most_j.copy(), ground.open_usd.copy()
    for block in done.blocks:
        b = names.blocks.index(f"{block.site}/{block.block}")
        standing[max(horizon.period_of(block.delivered), 0) :, b] += block.blocks
    for bought in done.batteries:
        s = names.sites.index(bought.site)
        battery_j[s] += bought.energy
        battery_w[s] += bought.energy / 3600.0 / ground.battery_hours[s]
        most_j[s] = max(most_j[s] - bought.energy, 0.0)
    used = [row.site for row in done.systems] + [row.site for row in done.blocks]
    for site in (*used, *(row.site for row in done.batteries)):
        open_usd[:, names.sites.index(site)] = 0.0
    lead = np.array([_lead(asked, name) for name in names.blocks]) / spans.length(horizon)
    early = np.arange(periods)[:, None] - first < np.ceil(lead - 1e-9)
    most = np.maximum(np.where(early, standing, ground.block_most), standing)
    return replace(
        ground,
        block_standing=standing,
        block_most=most,
        open_usd=open_usd,
        battery_j=battery_j,
        battery_w=battery_w,
        battery_most_j=most_j,
    )


def _lead(asked: Asked, name: str) -> float:
    """Months until a block carries power."""
    site, _, kind = name.partition("/")
    return asked.sites[site].blocks[kind].lead
