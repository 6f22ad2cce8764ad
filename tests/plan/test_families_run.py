"""What runs: each family binds, and without it the answer changes as worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from little import ALONE, SECONDS, M, little

from meritorder.plan.instance import Instance
from meritorder.plan.model import Infeasible, solve
from meritorder.plan.outcome import Plan


def solution(instance: Instance) -> Plan:
    return solve(instance, gap=1e-7, threads=1)


def usd(instance: Instance) -> float:
    return solution(instance).objective


def by_hour(*requests: float) -> Any:
    """[1,1,R,1] to fill the demand's [T,K,R,J]."""
    return np.array(requests).reshape(1, 1, -1, 1)


def test_availability() -> None:
    assert usd(little(stock={"availability": 0.5})) == pytest.approx(2 * ALONE)


def test_speed_of_a_scenario() -> None:
    # Half as fast in one of two scenarios: built for it in both.
    assert usd(little(scenarios=2, demand={"speed": [[1.0], [0.5]]})) == pytest.approx(2 * ALONE)


def test_models_are_placed_for_all_hours_of_a_period() -> None:
    # Two classes in turn: of one model they share ten systems, of two models each needs its own.
    turns = {"requests": np.array([[100, 1e-9], [1e-9, 100]]).reshape(1, 2, 2, 1)}
    one = solution(little(classes=2, hours=2, demand=turns))
    two = solution(little(classes=2, hours=2, models=2, demand=turns))
    assert one.objective == pytest.approx(ALONE, rel=1e-6)
    assert two.objective == pytest.approx(2 * ALONE, rel=1e-6)
    assert two.build.placed[0, 0, 0].tolist() == pytest.approx([10, 10])


def test_pairs_use_two_systems() -> None:
    # Prompts at 20 requests/s on h0, decoding at 50 on h1: 5 + 2 systems instead of ten.
    instance = little(systems=2)
    ways = instance.ways
    pair = {"cls": 0, "site": 0, "system": 0, "rate": 20.0, "joules": 1.0, "usd": 0.0, "api": -1}
    pair |= {"decoder": 1, "decoder_rate": 50.0, "decoder_joules": 3.0}
    both = replace(ways, **{name: np.append(getattr(ways, name), value) for name, value in pair.items()})
    plan = solution(replace(instance, ways=both))
    assert plan.build.systems[0, 0].tolist() == [5, 2]
    assert plan.objective == pytest.approx(12 * M)
    assert plan.operation.it_w[0, 0, 0, 0] == pytest.approx(100 * (1.0 + 3.0))
    assert usd(instance) == pytest.approx(ALONE)


def test_cooling() -> None:
    # Systems that draw 100 kW idle, in a block that can carry away half.
    hot = little(stock={"idle_w": 1e5}, ground={"cooled": 0.5})
    assert usd(hot) == pytest.approx(ALONE + 5 * M)
    assert usd(little(stock={"idle_w": 1e5})) == pytest.approx(ALONE)


def test_energy_of_the_dearest_piece() -> None:
    # 1 MW idle; 0.1 x capacity + 1.1 x IT is more than 1.15 x IT: 1.2 MW at 1 USD/MJ.
    pieces = {"pieces": np.array([[0.1, 1.1], [0.0, 1.15]]), "usd_per_j": 1e-6}
    instance = little(stock={"idle_w": 1e5})
    ground = replace(
        instance.ground, pieces=np.broadcast_to(pieces["pieces"], (2, 1, 1, 2, 2)), usd_per_j=np.full((2, 1, 1), 1e-6)
    )
    plan = solution(replace(instance, ground=ground))
    assert plan.operation.facility_w[0, 0, 0, 0] == pytest.approx(1.2 * M)
    assert plan.objective == pytest.approx(ALONE + 2 * 1.2e6 * SECONDS * 1e-6)


