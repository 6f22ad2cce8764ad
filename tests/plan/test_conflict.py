"""Planted conflicts of one, two and three limits are found, named and proven."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from tiny_plan import tiny_instance

from meritorder.plan.instance import Contingency, Contract, Instance
from meritorder.plan.model import Infeasible, solve
from meritorder.plan.studies.conflict import explain


def feasible(instance: Instance) -> bool:
    try:
        solve(instance, threads=1, whole=np.zeros(3, bool))
    except Infeasible:
        return False
    return True


def test_a_plan_that_works_has_no_conflict() -> None:
    instance = tiny_instance(3)
    assert feasible(instance)
    assert explain(instance).limits == ()
    assert "no limits conflict" in explain(instance).words


def loosened(instance: Instance, key: str) -> Instance:
    """The instance without the limit of a key."""
    kind, name = key.split(".")[1:3]
    stock, ground, policy, demand = instance.stock, instance.ground, instance.policy, instance.demand
    if kind == "offers":
        supply = stock.supply.copy()
        supply[:, instance.names.systems.index(name)] = 1e4
        return replace(instance, stock=replace(stock, supply=supply))
    if kind == "sites" and key.endswith(".grid"):
        grid = ground.grid_w.copy()
        grid[:, instance.names.sites.index(name)] = np.inf
        return replace(instance, ground=replace(ground, grid_w=grid))
    if kind == "sites":
        most = ground.block_most.copy()
        most[:, instance.names.blocks.index(f"{name}/{key.split('.')[-1]}")] = 50
        return replace(instance, ground=replace(ground, block_most=most))
    if kind == "demand":
        missed = np.where(demand.service == instance.names.services.index(name), 1.0, demand.unmet_usd)
        return replace(instance, demand=replace(demand, unmet_usd=missed))
    if kind == "contracts":
        return replace(instance, contracts=tuple(one for one in instance.contracts if one.name != name))
    share = policy.supplier_share.copy()
    if name == "supplier_share":
        share[:, instance.names.suppliers.index(key.split(".")[-1])] = 1.0
    changes = {
        "supplier_share": {"supplier_share": share},
        "budget": {"budget_usd": np.full_like(policy.budget_usd, np.inf)},
        "carbon": {"carbon_kg": np.full_like(policy.carbon_kg, np.inf)},
    }
    if name == "survive":
        return replace(instance, contingencies=())
    return replace(instance, policy=replace(policy, **changes[name]))


def lost_site(site: int, share: float = 1.0) -> Contingency:
    return Contingency(
        name=f"site {('dallas', 'oslo')[site]}",
        kind="site",
        site=np.arange(2) == site,
        systems=np.zeros(3, bool),
        depth=0.0,
        share=np.full(2, share),
        periods=np.array([False, False, True]),
    )


def owed(watts: list[float], system: int = 0, sense: str = "at-least") -> Contract:
    return Contract("deal", np.arange(3) == system, np.array(watts), "it", sense)  # type: ignore[arg-type]


BASE = tiny_instance(3)
PLANTED: dict[str, tuple[Instance, set[str]]] = {
    "one: nothing serves batch": (
        tiny_instance(
            3,
            ways={
                field.name: getattr(BASE.ways, field.name)[:6] for field in fields(BASE.ways) if field.name != "factor"
            },
        ),
        {"plan.demand.batch"},
    ),
    "two: contract and supply": (
        tiny_instance(3, whole={"contracts": (owed([np.nan, 4e6, np.nan]),)}),
        {"plan.contracts.deal", "plan.offers.wafer.supply"},
    ),
    "two: a site's loss and the land of the other": (
        tiny_instance(
            3, ground={"block_most": np.array([[1, 1, 0]] * 3)}, whole={"contingencies": (lost_site(0, 0.5),)}
        ),
        {"plan.policy.survive.site", "plan.sites.oslo.blocks.cold"},
    ),
    "two: budget and contract": (
        tiny_instance(
            3,
            policy={"budget_usd": np.array([1e9, 1e9, 1e7])},
            stock={"supply": np.full((3, 3), 1e3), "life": np.array([1, 16, 16])},
            whole={"contracts": (owed([np.nan, np.nan, 4e6]),)},
        ),
        {"plan.contracts.deal", "plan.policy.budget"},
    ),
    "three: contract, blocks here and there": (
        tiny_instance(
            3,
            stock={"supply": np.full((3, 3), 1e3)},
            ground={"block_most": np.array([[1, 2, 0]] * 3)},
            whole={"contracts": (owed([np.nan, 3e6, np.nan]),)},
        ),
        {"plan.contracts.deal", "plan.sites.dallas.blocks.cold", "plan.sites.oslo.blocks.cold"},
    ),
    "three: share, supply and demand": (
        tiny_instance(
            3,
            policy={"supplier_share": np.array([[1.0, 0.5]] * 3)},
            stock={"supply": BASE.stock.supply * np.array([0.0, 1.0, 1.0])},
        ),
        {"plan.policy.supplier_share.Chips", "plan.offers.wafer.supply", "plan.demand."},
    ),
    "two: carbon and demand": (
        tiny_instance(3, policy={"carbon_kg": np.array([np.inf, np.inf, 2e5])}),
        {"plan.policy.carbon", "plan.demand."},
    ),
    "two: grid here, land there": (
        tiny_instance(
            3,
            ground={
                "grid_w": np.array([[1e6, np.inf]] * 3),
                "block_most": BASE.ground.block_most * [1, 1, 0],
            },
            stock={"supply": np.full((3, 3), 1e3)},
            demand={"requests": BASE.demand.requests * np.array([1.0, 1e-3])[:, None, None]},
        ),
        {"plan.sites.dallas.grid", "plan.sites.oslo.blocks.cold", "plan.demand.chat"},
    ),
}


def universe(instance: Instance) -> set[str]:
    """All keys that limit it."""
    names = instance.names
    blocks = (name.split("/") for name in names.blocks)
    return {
        *(f"plan.offers.{name}.supply" for name in names.systems),
        *(f"plan.sites.{site}.blocks.{block}" for site, block in blocks),
        *(f"plan.sites.{name}.grid" for name in names.sites),
        *(f"plan.demand.{name}" for name in names.services),
        *(f"plan.contracts.{one.name}" for one in instance.contracts),
        *(f"plan.policy.supplier_share.{name}" for name in names.suppliers),
        *("plan.policy.budget", "plan.policy.carbon", "plan.policy.survive.site"),
    }


def only(instance: Instance, keys: set[str]) -> Instance:
    """The instance with no other limits."""
    for key in sorted(universe(instance) - keys):
        instance = loosened(instance, key)
    return instance


@pytest.mark.parametrize("name", PLANTED)
def test_planted_conflicts_are_found_and_irreducible(name: str) -> None:
    instance, planted = PLANTED[name]
    assert not feasible(instance)
    found = explain(instance)
    assert found.smallest
    keys = {limit.key for limit in found.limits}
    assert len(keys) == len(found.limits) == len(planted)
    assert all(any(key.startswith(one) for key in keys) for one in planted)
    assert not feasible(only(instance, keys))
    for key in keys:
        assert feasible(only(instance, keys - {key})), f"without {key} the others conflict"


@pytest.mark.parametrize("name", ["two: contract and supply", "three: contract, blocks here and there"])
def test_what_a_limit_has_to_give_is_enough_and_no_less_is(name: str) -> None:
    instance = PLANTED[name][0]
    for limit in explain(instance).limits:
        assert limit.enough
        for part, works in ((1.0, True), (0.9 if limit.unit == "MW" else 1 - 1 / limit.amount, False)):
            assert feasible(given(instance, limit.key, part * limit.amount)) == works


def given(instance: Instance, key: str, amount: float) -> Instance:
    """The instance with one limit moved."""
    kind, name = key.split(".")[1:3]
    if kind == "contracts":
        return replace(
            instance, contracts=(replace(instance.contracts[0], watts=instance.contracts[0].watts - amount * 1e6),)
        )
    if kind == "offers":
        supply = instance.stock.supply.copy()
        supply[0, instance.names.systems.index(name)] += amount
        return replace(instance, stock=replace(instance.stock, supply=supply))
    most, step = instance.ground.block_most.copy(), instance.ground.block_step + 10
    most[:, instance.names.blocks.index(f"{name}/{key.split('.')[-1]}")] += int(amount)
    return replace(instance, ground=replace(instance.ground, block_most=most, block_step=step))


def test_conflicts_beyond_the_first_are_told() -> None:
    instance = tiny_instance(
        3,
        whole={"contracts": (owed([np.nan, 4e6, np.nan]), replace(owed([np.nan, np.nan, 9e6], 2), name="racks"))},
    )
    found = explain(instance)
    told = [{limit.key for limit in one.limits} for one in (found, *found.further)]
    assert {"plan.contracts.deal", "plan.offers.wafer.supply"} in told
    assert {"plan.contracts.racks", "plan.offers.rack.supply"} in told
    assert not any(limit.enough for limit in found.limits)
    assert found.words.count("can't hold together") == 2
