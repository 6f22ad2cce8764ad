"""What everything costs, and limits on cash and carbon.

cost_j = sum_t [systems + blocks + batteries + opening] + untaken
         + sum_{t,r} w_r [(price + carbon price) x grid power + usd_f x_f + penalty_k u_k]
sum_{t of y} cash paid for what comes in t <= sum_{t of y} budget_t               y: a year, or each period alone
E[sum_{t of y} sum_r w_r kg_tsr x grid power] <= sum_{t of y} carbon_t
"""

from __future__ import annotations

import numpy as np

from meritorder.plan.instance import Floats, Ints
from meritorder.plan.linear import Index
from meritorder.plan.model.draft import Draft
from meritorder.plan.model.scenarios import speaks


def costs(draft: Draft) -> None:
    """Enter every column's cost into the ledger."""
    investment_costs(draft)
    operating_costs(draft)


def investment_costs(draft: Draft) -> None:
    """What is built. Blocks, openings and batteries stand from t on: their columns count all that stand."""
    ledger, columns, stock, ground = draft.ledger, draft.columns, draft.instance.stock, draft.instance.ground
    scenario = np.arange(draft.instance.shape["J"])
    ledger.charge(columns.delivered, stock.usd[:, None, None, :], scenario[:, None, None])
    ledger.charge(columns.option, (stock.option_usd - stock.usd)[:, None], scenario[:, None])
    ledger.charge(columns.untaken, stock.take_usd, scenario[:, None])
    ledger.charge(columns.blocks, _steps(ground.block_usd)[:, None], scenario[:, None])
    ledger.charge(columns.opened, _steps(ground.open_usd)[:, None], scenario[:, None])
    bought = _steps(ground.battery_usd_per_j * draft.scale.joules)
    ledger.charge(columns.battery, bought[:, None], scenario[:, None])


def operating_costs(draft: Draft, *, least_s: float = 0.0) -> None:
    """What runs: energy, carbon, metered requests, what is missed.

    `least_s`: time for which hours count that stand for none (the design hour, contingencies), so that they run at the
    least cost too.
    """
    ledger, columns, sit, scale = draft.ledger, draft.columns, draft.situations, draft.scale
    instance = draft.instance
    lasts = (np.maximum(sit.seconds, least_s) * instance.discount[sit.period])[:, None]
    scenario = sit.scenario[:, None]
    power = energy_usd(draft) * lasts * scale.watts  # [E,S] per unit of power
    ledger.charge(columns.facility, power[:, instance.ground.block_site], scenario)
    ledger.charge(columns.charge, power, scenario)
    ledger.charge(columns.discharge, -power, scenario)
    ways = instance.ways
    ledger.charge(columns.served, ways.usd * scale.requests[ways.cls] * lasts, scenario)
    priced = np.where(np.isfinite(instance.demand.unmet_usd), instance.demand.unmet_usd, 0.0)
    ledger.charge(columns.unmet, priced * scale.requests * lasts, scenario)


def energy_usd(draft: Draft) -> Floats:
    """[E,S] USD per joule, carbon's price in it."""
    sit, ground, demand = draft.situations, draft.instance.ground, draft.instance.demand
    price = ground.usd_per_j[sit.period, :, sit.hour] * demand.power_price[sit.scenario][:, None]
    total: Floats = price + draft.instance.policy.carbon_usd_per_kg * ground.kg_per_j[sit.period, :, sit.hour]
    return total


def budget(draft: Draft) -> None:
    """Rows `budget` [Y,J]."""
    columns, cash, usd = draft.columns, draft.instance.money, draft.scale.usd
    year, limit = _yearly(draft, draft.instance.policy.budget_usd)
    flat = columns.delivered.reshape(*columns.delivered.shape[:2], -1)
    terms: list[tuple[Floats, Index]] = [
        (np.tile(cash.system_cash, (1, draft.instance.shape["S"]))[:, None], flat),
        ((cash.option_cash - cash.system_cash)[:, None], columns.option),
    ]
    battery = np.broadcast_to(cash.battery_cash * draft.scale.joules, (len(year), len(cash.battery_cash)))
    opening = np.broadcast_to(cash.open_cash, battery.shape)
    for each, block in ((cash.block_cash, columns.blocks), (opening, columns.opened), (battery, columns.battery)):
        before = np.concatenate([np.full_like(block[:1], -1), block[:-1]])
        terms += [(each[:, None], block), (-each[:, None], before)]
    draft.units["budget"] = usd
    last = np.array([np.flatnonzero(year == y)[-1] for y in range(len(limit))])
    shape = (len(limit), columns.blocks.shape[1])
    rows = draft.program.add(
        "budget",
        [],
        shape=shape,
        upper=(limit / usd)[:, None],
        where=np.isfinite(limit)[:, None] & speaks(draft.tree.past)[last],
    )
    for each, block in terms:
        draft.program.put(rows[year][..., None], each / usd, block)


def carbon(draft: Draft) -> None:
    """Rows `carbon` [Y], in parts of the limit (or of a tonne where it is 0)."""
    columns, sit = draft.columns, draft.situations
    year, limit = _yearly(draft, draft.instance.policy.carbon_kg)
    of = year[sit.period]
    unit = np.where(np.isfinite(limit) & (limit > 0), limit, 1e3)
    draft.units["carbon"] = unit
    rows = draft.program.add("carbon", [], shape=limit.shape, upper=limit / unit, where=np.isfinite(limit))
    weight = sit.seconds * draft.instance.demand.probability[sit.scenario] * draft.scale.watts / unit[of]
    kg = draft.instance.ground.kg_per_j[sit.period, :, sit.hour] * weight[:, None]
    here = rows[of][:, None]
    draft.program.put(here, kg[:, draft.instance.ground.block_site], columns.facility)
    draft.program.put(here, kg, columns.charge)
    draft.program.put(here, -kg, columns.discharge)


def _yearly(draft: Draft, limit: Floats) -> tuple[Ints, Floats]:
    """The year of each period [T] and the limit of each year [Y]."""
    year = draft.instance.policy.year
    number = np.arange(len(limit)) if year is None else np.unique(year, return_inverse=True)[1].ravel()
    total = np.zeros(int(number.max()) + 1)
    np.add.at(total, number, limit)
    return number, total


def _steps(usd: Floats) -> Floats:
    """Cost of a count that stands in t where each that is new in t costs usd_t: usd_t - usd_{t+1}."""
    steps: Floats = usd - np.concatenate([usd[1:], np.zeros_like(usd[:1])])
    return steps
