"""Schedule, cash flow, headroom and fan of a plan: they add up, and agree with its costs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tiny_fleet import tiny_fleet
from tiny_plan import WAFER, tiny_instance

from meritorder.plan.costs import costs_of
from meritorder.plan.horizon import of
from meritorder.plan.instance import Instance
from meritorder.plan.model import solve
from meritorder.plan.outcome import Build, Plan
from meritorder.plan.outputs.assumptions import assumptions
from meritorder.plan.outputs.cash import cash_flow, expected_costs
from meritorder.plan.outputs.fan import fan
from meritorder.plan.outputs.orders import EVERY, Order, schedule
from meritorder.plan.outputs.power import by_supplier, headroom, installed


@pytest.fixture(scope="module")
def planned() -> tuple[Instance, Plan]:
    instance = tiny_instance(4, 2)
    return instance, solve(instance, gap=1e-3, threads=1, whole=np.ones(3, bool))


def orders(instance: Instance, builds: tuple[Build, ...]) -> list[Order]:
    asked = tiny_fleet().plan
    assert asked is not None
    return schedule(asked, of(asked), instance, builds)


def test_the_schedule_holds_what_is_delivered(planned: tuple[Instance, Plan]) -> None:
    instance, plan = planned
    rows = orders(instance, plan.builds)
    for h, name in enumerate(instance.names.systems):
        for t, period in enumerate(instance.names.periods):
            ordered = sum(row.count for row in rows if row.what == name and row.period == period)
            assert ordered == pytest.approx(plan.build.delivered[t, :, h].sum())
    blocks = sum(row.count for row in rows if row.kind == "blocks")
    assert blocks == pytest.approx((plan.build.blocks - instance.ground.block_standing)[-1].sum())
    assert {row.scenario for row in rows} == {EVERY}


def test_orders_are_placed_a_lead_before_they_come(planned: tuple[Instance, Plan]) -> None:
    racks = [row for row in orders(planned[0], planned[1].builds) if row.what == "rack"]
    assert {(row.ordered, row.delivered) for row in racks} <= {("2026-01", "2026-04"), ("2026-04", "2026-07")}
    assert racks


def test_scenarios_that_part_have_orders_of_their_own(planned: tuple[Instance, Plan]) -> None:
    instance, plan = planned
    more = plan.build.delivered.copy()
    more[2, 0, WAFER] += 5
    rows = orders(instance, (plan.build, replace(plan.build, delivered=more)))
    own = [row for row in rows if row.scenario != EVERY]
    assert {row.what for row in own} == {"wafer"}
    assert own[-1].scenario == instance.names.scenarios[1]
    assert own[-1].count == pytest.approx(plan.build.delivered[2, 0, WAFER] + 5)


def test_an_option_is_paid_at_its_price(planned: tuple[Instance, Plan]) -> None:
    instance, plan = planned
    dear = replace(instance.money, option_cash=2.0 * instance.money.system_cash)
    instance = replace(instance, money=dear)
    delivered, option = np.zeros_like(plan.build.delivered), np.zeros_like(plan.build.option)
    delivered[0, :, WAFER], option[0, WAFER] = (3, 5), 6
    build = replace(plan.build, delivered=delivered, option=option)
    rows = [row for row in orders(instance, (build, build)) if row.what == "wafer"]
    assert [(row.site, row.count, row.option) for row in rows] == [("dallas", 3, 1), ("oslo", 5, 5)]
    assert sum(row.cash_usd for row in rows) == pytest.approx((8 + 6) * 0.9e6)
    paid = cash_flow(instance, replace(plan, build=build, builds=(build, build)))
    assert paid["systems"][0] == pytest.approx((8 + 6) * 0.9e6)


def test_cash_is_what_the_orders_cost_and_what_running_costs(planned: tuple[Instance, Plan]) -> None:
    instance, plan = planned
    paid = cash_flow(instance, plan)
    rows = orders(instance, plan.builds)
    for kind, cause in (("systems", "systems"), ("blocks", "blocks")):
        assert paid[cause].sum() == pytest.approx(sum(row.cash_usd for row in rows if row.kind == kind))
    energy = float((paid["energy"] * instance.discount).sum())
    assert energy == pytest.approx(expected_costs(instance, plan.costs)["energy"])
    assert not paid["unmet"].any()


def test_costs_by_cause_add_up_without_the_penalty(planned: tuple[Instance, Plan]) -> None:
    instance, plan = planned
    missed = plan.operation.unmet.copy()
    missed[0, 0, 0, 0] = 1.0
    priced = replace(instance, demand=replace(instance.demand, unmet_usd=np.full(2, 5.0)))
    costs = costs_of(priced, plan.builds, replace(plan.operation, unmet=missed))
    by_cause = expected_costs(priced, costs)
    assert by_cause.pop("unmet") > 0
    assert sum(by_cause.values()) == pytest.approx(float(costs.paid @ priced.demand.probability))


def test_power_adds_up_and_keeps_its_limits(planned: tuple[Instance, Plan]) -> None:
    instance, plan = planned
    total = installed(instance, plan.build).sum(axis=(1, 2))
    assert by_supplier(instance, plan.build).sum(axis=1) == pytest.approx(total)
    found = headroom(instance, plan)
    slack = 1.0 + 1e-6
    assert (found.it <= found.blocks * slack).all()
    assert (found.nameplate <= found.nameplate_limit * slack).all()
    assert (found.cooled <= found.blocks * slack).all()
    assert (found.facility >= found.it - 1.0).all()


def test_the_fan_says_what_is_served(planned: tuple[Instance, Plan]) -> None:
    instance, plan = planned
    found = fan(instance, plan)
    assert (found.served == found.demand).all()
    assert (found.capacity * (1 + 1e-6) >= found.demand.max(axis=2)).all()
    missed = plan.operation.unmet.copy()
    missed[:, 1] = 0.5 * instance.demand.requests[:, 1]
    short = fan(instance, replace(plan, operation=replace(plan.operation, unmet=missed)))
    assert short.unmet[1] == pytest.approx([0.5, 0.5])
    assert short.served[:, 1] == pytest.approx(0.5 * short.demand[:, 1])
    assert not short.unmet[0].any()


def test_assumptions_name_ranges_with_their_keys() -> None:
    found = {row.key: row for row in assumptions(tiny_fleet())}
    assert (found["plan.offers.wafer.price"].low, found["plan.offers.wafer.price"].high) == ("600 kUSD", "2 MUSD")
    assert "plan.offers.node.price" not in found  # no range, nothing to assume
    machines = [row for row in assumptions(tiny_fleet()) if row.key.startswith("catalog")]
    assert machines
    assert all(row.source and row.confidence for row in machines)
