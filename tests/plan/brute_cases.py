"""Tiny instances drawn from seeds, each with one family of constraints besides demand, stock, power and supply."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
from tiny_plan import tiny_instance

from meritorder.plan.instance import Contingency, Contract, Instance

FAMILIES = (
    *("plain", "supply", "blocks", "share", "contract", "budget", "unmet", "risk", "site", "supplier", "carbon"),
    *("option", "take", "ramp", "grid", "life", "api", "pair", "speed", "open"),
)
TIGHT = ("supply", "carbon", "ramp", "grid", "budget")


def drawn(family: str, seed: int) -> Instance:
    """3 periods, 2 sites, 3 kinds of block of which 0 to 2 stand, 3 systems, 2 classes, 2 hours, 1 or 2 scenarios."""
    rng = np.random.default_rng([seed, FAMILIES.index(family)])
    base = tiny_instance(2, 2 if family in ("risk", "unmet", "site", "carbon", "speed") else 1)
    stock, ways, ground, demand = base.stock, base.ways, base.ground, base.demand
    price = rng.uniform(0.6, 1.6, size=stock.usd.shape)
    most = np.array([[1, 1, 0], [1, 2, 1], [2, 2, 1]])
    instance = replace(
        base,
        stock=replace(stock, usd=stock.usd * price, option_usd=stock.option_usd * price),
        ways=replace(ways, rate=ways.rate * rng.uniform(0.7, 1.5, size=ways.rate.shape)),
        ground=replace(
            ground,
            block_most=most,
            block_usd=ground.block_usd * rng.uniform(0.5, 2.0, size=ground.block_usd.shape),
            open_usd=ground.open_usd * (family in ("open", "budget")),
            usd_per_j=ground.usd_per_j * rng.uniform(0.5, 3.0, size=ground.usd_per_j.shape),
        ),
        demand=replace(
            demand,
            requests=demand.requests * rng.uniform(0.6, 1.0),
            # what binds must leave a plan
            unmet_usd=np.array([1e-2, 5e-2]) if family in TIGHT else demand.unmet_usd,
        ),
        money=replace(base.money, option_cash=1.2 * base.money.system_cash),
    )
    return _with(instance, family, rng)


def _with(one: Instance, family: str, rng: np.random.Generator) -> Instance:
    """The instance with its family, drawn so that it often binds."""
    stock, demand = one.stock, one.demand
    never, always = np.zeros(2, bool), np.array([False, True, True])
    if family == "supply":
        return replace(one, stock=replace(stock, supply=stock.supply * rng.uniform(0.3, 0.7, size=stock.supply.shape)))
    if family == "blocks":
        return replace(one, demand=replace(demand, requests=demand.requests * 1.4))
    if family == "share":
        return _policy(one, supplier_share=np.full((3, 2), 1.0) - np.array([0.0, rng.uniform(0.2, 0.6)]))
    if family == "contract":
        watts = np.array([np.nan, 1.0, 1.5]) * rng.uniform(0.5e6, 1.5e6)
        sense = ("at-least", "exactly", "at-most")[int(rng.integers(3))]
        return replace(one, contracts=(Contract("deal", np.array([True, False, False]), watts, "it", sense),))
    if family == "budget":
        return _policy(one, budget_usd=np.array([70e6, 60e6, 60e6]) * rng.uniform(0.5, 0.8))
    if family == "unmet":
        usd = np.array([rng.uniform(0.2, 2.0) * 1e-3, np.inf])
        return replace(one, demand=replace(demand, unmet_usd=usd))
    if family == "risk":
        usd = np.full(2, rng.uniform(2e-3, 2e-2))
        return replace(_policy(one, aversion=rng.uniform(0.5, 4.0), tail=0.3), demand=replace(demand, unmet_usd=usd))
    if family in ("site", "supplier"):
        which = int(rng.integers(2))
        lost = Contingency(
            name=family,
            kind="site" if family == "site" else "supplier",
            site=np.arange(2) == 0 if family == "site" else never,
            systems=stock.supplier == which if family == "supplier" else np.zeros(3, bool),
            depth=0.0,
            share=np.full(2, rng.uniform(0.1, 0.4)) * (np.array([1.0, 0.0]) if which else 1.0),
            periods=always,
        )
        return replace(one, contingencies=(lost,))
    return _more(one, family, rng)


def _more(one: Instance, family: str, rng: np.random.Generator) -> Instance:
    stock, ground, demand, ways = one.stock, one.ground, one.demand, one.ways
    if family == "carbon":
        return replace(_policy(one, carbon_usd_per_kg=0.1, carbon_kg=np.full(3, rng.uniform(1.0e6, 1.8e6))))
    if family == "option":
        few = stock.supply * 0.5
        return replace(one, stock=replace(stock, supply=few, option=few, option_all=few.sum(axis=0) * 0.4))
    if family == "take":
        take = np.zeros((3, 3))
        take[1:, 0] = np.array([0.5, 1.0]) * rng.integers(40, 150)
        return replace(one, stock=replace(stock, take=take))
    if family == "ramp":
        return replace(one, ground=replace(ground, ramp_w=np.array([2.2e6, 1e6]) * rng.uniform(0.4, 0.7)))
    if family == "grid":
        return replace(one, ground=replace(ground, grid_w=np.full((3, 2), rng.uniform(1.5e6, 2.4e6))))
    if family == "life":
        standing = np.zeros((3, 2, 3))
        standing[:2, 0, 1] = 60
        return replace(one, stock=replace(stock, life=np.array([2, 1, 3]), standing=standing))
    if family == "speed":
        speed = rng.uniform(0.7, 1.2, size=(2, 3))
        return replace(one, demand=replace(demand, speed=speed, power_price=np.array([0.5, 3.0])))
    if family == "open":
        return replace(one, ground=replace(ground, open_usd=ground.open_usd * rng.uniform(0.0, 0.4)))
    if family == "pair":
        changed = {
            "decoder": 1,
            "decoder_rate": ways.rate[1] * 1.5,
            "decoder_joules": 400.0,
            "rate": 40.0,
            "joules": 500.0,
        }
        return _way(one, {"cls": 0, "site": 0, "system": 2, "api": -1, "usd": 0.0, **changed})
    if family == "api":
        named = replace(one, names=replace(one.names, apis=("cloud",)))
        limited = _policy(named, api_rate=np.full((3, 1), rng.uniform(50, 300)), api_usd=np.full((3, 1), np.inf))
        none = {"decoder": -1, "decoder_rate": 0.0, "decoder_joules": 0.0, "rate": 0.0, "joules": 0.0}
        usd = rng.uniform(1e-4, 1e-3)
        return _way(limited, {"cls": 0, "site": -1, "system": -1, "api": 0, "usd": usd, **none})
    return one


def _policy(one: Instance, **changes: object) -> Instance:
    return replace(one, policy=replace(one.policy, **changes))


def _way(one: Instance, way: dict[str, float]) -> Instance:
    """The instance with one more way to serve."""
    ways = one.ways
    grown = {
        name: np.append(getattr(ways, name), value).astype(getattr(ways, name).dtype) for name, value in way.items()
    }
    return replace(one, ways=replace(ways, **grown))


def few_systems(seed: int) -> Instance:
    """One hour, scenario, site and service; two offers, up to two of each in two periods: whole systems matter."""
    rng = np.random.default_rng([seed, 99])
    base = tiny_instance(1, 1)
    stock, demand, ground, ways = base.stock, base.demand, base.ground, base.ways
    kept = (ways.cls == 0) & (ways.site == 0)
    supply = np.array([[2.0, 2.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 0.0]])
    return replace(
        base,
        stock=replace(
            stock,
            supply=supply,
            usd=stock.usd * rng.uniform(0.3, 2.0, size=stock.usd.shape),
            block=np.array([[0, 1, 1], [-1, -1, -1]]),
            replica=np.ones_like(stock.replica),
        ),
        ways=replace(
            ways, **{field.name: getattr(ways, field.name)[kept] for field in fields(ways) if field.name != "factor"}
        ),
        ground=replace(ground, block_most=np.array([[1, 1, 0]] * 3), open_usd=0.0 * ground.open_usd),
        demand=replace(
            demand,
            requests=demand.requests * np.array([rng.uniform(0.01, 0.02), 0.0])[:, None, None],
            unmet_usd=np.array([3e-3, np.inf]),
        ),
    )
