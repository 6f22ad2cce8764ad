"""Regret, the value of the stochastic solution, of waiting and of flexibility: signs and sizes that theory demands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from brute_cases import drawn
from tiny_plan import tiny_instance

from meritorder.plan.instance import Instance
from meritorder.plan.model import solve
from meritorder.plan.outcome import Plan
from meritorder.plan.studies.regret import regret
from meritorder.plan.studies.waiting import value_of_waiting

NONE = np.zeros(3, bool)
EXACT = {"gap": 0.0, "whole": NONE}


def planned(instance: Instance) -> Plan:
    return solve(instance, threads=1, **EXACT)  # type: ignore[arg-type]


def unsure(**changes: object) -> Instance:
    """Three scenarios; what isn't served is dear."""
    return tiny_instance(3, 3, demand={"unmet_usd": np.full(2, 2e-2), **changes})


def test_nobody_does_worse_by_knowing() -> None:
    for instance in (unsure(), drawn("risk", 0), drawn("unmet", 1)):
        plan = planned(replace(instance, policy=replace(instance.policy, aversion=0.0)))
        instance = replace(instance, policy=replace(instance.policy, aversion=0.0))
        found = regret(instance, plan, **EXACT)  # type: ignore[arg-type]
        assert (found.regret > -1e-6 * found.cost).all()
        assert found.perfect_information > 0
        assert found.perfect_information == pytest.approx(float(found.probability @ found.regret))
        assert found.stochastic_solution > -1e-6 * plan.objective
        assert (found.mean_plan >= found.foresight * (1 - 1e-6)).all()


def test_with_one_future_there_is_nothing_to_regret() -> None:
    instance = tiny_instance(3, 1)
    plan = planned(instance)
    found = regret(instance, plan, **EXACT)  # type: ignore[arg-type]
    assert found.regret == pytest.approx([0.0], abs=1e-6 * plan.objective)
    assert found.stochastic_solution == pytest.approx(0.0, abs=1e-5 * plan.objective)


def test_a_plan_for_the_mean_fails_where_all_must_be_served() -> None:
    instance = tiny_instance(3, 3)
    found = regret(instance, planned(instance), **EXACT)  # type: ignore[arg-type]
    assert found.mean_unmet[2] > 0.01
    assert found.stochastic_solution == float("inf")


def test_waiting_is_worth_no_more_than_knowing() -> None:
    instance = unsure()
    plan = planned(instance)
    know = regret(instance, plan, **EXACT).perfect_information  # type: ignore[arg-type]
    worth = []
    for wait in (2, 1):
        (value,) = value_of_waiting(instance, plan, wait=wait, **EXACT).values  # type: ignore[arg-type]
        assert value.name == "waiting"
        worth.append(value.usd)
    assert -1e-6 * plan.objective <= worth[0] <= worth[1] <= know * (1 + 1e-6)
    assert worth[1] > 0
    # the other way round: a plan whose scenarios part, against one schedule for all
    apart = replace(instance, decided=np.array([[0, 0, 0], [0, 1, 2], [0, 1, 2]]))
    (value,) = value_of_waiting(apart, planned(apart), **EXACT).values  # type: ignore[arg-type]
    assert value.usd == pytest.approx(worth[1], rel=1e-6)


def test_flexible_demand_batteries_and_options_are_worth_what_they_save() -> None:
    base = tiny_instance(7)
    instance = tiny_instance(
        7,
        demand={"shift_h": np.array([0.0, 8.0])},
        ground={"battery_most_j": np.full(2, 2e9), "battery_usd_per_j": base.ground.battery_usd_per_j * 0.01},
        stock={"supply": base.stock.supply * 0.4, "option": base.stock.supply, "option_all": np.full(3, 1e3)},
    )
    plan = planned(instance)
    found = {value.name: value for value in value_of_waiting(instance, plan, **EXACT).values}  # type: ignore[arg-type]
    assert set(found) == {"flexible demand", "batteries", "options"}
    assert found["options"].usd == float("inf")
    for name in ("flexible demand", "batteries"):
        assert found[name].usd > -1e-6 * plan.objective
    assert found["flexible demand"].usd > 1e-4 * plan.objective


def test_a_large_instance_waits_in_its_relaxation() -> None:
    instance = tiny_instance(9, 3, demand={"unmet_usd": np.full(2, 2e-2)})
    plan = planned(instance)
    (small,) = value_of_waiting(instance, plan, wait=1, **EXACT, most=100).values  # type: ignore[arg-type]
    (whole,) = value_of_waiting(instance, plan, wait=1, **EXACT).values  # type: ignore[arg-type]
    assert small.how == "linear relaxation, 3 hours"
    assert small.usd == pytest.approx(whole.usd, rel=0.3)
