"""Contracts, contingencies and policy as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from meritorder.fleet.plan.promises import Survive
from meritorder.fleet.schema import Fleet
from meritorder.plan.assemble import spans
from meritorder.plan.assemble.stock import suppliers_of
from meritorder.plan.horizon import Horizon
from meritorder.plan.instance import Bools, Contingency, Contract, Floats, Policy
from meritorder.plan.systems import System


def contracts_of(fleet: Fleet, horizon: Horizon, systems: Mapping[str, System]) -> tuple[Contract, ...]:
    """Each from the period in which its month is."""
    assert fleet.plan is not None
    found = []
    for name, asked in fleet.plan.contracts.items():
        mine = [
            offer in asked.offers if asked.offers else asked.supplier in ("", system.supplier)
            for offer, system in systems.items()
        ]
        found.append(Contract(name, np.array(mine, bool), spans.due(asked.power, horizon), asked.measure, asked.sense))
    return tuple(found)


def contingencies_of(
    fleet: Fleet, horizon: Horizon, systems: Mapping[str, System], services: Sequence[str]
) -> tuple[Contingency, ...]:
    """Every loss that has to be survived. `services` [K]: of each class."""
    assert fleet.plan is not None
    survive, sites, offers = fleet.plan.policy.survive, list(fleet.plan.sites), list(systems)
    periods = _periods(survive, horizon)
    nowhere, nothing, whole = np.zeros(len(sites), bool), np.zeros(len(offers), bool), np.zeros(len(sites))
    found = []
    if survive.site:
        share = _share(survive.site, services)
        for s, site in enumerate(sites):
            found.append(Contingency(f"site {site}", "site", _only(s, len(sites)), nothing, whole, share, periods))
    if survive.supplier:
        share = _share(survive.supplier, services)
        for supplier in suppliers_of(systems):
            lost = np.array([system.supplier == supplier for system in systems.values()], bool)
            found.append(Contingency(f"supplier {supplier}", "supplier", nowhere, lost, whole, share, periods))
    if survive.late:
        share = _share(survive.late, services)
        for h, offer in enumerate(offers):
            found.append(Contingency(f"late {offer}", "late", nowhere, _only(h, len(offers)), whole, share, periods))
    if survive.curtailment:
        share = _share(survive.curtailment, services)
        asked = [ground.curtailment for ground in fleet.plan.sites.values()]
        depth = np.array([one.depth if one else 0.0 for one in asked])
        found.append(Contingency("curtailment", "curtail", depth > 0.0, nothing, depth, share, periods))
    return tuple(found)


def policy_of(fleet: Fleet, horizon: Horizon, systems: Mapping[str, System]) -> Policy:
    """Limits by period; those that are said a year hold for the year's periods together."""
    plan = fleet.plan
    assert plan is not None
    policy, apis = plan.policy, list(plan.apis.values())
    count = len(horizon.names)
    most = [
        policy.supplier_share.get(name, policy.supplier_share.get("default", 1.0)) for name in suppliers_of(systems)
    ]
    begins = 0 if policy.share_from is None else max(0, horizon.period_of(policy.share_from))
    share = np.tile(np.array(most, np.float64), (count, 1))
    share[:begins] = 1.0
    rate = [np.inf if api.most_requests_per_s is None else api.most_requests_per_s for api in apis]
    usd = [np.inf if api.most_usd_per_month is None else api.most_usd_per_month for api in apis]
    return Policy(
        supplier_share=share,
        carbon_kg=spans.shares_of_years(policy.carbon, horizon),
        carbon_usd_per_kg=fleet.carbon_price_usd_per_kg,
        budget_usd=spans.shares_of_years(policy.budget, horizon),
        api_rate=np.tile(np.array(rate, np.float64), (count, 1)),
        api_usd=np.tile(np.array(usd, np.float64) * spans.length(horizon), (count, 1)),
        aversion=policy.risk.aversion,
        tail=policy.risk.tail,
        year=spans.year_of(horizon),
    )


def _share(asked: Mapping[str, float], services: Sequence[str]) -> Floats:
    """[K] part of the demand; nothing of services that neither are named nor have a default."""
    return np.array([asked.get(name, asked.get("default", 0.0)) for name in services], np.float64)


def _periods(survive: Survive, horizon: Horizon) -> Bools:
    """[T] when a loss is asked about: `year-ends` are periods with a December, and the last one."""
    last = np.arange(len(horizon.names)) == len(horizon.names) - 1
    if survive.when == "every-period":
        return np.ones(len(last), bool)
    december = np.array([any(month.endswith("-12") for month in period) for period in horizon.months], bool)
    return np.asarray(last if survive.when == "last" else last | december)


def _only(index: int, count: int) -> Bools:
    return np.asarray(np.arange(count) == index)
