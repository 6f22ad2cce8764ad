"""A standing plan, run on everything: the same costs as the planner's where it saw everything, and what it can't do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from little import M, contingency, little
from tiny_plan import tiny_instance

from meritorder.plan.axes import select
from meritorder.plan.check import check
from meritorder.plan.costs import objective_of
from meritorder.plan.instance import Instance
from meritorder.plan.model import solve


def busy(hours: int = 4, scenarios: int = 3) -> Instance:
    """All that operation knows at once: two models, batteries, waiting, a grid that binds, prices of unmet demand."""
    instance = tiny_instance(hours, scenarios)
    demand = replace(instance.demand, shift_h=np.array([0.0, 8.0]), unmet_usd=np.array([1e-2, 1e-2]))
    ground = replace(
        instance.ground,
        grid_w=np.array([[1.2e6, 1e6], [2e6, 1.5e6], [2.5e6, 2e6]]),
        battery_w=np.array([1e5, 0.0]),
        battery_j=np.array([4e5 * 3600, 0.0]),
        battery_most_j=np.array([1e6 * 3600, 1e6 * 3600]),
    )
    return replace(instance, demand=demand, ground=ground)


def test_the_check_agrees_with_the_planner_where_it_saw_everything() -> None:
    instance = busy()
    plan = solve(instance, gap=0.05, threads=1)
    found = check(instance, plan.builds)
    assert plan.operation.unmet.sum() > 0
    assert found.objective == pytest.approx(plan.objective, rel=1e-7)
    assert objective_of(instance, found.costs) == pytest.approx(found.objective)
    assert found.costs.by_scenario == pytest.approx(plan.costs.by_scenario, rel=1e-6)


def test_demand_is_served_or_missed() -> None:
    instance = busy()
    found = check(instance, solve(instance, gap=0.05, threads=1).builds)
    demand, ways = instance.demand, instance.ways
    served = np.zeros(demand.requests.shape)
    for way, cls in enumerate(ways.cls):
        served[:, cls] += found.operation.served[..., way]
    rest = demand.requests - served - found.operation.unmet
    rigid = demand.shift_h == 0
    assert rest[:, rigid] == pytest.approx(0, abs=1e-3)
    # What waits is served in another hour of the day; the design hour's is in no day.
    day = np.einsum("tkrj,tr->tkj", rest, demand.seconds) / demand.seconds.sum(axis=1)[:, None, None]
    assert day == pytest.approx(0, abs=1e-3)
    assert np.abs(rest[:, ~rigid]).max() > 1


def test_power_is_what_the_systems_and_the_building_draw() -> None:
    instance = busy()
    plan = solve(instance, gap=0.05, threads=1)
    found, stock, ground = check(instance, plan.builds), instance.stock, instance.ground
    it = np.zeros(found.operation.it_w.shape)
    for (site, system), block in np.ndenumerate(stock.block):
        it[..., block] += (plan.build.systems[:, site, system] * stock.idle_w[system])[:, None, None]
    for way in range(len(instance.ways.cls)):
        block = stock.block[instance.ways.site[way], instance.ways.system[way]]
        it[..., block] += found.operation.served[..., way] * instance.ways.joules[way]
    assert found.operation.it_w == pytest.approx(it, rel=1e-5, abs=1.0)
    assert (found.operation.grid_w <= ground.grid_w[:, None, None] * (1 + 1e-6)).all()
    # A day's charge comes out again, less the losses.
    flow = found.operation.grid_w - found.operation.facility_w
    per_day = np.einsum(
        "trjs,tr->tjs", np.where(flow > 0, flow * ground.battery_efficiency, flow), instance.demand.seconds
    )
    assert np.abs(flow).max() > 1e4
    assert per_day / instance.demand.seconds.sum() == pytest.approx(0, abs=5.0)


def test_what_must_be_served_and_is_not_is_short() -> None:
    instance = little()
    build = solve(instance).build
    grown = replace(instance, demand=replace(instance.demand, requests=instance.demand.requests * 1.25))
    found = check(grown, build)
    assert not found.holds
    assert found.short[:, 0, 0, 0] == pytest.approx([25, 25])
    assert found.costs.unmet.sum() == 0
    assert check(instance, build).holds


def test_a_pool_without_the_model_serves_nothing() -> None:
    instance = little(classes=2, models=2, demand={"unmet_usd": 1.0})
    plan = solve(instance, gap=1e-7)
    placed = plan.build.placed.copy()
    placed[..., 1] = 0
    found = check(instance, replace(plan.build, placed=placed))
    assert found.operation.unmet[:, 1, 0, 0] == pytest.approx([100, 100])
    assert found.operation.unmet[:, 0, 0, 0] == pytest.approx([0, 0])


def test_api_budget_joins_the_scenarios() -> None:
    # 1e-2 USD x 1e6 s: 0.3 M$ expected pay for 60 requests/s in the one scenario that has nothing else.
    demand = {"requests": np.array([0.0, 100.0]).reshape(1, 1, 1, 2), "unmet_usd": 1.0}
    instance = little(scenarios=2, apis=1, demand=demand, ways={"usd": [0.0, 1e-2]}, policy={"api_usd": 0.3 * M})
    instance = replace(instance, stock=replace(instance.stock, supply=np.zeros((2, 1))))
    found = check(instance, solve(instance).builds)
    assert found.operation.unmet[:, 0, 0, 1] == pytest.approx([40, 40])


def test_a_contingency_that_is_not_survived() -> None:
    instance = contingency(little(sites=2), "site", 0.5, site=np.array([True, True]))
    build = solve(little(sites=2)).build
    found = check(instance, build)
    assert [fall.name for fall in found.violated] == ["site", "site"]
    assert found.violated[0].missed == pytest.approx([1.0])
    assert found.objective == pytest.approx(check(little(sites=2), build).objective)


def test_select_keeps_what_belongs_together() -> None:
    instance = tiny_instance(6, 3)
    part = select(instance, T=[1], R=[0, 5], J=[2])
    assert part.shape | {"T": 1, "R": 2, "J": 1} == part.shape
    assert part.demand.requests[0, 1, 1, 0] == instance.demand.requests[1, 1, 5, 2]
    assert part.ground.usd_per_j[0, 1, 1] == instance.ground.usd_per_j[1, 1, 5]
    assert part.names.scenarios == ("high",)
