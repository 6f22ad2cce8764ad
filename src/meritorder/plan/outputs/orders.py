"""The build schedule: every order of systems, power blocks and batteries, with its dates, its place and its price."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal, TypeAlias

import numpy as np

from meritorder.fleet.plan.offers import Offer
from meritorder.fleet.plan.plan import Plan as Asked
from meritorder.fleet.plan.span import later
from meritorder.plan.horizon import Horizon
from meritorder.plan.instance import Instance
from meritorder.plan.outcome import Build

Kind: TypeAlias = Literal["systems", "blocks", "battery", "opening"]
EVERY = "all"  # an order of every scenario
_LEAST_J = 3.6e3  # a battery of less than 1 Wh is a rounding error of the solver


@dataclass(frozen=True)
class Order:
    """One row of the schedule. `ordered` and `delivered` are months (2026-07); delivery is for a period."""

    kind: Kind
    site: str
    what: str  # offer, kind of block; of a battery and an opening the site
    supplier: str  # of systems
    ordered: str
    delivered: str
    period: str
    count: float  # systems or blocks
    option: float  # of these systems from the offer's option
    power_w: float  # nameplate of the systems, IT power of the blocks, power of the battery
    energy_j: float  # of the battery
    cash_usd: float  # price, not discounted
    scenario: str  # EVERY, or the name of one where scenarios part


def schedule(asked: Asked, horizon: Horizon, instance: Instance, builds: Sequence[Build]) -> list[Order]:
    """Every order of the builds [J], by date of delivery, site, kind. What all scenarios have in common stands once."""
    names = instance.names.scenarios
    lists = [list(_orders(asked, horizon, instance, build)) for build in builds]
    common = set(lists[0]).intersection(*map(set, lists[1:]))
    rows = [order for order in lists[0] if order in common]
    for name, orders in zip(names, lists, strict=False):
        rows += [_of(order, name) for order in orders if order not in common]
    return sorted(rows, key=lambda row: (row.delivered, row.scenario != EVERY, row.site, row.kind, row.what))


def _of(order: Order, scenario: str) -> Order:
    return Order(**{**vars(order), "scenario": scenario})


def _orders(asked: Asked, horizon: Horizon, instance: Instance, build: Build) -> Iterator[Order]:
    """The orders of one build."""
    for t, (period, months) in enumerate(zip(horizon.names, horizon.months, strict=True)):
        yield from _systems(asked, horizon, instance, build, t)
        yield from _blocks(asked, instance, build, t, period, months[0])
        for s, site in enumerate(instance.names.sites):
            opened = build.open[t, s] and not (t and build.open[t - 1, s])
            if opened and instance.money.open_cash[s] > 0:
                cash = float(instance.money.open_cash[s])
                yield _order("opening", site, site, "", months[0], months[0], period, cash=cash)
            energy = build.battery_j[t, s] - (build.battery_j[t - 1, s] if t else 0.0)
            if energy > _LEAST_J:
                power = energy / 3600.0 / instance.ground.battery_hours[s]
                cash = energy * float(instance.money.battery_cash[s])
                yield _order(
                    "battery", site, site, "", months[0], months[0], period, power=power, energy=energy, cash=cash
                )


def _systems(asked: Asked, horizon: Horizon, instance: Instance, build: Build, t: int) -> Iterator[Order]:
    stock, names = instance.stock, instance.names
    for h, offer in enumerate(names.systems):
        by_site = build.delivered[t, :, h]
        comes = _comes(asked.offers[offer], horizon, t)
        left = float(build.option[t, h])  # the option isn't a site's: its systems are told where most are delivered
        for s in np.argsort(-by_site, kind="stable").tolist():
            count = round(float(by_site[s]), 6)  # less is noise of the solver
            if count < 0.5 and count * stock.nameplate_w[h] < 1.0:
                continue
            optional = min(round(left, 6), count)
            left -= optional
            money = instance.money
            cash = (count - optional) * money.system_cash[t, h] + optional * money.option_cash[t, h]
            yield _order(
                "systems",
                names.sites[s],
                offer,
                names.suppliers[stock.supplier[h]],
                later(comes, -ceil(asked.offers[offer].lead)),
                comes,
                horizon.names[t],
                count=count,
                option=optional,
                power=count * float(stock.nameplate_w[h]),
                cash=float(cash),
            )


def _comes(offer: Offer, horizon: Horizon, t: int) -> str:
    """The month of a delivery: the period's first, or the first in which it can come if ordered at the start."""
    soonest = max(later(horizon.months[0][0], ceil(offer.lead)), offer.first or "")
    return soonest if horizon.months[t][0] < soonest <= horizon.months[t][-1] else horizon.months[t][0]


def _blocks(asked: Asked, instance: Instance, build: Build, t: int, period: str, month: str) -> Iterator[Order]:
    ground = instance.ground
    bought = build.blocks - ground.block_standing
    new = bought[t] - (bought[t - 1] if t else 0.0)
    for b, name in enumerate(instance.names.blocks):
        if new[b] < 0.5:
            continue
        site, _, kind = name.partition("/")
        lead = asked.sites[site].blocks[kind].lead
        count = float(round(new[b]))
        yield _order(
            "blocks",
            site,
            kind,
            "",
            later(month, -ceil(lead)),
            month,
            period,
            count=count,
            power=count * float(ground.block_w[b]),
            cash=count * float(instance.money.block_cash[t, b]),
        )


def _order(
    kind: Kind,
    site: str,
    what: str,
    supplier: str,
    ordered: str,
    delivered: str,
    period: str,
    *,
    count: float = 1.0,
    option: float = 0.0,
    power: float = 0.0,
    energy: float = 0.0,
    cash: float = 0.0,
) -> Order:
    return Order(
        kind=kind,
        site=site,
        what=what,
        supplier=supplier,
        ordered=ordered,
        delivered=delivered,
        period=period,
        count=count,
        option=option,
        power_w=power,
        energy_j=energy,
        cash_usd=cash,
        scenario=EVERY,
    )
