"""Sensitivities: every range of the file is moved to both ends, and the cost with it the right way."""

from __future__ import annotations

import math
from typing import Any

import pytest
from small_plan import made_up, small_fleet
from tiny_plan import tiny_instance

from meritorder.fleet.schema import Fleet
from meritorder.plan.assemble import assemble
from meritorder.plan.demand import demand_of
from meritorder.plan.horizon import of
from meritorder.plan.hours import choose_hours
from meritorder.plan.instance import Instance
from meritorder.plan.model import formulate
from meritorder.plan.sites import site_hours
from meritorder.plan.studies.ranges import at_best, ranges_of
from meritorder.plan.studies.tornado import Relaxed, tornado


def unsure(data: dict[str, Any]) -> None:
    """Scenarios that differ in more than growth; enough supply, so that every end has a plan."""
    data["plan"]["scenarios"] = {
        "calm": {"probability": 0.6, "speed": {"wafer": 1.1}},
        "storm": {"probability": 0.4, "growth": "high", "power_price": 2.0, "demand": {"batch": 1.5}},
    }
    for offer in data["plan"]["offers"].values():
        offer["supply"] = 100


def assembled(fleet: Fleet) -> Instance:
    horizon = of(fleet.plan)
    full = assemble(fleet, horizon, demand_of(fleet), made_up(fleet), site_hours(fleet, horizon))
    return choose_hours(full, 3)


def relaxed(instance: Instance) -> float:
    formulated = formulate(instance)
    return formulated.arrays().solve(relax=True, threads=1).objective * formulated.draft.scale.usd


def test_every_range_moves_the_cost_the_way_it_must() -> None:
    fleet = small_fleet(unsure)
    found = tornado(fleet, assembled)
    bars = {bar.name: bar for bar in found.bars}
    assert {bar.key: (bar.low, bar.high) for bar in found.bars} == {
        "plan.offers.wafer.price": ("500 kUSD", "1 MUSD"),
        "plan.demand.chat.growth.per_year": ("1.5 a year", "3 a year"),
        "plan.scenarios.*.power_price": ("x 1", "x 2"),
        "plan.scenarios.*.speed.wafer": ("x 1", "x 1.1"),
        "plan.scenarios.*.demand.batch": ("x 1", "x 1.5"),
    }
    assert found.cost_usd == pytest.approx(relaxed(assembled(at_best(fleet))), rel=1e-6)
    for name in ("price of wafer", "growth of chat"):
        low, high = bars[name].usd
        assert low < 0 < high
    assert bars["price of electricity"].usd[0] == pytest.approx(0.0, abs=1e-6 * found.cost_usd)
    assert bars["price of electricity"].usd[1] > 0
    assert bars["what wafer carries"].usd[1] < 0 < bars["demand of batch"].usd[1]
    assert bars["growth of chat"].nameplate_w[0] < 0 < bars["growth of chat"].nameplate_w[1]
    widths = [max(bar.usd) - min(bar.usd) for bar in found.bars]
    assert widths == sorted(widths, reverse=True)


def test_an_end_is_the_plan_of_the_file_with_that_figure() -> None:
    fleet = small_fleet(unsure)
    (price,) = (one for one in ranges_of(fleet) if one.name == "price of wafer")

    def cheap(data: dict[str, Any]) -> None:
        unsure(data)
        data["plan"]["offers"]["wafer"]["price"] = "500 kUSD"
        del data["plan"]["scenarios"]

    assert relaxed(assembled(price.ends[0])) == pytest.approx(relaxed(assembled(small_fleet(cheap))), rel=1e-9)


def test_an_end_without_a_plan_has_no_cost() -> None:
    few = tiny_instance(3, stock={"supply": tiny_instance(3).stock.supply * 0.1})
    relaxed = Relaxed()
    assert math.isnan(relaxed.cost(few)[0])
    assert relaxed.cost(tiny_instance(3))[0] > 0
    assert math.isnan(relaxed.cost(few)[0])
