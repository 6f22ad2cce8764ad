"""Duality of the plan's linear program, and what its duals are shown as."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from brute_cases import FAMILIES, drawn
from tiny_plan import tiny_instance

from meritorder.plan.instance import Instance
from meritorder.plan.model import Infeasible, solve
from meritorder.plan.outcome import Plan
from meritorder.plan.studies.findings import Price
from meritorder.plan.studies.fixed import Fixed
from meritorder.plan.studies.prices import shadow_prices

NONE = np.zeros(3, bool)


def planned(family: str, seed: int = 0) -> tuple[Instance, Plan]:
    instance = drawn(family, seed)
    return instance, solve(instance, gap=0.0, threads=1, whole=NONE)


@pytest.mark.parametrize("family", FAMILIES)
def test_strong_duality_and_complementary_slackness(family: str) -> None:
    instance, plan = planned(family)
    fixed = Fixed(instance, plan.builds)
    arrays, y, d = fixed.arrays, fixed.row_duals, fixed.column_duals
    assert fixed.objective * fixed.usd == pytest.approx(plan.objective, rel=1e-6)
    bounded = 0.0
    for dual, lower, upper in ((y, arrays.row_lower, arrays.row_upper), (d, arrays.lower, arrays.upper)):
        bound = np.where(dual > 0, lower, upper)
        on = np.abs(dual) > 1e-9
        bounded += float((dual[on] * bound[on]).sum())  # an infinite bound with a dual would make it infinite
    assert bounded == pytest.approx(fixed.objective, rel=1e-6)
    row = np.repeat(np.arange(len(y)), np.diff(arrays.starts))
    activity = np.bincount(row, arrays.values * fixed.values[arrays.indices], minlength=len(y))
    for dual, value, lower, upper in (
        (y, activity, arrays.row_lower, arrays.row_upper),
        (d, fixed.values, arrays.lower, arrays.upper),
    ):
        assert np.abs((value - lower)[dual > 1e-7]).max(initial=0.0) < 1e-5
        assert np.abs((value - upper)[dual < -1e-7]).max(initial=0.0) < 1e-5
    # reduced cost = cost - y'A
    priced = arrays.cost - np.bincount(arrays.indices, y[row] * arrays.values, minlength=len(d))
    assert np.abs(priced - d).max() < 1e-6


def kept_cost(instance: Instance, plan: Plan) -> float:
    """Least cost with the plan's blocks."""
    fixed = Fixed(instance, plan.builds)
    return fixed.objective * fixed.usd


def moved(instance: Instance, price: Price, by: float) -> Instance:
    """The instance with the limit of a price moved by so many of its units."""
    names, stock, ground, policy = instance.names, instance.stock, instance.ground, instance.policy
    t = names.periods.index(price.period)
    change = np.zeros(len(names.periods))
    change[t] = by
    if price.limit == "supply":
        supply = stock.supply + change[:, None] * (np.array(names.systems) == price.name)
        return replace(instance, stock=replace(stock, supply=supply))
    if price.limit == "block":
        more = change[:, None] * (np.array(names.blocks) == price.name) * 1e6 / ground.block_w
        block_standing, block_most = ground.block_standing + more, ground.block_most + more
        return replace(instance, ground=replace(ground, block_standing=block_standing, block_most=block_most))
    if price.limit == "grid":
        grid = ground.grid_w + 1e6 * change[:, None] * (np.array(names.sites) == price.name)
        return replace(instance, ground=replace(ground, grid_w=grid))
    if price.limit == "share":
        share = policy.supplier_share + 0.01 * change[:, None] * (np.array(names.suppliers) == price.name)
        return replace(instance, policy=replace(policy, supplier_share=share))
    if price.limit == "carbon":
        return replace(instance, policy=replace(policy, carbon_kg=policy.carbon_kg + 1e3 * change))
    return replace(instance, policy=replace(policy, budget_usd=policy.budget_usd + change))


@pytest.mark.parametrize(
    ("family", "limit", "step"),
    [
        *(("supply", "supply", 0.02), ("grid", "grid", 1e-3), ("share", "share", 1e-2), ("carbon", "carbon", 0.1)),
        *(("budget", "budget", 1e3), ("blocks", "block", 1e-3)),
    ],
)
def test_a_price_is_the_change_of_the_least_cost(family: str, limit: str, step: float) -> None:
    compared = 0
    for seed in range(5):
        try:
            instance, plan = planned(family, seed)
        except Infeasible:
            continue
        base = kept_cost(instance, plan)
        prices = shadow_prices(instance, plan, shown=50)
        for price in [one for one in prices.limits if one.limit == limit][:2]:
            t = instance.names.periods.index(price.period)
            per = instance.years[t] if "year" in price.unit else 1.0
            scale = 1.0 / (instance.discount[t] * per * step)
            more = (base - kept_cost(moved(instance, price, step), plan)) * scale
            less = (kept_cost(moved(instance, price, -step), plan) - base) * scale
            assert more <= price.usd * (1 + 1e-3) + 1e-3
            assert price.usd <= less * (1 + 1e-3) + 1e-3
            assert price.more <= price.usd <= price.less
            compared += 1
    assert compared >= 2


def test_the_marginal_cost_of_a_service_is_that_of_a_little_more_of_it() -> None:
    instance, plan = planned("plain")
    prices = shadow_prices(instance, plan, shown=0)
    step, base = 1e-4, kept_cost(instance, plan)
    demand = instance.demand
    tokens = np.einsum("tkrj,tr,j,k->tk", demand.requests, demand.seconds, demand.probability, demand.tokens) / 1e6
    for marginal in prices.marginal:
        t, k = instance.names.periods.index(marginal.period), instance.names.services.index(marginal.service)
        requests = demand.requests.copy()
        requests[t, k] *= 1 + step
        more = kept_cost(replace(instance, demand=replace(demand, requests=requests)), plan) - base
        assert more / (step * tokens[t, k] * instance.discount[t]) == pytest.approx(marginal.usd_per_mtok, rel=2e-2)
        assert marginal.usd_per_mtok > 0


def test_a_millisecond_is_worth_the_systems_that_it_frees() -> None:
    instance, _ = planned("plain")
    factor = np.linspace(0.9, 1.1, 3 * len(instance.ways.cls)).reshape(3, -1)
    instance = replace(instance, ways=replace(instance.ways, factor=factor))
    plan = solve(instance, gap=0.0, threads=1, whole=NONE)
    slopes = 0.2 * instance.ways.rate  # 20 % more a second
    prices = shadow_prices(instance, plan, slopes=slopes, shown=0)
    step, base = 1e-3, kept_cost(instance, plan)
    for service in range(2):
        mine = instance.ways.cls == service
        rate = instance.ways.rate + np.where(mine, slopes, 0.0) * step
        saved = base - kept_cost(replace(instance, ways=replace(instance.ways, rate=rate)), plan)
        told = [price for price in prices.slo if price.service == instance.names.services[service]]
        total = sum(price.usd_per_ms * instance.discount[t] for t, price in enumerate(told))
        assert saved == pytest.approx(total, rel=2e-2)
        assert total > 0


def test_what_does_not_bind_has_no_price() -> None:
    instance = tiny_instance(2)
    plan = solve(instance, gap=0.0, threads=1, whole=NONE)
    limits = {(price.limit, price.name) for price in shadow_prices(instance, plan, shown=0).limits}
    assert not any(limit in ("grid", "share", "carbon", "budget", "ramp") for limit, _ in limits)
