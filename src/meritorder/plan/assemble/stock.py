"""Offers as `Stock`: what a system is, when it can come, what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from meritorder.fleet.plan.offers import Offer
from meritorder.fleet.schema import Fleet
from meritorder.plan.assemble import spans
from meritorder.plan.assemble.annuity import charged, in_service
from meritorder.plan.horizon import Horizon
from meritorder.plan.instance import Floats, Money, Stock
from meritorder.plan.systems import System, block_of


def stock_of(
    fleet: Fleet, horizon: Horizon, systems: Mapping[str, System], models: Sequence[str], replica: Floats
) -> Stock:
    """All offers of the plan, in its order. `replica` [H,M]: systems of a replica of each model."""
    plan = fleet.plan
    assert plan is not None
    offers = plan.offers
    sites = list(plan.sites)
    suppliers = suppliers_of(systems)
    blocks = [f"{site}/{kind}" for site in sites for kind in plan.sites[site].blocks]
    stands = np.full((len(sites), len(offers)), -1, np.int64)
    standing = np.zeros((len(horizon.names), len(sites), len(offers)))
    for h, (name, offer) in enumerate(offers.items()):
        for s, site in enumerate(sites):
            kind = block_of(fleet, site, name)
            stands[s, h] = -1 if kind is None else blocks.index(f"{site}/{kind}")
            standing[:, s, h] = offer.standing.get(site, 0)
    every = list(offers.values())
    return Stock(
        supplier=np.array([suppliers.index(system.supplier) for system in systems.values()], np.int64),
        nameplate_w=np.array([system.nameplate_w for system in systems.values()]),
        idle_w=np.array([system.idle_w for system in systems.values()]),
        availability=np.array([offer.availability for offer in every]),
        model_of=tuple(tuple(m for m, model in enumerate(models) if model in offer.runs) for offer in every),
        block=stands,
        usd=_columns([usd_of(offer, horizon) for offer in every], horizon),
        option_usd=_columns([usd_of(offer, horizon, _premium(offer)) for offer in every], horizon),
        life=np.array([spans.periods_of(horizon, offer.term) for offer in every], np.int64),
        lead=np.array([spans.passed(horizon, offer.lead) for offer in every], np.int64),
        lot=np.array([offer.lot for offer in every], np.int64),
        supply=_columns([_supply(offer, horizon) for offer in every], horizon),
        option=_columns([_option(offer, horizon) for offer in every], horizon),
        option_all=np.array([float(offer.option.systems) if offer.option else 0.0 for offer in every]),
        replica=replica,
        take=_columns([_take(offer, horizon) for offer in every], horizon),
        take_usd=np.array([_take_usd(offer, horizon) for offer in every]),
        standing=standing,
    )


def suppliers_of(systems: Mapping[str, System]) -> list[str]:
    """Everyone who sells something, in order."""
    return list(dict.fromkeys(system.supplier for system in systems.values()))


def system_cash(fleet: Fleet, horizon: Horizon, money: Money) -> Money:
    """`money` with what is paid for systems; rent is paid by the period, and at the price of the start."""
    assert fleet.plan is not None
    offers = list(fleet.plan.offers.values())
    price = [_price(offer, horizon) if offer.price else np.zeros(len(horizon.names)) for offer in offers]
    return Money(
        system_cash=_columns(price, horizon),
        option_cash=_columns([p * _premium(offer) for p, offer in zip(price, offers, strict=True)], horizon),
        upkeep_cash=np.array([_each_period(offer, horizon) for offer in offers]),
        block_cash=money.block_cash,
        rent_cash=money.rent_cash,
        open_cash=money.open_cash,
        battery_cash=money.battery_cash,
    )


def usd_of(offer: Offer, horizon: Horizon, factor: float = 1.0) -> Floats:
    """[T] charged within the horizon, discounted, for one delivered in t: price or rent times `factor`, and upkeep."""
    life = spans.periods_of(horizon, offer.term)
    price = factor * _price(offer, horizon)
    if offer.price is None:
        return price * spans.length(horizon) * in_service(horizon, life)
    return charged(horizon, price, life) + _each_period(offer, horizon) * in_service(horizon, life)


def _price(offer: Offer, horizon: Horizon) -> Floats:
    """[T] price of one ordered for t, or its rent a month."""
    span = offer.price if offer.price is not None else offer.rent_per_month
    assert span is not None
    path: Floats = span.best * offer.price_per_year ** spans.since_start(horizon)
    return path


def _each_period(offer: Offer, horizon: Horizon) -> float:
    """Paid for one in service a period: upkeep of the price of the start, or rent."""
    if offer.price is not None:
        return offer.upkeep * offer.price.best * float(horizon.years[0])
    assert offer.rent_per_month is not None
    return offer.rent_per_month.best * spans.length(horizon)


def _premium(offer: Offer) -> float:
    return offer.option.premium if offer.option else 1.0


def _last(offer: Offer, horizon: Horizon) -> int:
    return spans.month_number(horizon, offer.last, len(horizon.all_months) - 1)


def _supply(offer: Offer, horizon: Horizon) -> Floats:
    """[T] most deliveries; none before what is ordered at the horizon's start can come."""
    first = max(int(np.ceil(offer.lead - 1e-9)), spans.month_number(horizon, offer.first, 0))
    return spans.whole_counts(offer.supply, horizon, first, _last(offer, horizon))


def _option(offer: Offer, horizon: Horizon) -> Floats:
    """[T] most deliveries of the option: all of it in any period that has a month of it."""
    if offer.option is None:
        return np.zeros(len(horizon.names))
    first = max(int(np.ceil(offer.lead - 1e-9)), spans.month_number(horizon, offer.option.first, 0))
    last = spans.month_number(horizon, offer.option.last, 0)
    month = np.arange(len(horizon.all_months)).reshape(len(horizon.names), -1)
    open_then = ((month >= first) & (month <= last)).any(axis=1)
    return np.where(open_then, float(offer.option.systems), 0.0)


def _take(offer: Offer, horizon: Horizon) -> Floats:
    """[T] deliveries up to and with t that are paid for in any case."""
    found = np.zeros(len(horizon.names))
    for take in offer.take:
        period = max(0, horizon.period_of(take.by))
        found[period:] = np.maximum(found[period:], take.systems)
    return found


def _take_usd(offer: Offer, horizon: Horizon) -> float:
    """Whole price, or rent over the term, of one that was not taken, discounted at the last deadline."""
    if not offer.take:
        return 0.0
    period = min(len(horizon.names) - 1, max(0, *(horizon.period_of(take.by) for take in offer.take)))
    price = float(_price(offer, horizon)[period])
    if offer.price is not None:
        return price * float(horizon.discount[period])
    months = spans.length(horizon) * (1.0 + horizon.rate) ** (
        -float(horizon.years[0]) * np.arange(spans.periods_of(horizon, offer.term))
    )
    return price * float(months.sum() * horizon.discount[period])


def _columns(columns: Sequence[Floats], horizon: Horizon) -> Floats:
    """[T,n] of n arrays [T]."""
    return np.stack(columns, axis=1) if columns else np.zeros((len(horizon.names), 0))
