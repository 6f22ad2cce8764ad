"""Sites to build on as `Ground`: blocks, grid, crews, batteries, and the hours of `site_hours`."""

from __future__ import annotations

from math import ceil

import numpy as np

from meritorder.fleet.plan.ground import Block
from meritorder.fleet.plan.ground import Ground as Asked
from meritorder.fleet.power_train import Storage
from meritorder.fleet.schema import Fleet
from meritorder.plan.assemble import spans
from meritorder.plan.assemble.annuity import charged, in_service
from meritorder.plan.horizon import Horizon
from meritorder.plan.instance import Floats, Ground, Money
from meritorder.plan.sites import SiteHours
from meritorder.problems import InputError, Problem
from meritorder.units import JOULES_PER_KWH


def ground_of(fleet: Fleet, horizon: Horizon, hours: SiteHours) -> Ground:
    """All sites of the plan, in its order."""
    assert fleet.plan is not None
    grounds = fleet.plan.sites
    blocks = [(s, ground, block) for s, ground in enumerate(grounds.values()) for block in ground.blocks.values()]
    count, kinds, sites = len(horizon.names), len(blocks), len(grounds)
    most = np.stack([_most(ground, block, horizon) for _, ground, block in blocks], axis=1)
    usd = np.stack([_block_usd(block, horizon) for _, _, block in blocks], axis=1)
    opening = np.outer(horizon.discount, [ground.open_price for ground in grounds.values()])
    storage = [_storage(fleet, name) for name in grounds]
    battery = [ground.battery for ground in grounds.values()]
    return Ground(
        block_site=np.array([s for s, _, _ in blocks], np.int64),
        block_w=np.array([block.power for _, _, block in blocks]),
        block_standing=np.tile(np.array([b.standing for _, _, b in blocks], np.int64), (count, 1)),
        block_most=most.reshape(count, kinds),
        block_step=np.array([_step(block, horizon) for _, _, block in blocks], np.int64),
        block_usd=usd,
        open_usd=opening.reshape(count, sites),
        grid_w=np.stack([_grid(fleet, name, horizon) for name in grounds], axis=1),
        ramp_w=np.array([_ramp(ground, horizon) for ground in grounds.values()]),
        oversubscription=np.array([ground.oversubscription for ground in grounds.values()]),
        pieces=hours.pieces,
        cooled=hours.cooled,
        usd_per_j=hours.usd_per_j,
        kg_per_j=hours.kg_per_j,
        battery_w=np.array([s.power if s else 0.0 for s in storage]),
        battery_j=np.array([s.energy if s else 0.0 for s in storage]),
        battery_most_j=np.array([b.most if b else 0.0 for b in battery]),
        battery_usd_per_j=np.stack([_battery_usd(ground, horizon) for ground in grounds.values()], axis=1),
        battery_hours=np.array([b.hours if b else 1.0 for b in battery]),
        battery_efficiency=np.array(
            [b.efficiency if b else s.efficiency if s else 1.0 for b, s in zip(battery, storage, strict=True)]
        ),
    )


def ground_cash(fleet: Fleet, horizon: Horizon) -> Money:
    """What is paid for blocks, openings and batteries; nothing for systems."""
    assert fleet.plan is not None
    grounds = fleet.plan.sites.values()
    blocks = [block for ground in grounds for block in ground.blocks.values()]
    count, systems = len(horizon.names), len(fleet.plan.offers)
    return Money(
        system_cash=np.zeros((count, systems)),
        option_cash=np.zeros((count, systems)),
        upkeep_cash=np.zeros(systems),
        block_cash=np.tile(np.array([block.power * block.price for block in blocks]), (count, 1)),
        rent_cash=np.array([_rent(block, horizon) for block in blocks]),
        open_cash=np.array([ground.open_price for ground in grounds]),
        battery_cash=np.array([g.battery.price / JOULES_PER_KWH if g.battery else 0.0 for g in grounds]),
    )


def _most(ground: Asked, block: Block, horizon: Horizon) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """[T] most blocks: those of the start, until lead time and `first` of block and site have passed.

    A rate below one a period is kept to by what may stand in all.
    """
    first = max(
        spans.first_whole(horizon, block.lead, block.first),
        spans.first_whole(horizon, 0.0, ground.first),
    )
    most = np.full(len(horizon.names), block.most)
    if block.most_per_quarter is not None:
        months = spans.length(horizon) * (np.arange(len(most)) - first + 1)
        crews = np.ceil(block.most_per_quarter * months / spans.QUARTER).astype(np.int64)
        most = np.minimum(most, block.standing + crews)
    return np.where(np.arange(len(most)) >= first, most, block.standing).astype(np.int64)


def _block_usd(block: Block, horizon: Horizon) -> Floats:
    """[T] charged within the horizon, discounted, for a block that stands from t on: price and rent."""
    life = spans.periods_of(horizon, block.life)
    price = np.full(len(horizon.names), block.power * block.price)
    rented: Floats = _rent(block, horizon) * in_service(horizon, len(horizon.names))
    return charged(horizon, price, life) + rented


def _rent(block: Block, horizon: Horizon) -> float:
    """Of a block a period."""
    return block.rent * block.power / 1e3 * spans.length(horizon)


def _step(block: Block, horizon: Horizon) -> int:
    """Most new ones in a period."""
    if block.most_per_quarter is None:
        return block.most
    return ceil(block.most_per_quarter * spans.length(horizon) / spans.QUARTER)


def _ramp(ground: Asked, horizon: Horizon) -> float:
    return np.inf if ground.ramp is None else ground.ramp * spans.length(horizon) / spans.QUARTER


def _grid(fleet: Fleet, site: str, horizon: Horizon) -> Floats:
    """[T] most facility power: the least that holds in any month of the period. Raises InputError."""
    assert fleet.plan is not None
    ground, facility = fleet.plan.sites[site], fleet.sites[site].facility
    asked = ground.grid if ground.grid is not None else facility.grid if facility else None
    if asked is not None:
        return np.asarray(spans.by_month(asked, horizon, 0.0).min(axis=1))
    if ground.curtailment is not None:
        what = "takes a part of a limit that isn't there"
        fix = f"give the grid's limit: `plan.sites.{site}.grid`"
        raise InputError(Problem(what, key=f"plan.sites.{site}.curtailment", fix=fix))
    return np.full(len(horizon.names), np.inf)


def _storage(fleet: Fleet, site: str) -> Storage | None:
    """The battery that stands at a site already."""
    facility = fleet.sites[site].facility
    return facility.power.storage if facility else None


def _battery_usd(ground: Asked, horizon: Horizon) -> Floats:
    """[T] charged within the horizon, discounted, for a joule of battery from t on."""
    if ground.battery is None:
        return np.zeros(len(horizon.names))
    price = np.full(len(horizon.names), ground.battery.price / JOULES_PER_KWH)
    return charged(horizon, price, spans.periods_of(horizon, ground.battery.life))