def test_energy_of_requests() -> None:
    instance = little(demand={"power_price": 2.0}, ground={"usd_per_j": 1e-6}, ways={"joules": 1000.0})
    assert usd(instance) == pytest.approx(ALONE + 2 * 100 * 1000 * SECONDS * 1e-6 * 2)


def test_grid() -> None:
    # Each request/s takes 10 kW with losses of a quarter; 1 MW of grid carries 80.
    demand = {"unmet_usd": 1.0}
    ways, ground = {"joules": 1e4}, {"pieces": [0.0, 1.25]}
    plan = solution(little(demand=demand, ways=ways, ground={**ground, "grid_w": 1 * M}))
    assert plan.operation.unmet[:, 0, 0, 0] == pytest.approx([20, 20])
    assert plan.operation.grid_w[0, 0, 0, 0] == pytest.approx(1 * M)
    assert plan.objective == pytest.approx(8 * M + 5 * M + 40 * M)
    assert usd(little(demand=demand, ways=ways, ground=ground)) == pytest.approx(ALONE)


def test_api_serves_what_is_cheaper_there() -> None:
    # 1e-2 USD x 100 requests/s x 1e6 s = 1 M$ a period instead of 15 M$ once; at 40 requests/s six systems remain.
    free = little(apis=1, ways={"usd": [0.0, 1e-2]})
    assert usd(free) == pytest.approx(2 * M)
    assert usd(little(apis=1, ways={"usd": [0.0, 1e-2]}, policy={"api_rate": 40})) == pytest.approx(
        6 * M + 5 * M + 2 * 0.4 * M
    )


def test_api_budget() -> None:
    # 0.3 M$ a period pays for 30 of the 100 requests/s.
    plan = solution(little(apis=1, ways={"usd": [0.0, 1e-2]}, policy={"api_usd": 0.3 * M}))
    assert plan.build.systems[0, 0, 0] == 7
    assert plan.objective == pytest.approx(7 * M + 5 * M + 2 * 0.3 * M)


def test_carbon() -> None:
    # 1 g a joule where systems are cheap, none where they cost three times as much; 10 of 100 kt are allowed.
    def twins(**policy: Any) -> Instance:
        instance = little(sites=2, systems=2, ways={"joules": 1000.0}, policy=policy)
        stock, ground = instance.stock, instance.ground
        block, kg = stock.block.copy(), ground.kg_per_j.copy()
        block[0, 1] = block[1, 0] = -1
        kg[:, 0] = 1e-3
        dear = np.tile([1 * M, 3 * M], (2, 1))
        return replace(instance, stock=replace(stock, block=block, usd=dear), ground=replace(ground, kg_per_j=kg))

    # All in s0: 100 requests/s x 1 kJ x 1e6 s x 1e-3 kg/J = 1e8 kg a period.
    assert usd(twins()) == pytest.approx(ALONE)
    plan = solution(twins(carbon_kg=6e7))
    assert plan.build.systems[0].diagonal().tolist() == [6, 4]
    assert plan.objective == pytest.approx(6 * M + 12 * M + 10 * M)
    # Over both periods together the second may have more, but what stands in the first stays.
    assert usd(twins(carbon_kg=[2e7, 10e7], year=np.zeros(2, np.int64))) == pytest.approx(28 * M)
    assert usd(twins(carbon_usd_per_kg=1e-3)) == pytest.approx(ALONE + 2 * 1e5)


def test_unmet_demand_is_weighed() -> None:
    # A request/s missed for both periods costs 0.04 M$, a tenth of a system and its block 0.15 M$.
    plan = solution(little(demand={"unmet_usd": 0.02}))
    assert plan.build.delivered.sum() == 0
    assert plan.objective == pytest.approx(100 * 2 * 0.02 * M)
    assert plan.costs.paid == pytest.approx([0])


