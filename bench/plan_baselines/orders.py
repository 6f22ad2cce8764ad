"""What a way of ordering wants of an instance: demand to size for, what a system costs and carries, and its orders."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from meritorder.plan.instance import Floats, Instance

YEAR_S = 8766 * 3600.0


def peak(full: Instance) -> Floats:
    """[T,K] requests/s to size for: the hour with most tokens in each period, expected over the scenarios."""
    expected = np.einsum("tkrj,j->tkr", full.demand.requests, full.demand.probability)
    busiest = np.einsum("tkr,k->tr", expected, full.demand.tokens).argmax(axis=1)
    chosen: Floats = np.take_along_axis(expected, busiest[:, None, None], axis=2)[:, :, 0]
    return chosen


def carried(full: Instance) -> Floats:
    """[H,K] requests/s that one system carries alone within the service level, at its best site; 0: it can't."""
    ways, shape = full.ways, full.shape
    best = np.zeros((shape["H"], shape["K"]))
    whole = (ways.system >= 0) & (ways.decoder < 0)
    np.maximum.at(best, (ways.system[whole], ways.cls[whole]), ways.rate[whole])
    return best * full.stock.availability[:, None]


def usd_per_s(full: Instance) -> Floats:
    """[T,H] what a system delivered in t costs per second from then on, busy, with its energy at the mean price."""
    seconds = full.discount * full.years * YEAR_S
    left = np.cumsum(seconds[::-1])[::-1]
    price = full.ground.usd_per_j.mean(axis=(1, 2))
    levelised: Floats = full.stock.usd / left[:, None] + price[:, None] * full.stock.nameplate_w
    return levelised


def within_reach(full: Instance) -> Floats:
    """[T,H] systems that can be in service by then, options left aside."""
    standing = full.stock.standing.sum(axis=1)
    reach: Floats = standing + np.cumsum(full.stock.supply, axis=0)
    return reach


def owed(full: Instance) -> np.ndarray:
    """[H] systems under a contract: everybody has to take them."""
    due = np.zeros(full.shape["H"], bool)
    for contract in full.contracts:
        if contract.sense != "at-most":
            due |= contract.systems
    return due


def limited(full: Instance, wanted: Floats) -> Instance:
    """The instance where no more is delivered than `wanted` [T,H] systems in service ask for.

    What is more than a period's supply is ordered earlier. Systems under contract stay free, options are not for these
    ways of ordering.
    """
    most = np.maximum.accumulate(np.ceil(wanted - 1e-9), axis=0)
    for t in range(len(most) - 1, 0, -1):
        most[t - 1] = np.maximum(most[t - 1], most[t] - full.stock.supply[t])
    before = np.concatenate([full.stock.standing.sum(axis=1)[:1], most[:-1]])
    lots = np.ceil(np.maximum(most - before, 0.0) / full.stock.lot) * full.stock.lot
    supply = np.where(owed(full), full.stock.supply, np.minimum(lots, full.stock.supply))
    return replace(full, stock=replace(full.stock, supply=supply, option=np.zeros_like(full.stock.option)))
