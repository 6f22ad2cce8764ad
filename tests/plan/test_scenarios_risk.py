"""Scenarios: what is shared before they part, and what aversion to the worst of them buys."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from little import M, little

from meritorder.plan.costs import cvar, objective_of
from meritorder.plan.instance import Instance
from meritorder.plan.model import solve

# 100 requests/s in the first period, then 50, 100 or 200.
PARTING = np.array([[100, 100, 100], [50, 100, 200]]).reshape(2, 1, 1, 3)


def parting(decided: list[list[int]], **policy: float) -> Instance:
    demand = {"requests": PARTING, "unmet_usd": 1.0}
    instance = little(scenarios=3, demand=demand, policy=policy)
    return replace(instance, decided=np.array(decided))


def test_one_plan_for_all() -> None:
    plan = solve(parting([[0, 0, 0], [0, 0, 0]]), gap=1e-7)
    assert all(np.array_equal(build.delivered, plan.build.delivered) for build in plan.builds)
    assert plan.objective == pytest.approx(30 * M)


def test_what_comes_after_they_part_differs() -> None:
    plan = solve(parting([[0, 0, 0], [0, 0, 1]]), gap=1e-7)
    delivered = np.array([build.delivered[:, 0, 0] for build in plan.builds])
    assert delivered.tolist() == [[10, 0], [10, 0], [10, 10]]
    assert plan.objective == pytest.approx(15 * M + 15 * M / 3)
    assert plan.costs.by_scenario == pytest.approx([15 * M, 15 * M, 30 * M])


def test_they_part_at_once() -> None:
    apart = solve(parting([[0, 1, 2], [0, 1, 2]]), gap=1e-7)
    assert apart.objective == pytest.approx((15 + 15 + 30) / 3 * M)
    # What stands stays: those that parted do not share again what is ordered later.
    low, high = solve(parting([[0, 0, 1], [0, 0, 0]]), gap=1e-7).builds[::2]
    assert high.delivered[1].tolist() == low.delivered[1].tolist()
    assert high.systems[1].sum() >= low.systems[1].sum()


def test_late_in_one_scenario() -> None:
    instance = little(scenarios=2, demand={"late": [[0], [1]], "unmet_usd": 0.2})
    plan = solve(instance, gap=1e-7)
    assert [build.systems[:, 0, 0].tolist() for build in plan.builds] == [[10, 10], [0, 10]]
    assert plan.operation.unmet[:, 0, 0, :].tolist() == [[0, 100], [0, 0]]


def test_cvar_is_its_definition() -> None:
    costs, probability = np.array([1.0, 4.0, 2.0]), np.array([0.5, 0.1, 0.4])
    assert cvar(costs, probability, 0.1) == pytest.approx(4.0)
    assert cvar(costs, probability, 0.3) == pytest.approx((0.1 * 4 + 0.2 * 2) / 0.3)
    assert cvar(costs, probability, 1.0) == pytest.approx(probability @ costs)


def test_aversion_buys_for_the_worst() -> None:
    # Missing 100 requests/s in the third scenario costs 30 M$ there, 10 M$ expected: ten more systems and a block
    # cost 15 M$ in all of them. The mean does not buy them; the worst third does.
    demand = {"requests": PARTING, "unmet_usd": 0.3}
    instance = little(scenarios=3, demand=demand)
    calm = solve(instance, gap=1e-7)
    averse = replace(instance, policy=replace(instance.policy, aversion=1.0, tail=1 / 3))
    plan = solve(averse, gap=1e-7)
    assert calm.build.delivered.sum() == 10
    assert calm.objective == pytest.approx(25 * M)
    assert plan.build.delivered.sum() == 20
    assert plan.objective == pytest.approx(30 * M + 30 * M)
    for answer in (calm, plan):
        worst = cvar(answer.costs.by_scenario, instance.demand.probability, 1 / 3)
        assert worst == pytest.approx(answer.costs.by_scenario.max())
    assert plan.objective == pytest.approx(objective_of(averse, plan.costs))