def test_flexible_demand_is_moved_later_and_kept() -> None:
    # Two hours of a day, 150 and 50: levelled by those that may wait for twelve hours.
    day = {"requests": by_hour(150, 50)}
    rigid, free = (solution(little(hours=2, demand={**day, "shift_h": wait})) for wait in (0, 12))
    assert rigid.objective == pytest.approx(25 * M)
    assert free.objective == pytest.approx(ALONE)
    served = free.operation.served[:, :, 0].sum(axis=2)
    assert (served * free_seconds(2)).sum(axis=1) == pytest.approx([100 * SECONDS] * 2)
    # An hour's wait does not reach from one to the other.
    assert usd(little(hours=2, demand={**day, "shift_h": 1})) == pytest.approx(25 * M)


def free_seconds(hours: int) -> float:
    return SECONDS / hours


def test_design_hour_is_lowered_as_far_as_the_day_can_be_levelled() -> None:
    # Typical hours 150 and 50 (twelve hours each), a design hour of 150: with twelve hours' wait 2/3 must be served.
    instance = little(hours=3, demand={"requests": by_hour(150, 50, 150), "clock": [0, 12, np.nan], "shift_h": 12})
    seconds = np.tile([SECONDS / 2, SECONDS / 2, 0.0], (2, 1))
    instance = replace(instance, demand=replace(instance.demand, seconds=seconds))
    assert usd(instance) == pytest.approx(ALONE)
    rigid = replace(instance, demand=replace(instance.demand, shift_h=np.zeros(1)))
    assert usd(rigid) == pytest.approx(25 * M)


BATTERY: dict[str, Any] = {"battery_most_j": 1e12, "battery_usd_per_j": 1e-6, "battery_efficiency": 0.5}


def test_battery_shaves_the_peak() -> None:
    """1.5 MW against 1 MW of grid: 0.5 MW for twelve hours come out of the battery, and twice that goes in."""
    way = {"joules": 1e4}
    day = {"requests": by_hour(150, 0), "unmet_usd": 1e3}
    ground = {"grid_w": 1 * M, **BATTERY}
    plan = solution(little(hours=2, demand=day, ways=way, ground=ground))
    energy = 0.5 * M * 12 * 3600
    assert plan.build.battery_j[:, 0] == pytest.approx([energy, energy])
    assert plan.operation.unmet.sum() == pytest.approx(0, abs=1e-6)
    flow = plan.operation.grid_w[0, :, 0, 0] - plan.operation.facility_w[0, :, 0, 0]
    assert flow == pytest.approx([-0.5 * M, 1 * M], rel=1e-5)
    without = solution(little(hours=2, demand=day, ways=way, ground={"grid_w": 1 * M}))
    assert without.operation.unmet[0, 0, :, 0] == pytest.approx([50, 0])


def test_battery_balance_holds_where_the_grid_is_full() -> None:
    # 0.8 MW idle hours leave 0.2 MW to charge, half of it is lost: 0.1 MW of the 0.5 missing.
    day = {"requests": by_hour(150, 80), "unmet_usd": 1e3}
    plan = solution(little(hours=2, demand=day, ways={"joules": 1e4}, ground={"grid_w": 1 * M, **BATTERY}))
    assert plan.operation.unmet[0, 0, :, 0] == pytest.approx([40, 0], abs=1e-4)


def test_battery_in_the_design_hour_lasts_for_four() -> None:
    stands = {"battery_w": 1 * M, "battery_j": 0.8 * M * 3600, "grid_w": 1 * M}
    instance = little(
        hours=1, demand={"requests": by_hour(120), "clock": [np.nan]}, ways={"joules": 1e4}, ground=stands
    )
    instance = replace(instance, demand=replace(instance.demand, seconds=np.zeros((2, 1))))
    assert usd(instance) == pytest.approx(12 * M + 10 * M)
    with pytest.raises(Infeasible):
        solution(replace(instance, ground=replace(instance.ground, battery_j=np.full(1, 0.7 * M * 3600))))
