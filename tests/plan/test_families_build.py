"""What is built: each family binds, and without it the answer changes as worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from little import ALONE, M, little

from meritorder.plan.instance import Contract, Instance
from meritorder.plan.model import Infeasible, solve
from meritorder.plan.outcome import Plan


def solution(instance: Instance) -> Plan:
    return solve(instance, gap=1e-7, threads=1)


def usd(instance: Instance) -> float:
    return solution(instance).objective


# Penalty per request such that a request/s missed for a period costs 1 M$: ten times what a system would.
DEAR = {"unmet_usd": 1.0}


def test_alone() -> None:
    plan = solution(little())
    assert plan.objective == pytest.approx(ALONE)
    assert plan.build.delivered[:, 0, 0].tolist() == [10, 0]
    assert plan.build.blocks[:, 0].tolist() == [1, 1]
    assert plan.costs.by_scenario == pytest.approx([ALONE])


def test_supply_binds() -> None:
    # Six in the first period: 40 requests/s are missed there.
    scarce = little(demand=DEAR, stock={"supply": 6})
    plan = solution(scarce)
    assert plan.operation.unmet[:, 0, 0, 0] == pytest.approx([40, 0])
    assert plan.objective == pytest.approx(ALONE + 40 * M)
    assert usd(little(demand=DEAR)) == pytest.approx(ALONE)


def test_option_is_used_at_its_price() -> None:
    plan = solution(little(stock={"supply": 6, "option": [[9], [0]]}))
    assert plan.build.option[:, 0].tolist() == [4, 0]
    assert plan.objective == pytest.approx(ALONE + 4 * M)
    with pytest.raises(Infeasible):
        solution(little(stock={"supply": 6}))


def test_options_have_a_total() -> None:
    # 6 + 6 of the supply, 4 more each period are wanted; the option gives 5 in all.
    grows = {"requests": np.array([100, 200]).reshape(2, 1, 1, 1), **DEAR}
    stock = {"supply": 6, "option": 10}
    free = solution(little(demand=grows, stock=stock))
    tight = solution(little(demand=grows, stock={**stock, "option_all": 5}))
    assert free.build.option.sum() == pytest.approx(8)
    assert tight.build.option.sum() == pytest.approx(5)
    assert tight.objective == pytest.approx(free.objective + 3 * (10 * M - 2 * M))


def test_take_or_pay() -> None:
    stock = {"take": [[0], [15]], "take_usd": 0.25 * M}
    plan = solution(little(stock=stock))
    assert plan.build.untaken.tolist() == [5]
    assert plan.objective == pytest.approx(ALONE + 5 * 0.25 * M)
    # Dearer than having them: they are taken (and a second block is not needed: they need not stand).
    assert solution(little(stock={**stock, "take_usd": 2 * M})).build.delivered.sum() == 15


def test_age() -> None:
    plan = solution(little(stock={"life": 1}))
    assert plan.build.delivered[:, 0, 0].tolist() == [10, 10]
    assert plan.objective == pytest.approx(ALONE + 10 * M)


def test_standing_systems_that_leave() -> None:
    # Cheaper later, so that nothing is bought before it is needed.
    stock = {"standing": np.array([10, 4]).reshape(2, 1, 1), "usd": [[1.1 * M], [1 * M]]}
    plan = solution(little(stock=stock))
    assert plan.build.delivered[:, 0, 0].tolist() == [0, 6]
    assert plan.build.systems[:, 0, 0].tolist() == [10, 10]


def test_what_is_retired_does_not_come_back() -> None:
    # Standing systems that idle at 100 kW; power is dear in the first period, demand comes in the second.
    late = np.array([0, 100]).reshape(2, 1, 1, 1)
    stock = {"standing": 10, "idle_w": 1e5, "supply": 0}
    dear = {"usd_per_j": np.array([1e-3, 0]).reshape(2, 1, 1)}
    plan = solution(little(demand={"requests": late}, stock=stock, ground=dear))
    assert plan.build.systems[:, 0, 0].tolist() == [10, 10]
    assert plan.objective == pytest.approx(5 * M + 1e6 * 1e6 * 1e-3)


def test_lots() -> None:
    plan = solution(little(stock={"lot": 4}))
    assert plan.build.delivered.sum() == 12
    assert plan.objective == pytest.approx(ALONE + 2 * M)


def test_few_systems_are_whole_and_many_may_be_fractions() -> None:
    few = little(demand={"requests": 95})
    assert solution(few).build.delivered.sum() == 10
    many = little(demand={"requests": 9995})
    assert solution(many).build.delivered.sum() == pytest.approx(999.5)


def test_whole_replicas() -> None:
    # A replica takes four systems: eight are not enough for 100 requests/s, ten hold two replicas only.
    assert solution(little(stock={"replica": 4})).build.delivered.sum() == 12


def test_blocks_are_whole() -> None:
    plan = solution(little(demand={"requests": 110}))
    assert plan.build.blocks[:, 0].tolist() == [2, 2]
    assert plan.objective == pytest.approx(11 * M + 2 * 5 * M)


def test_most_blocks() -> None:
    twice = {"requests": 200, **DEAR}
    free, tight = (solution(little(demand=twice, ground={"block_most": most})) for most in (2, 1))
    assert free.objective == pytest.approx(2 * ALONE)
    assert tight.objective == pytest.approx(ALONE + 2 * 100 * M)


def test_block_step() -> None:
    twice = {"requests": 200, **DEAR}
    plan = solution(little(demand=twice, ground={"block_step": 1}))
    assert plan.build.blocks[:, 0].tolist() == [1, 2]
    assert plan.objective == pytest.approx(2 * ALONE + 100 * M)


def test_oversubscription() -> None:
    fits = little(demand={"requests": 110}, ground={"oversubscription": 1.1})
    assert usd(fits) == pytest.approx(11 * M + 5 * M)


def test_opening_is_paid_once() -> None:
    # The site whose blocks are cheaper costs 6 M$ to open: with one block it isn't worth it, with two it is.
    ground = {"block_usd": [5 * M, 1 * M], "open_usd": [0, 6 * M]}
    one = solution(little(sites=2, ground=ground))
    two = solution(little(sites=2, ground=ground, demand={"requests": 200}))
    assert one.objective == pytest.approx(ALONE)
    assert two.objective == pytest.approx(20 * M + 2 * M + 6 * M)
    assert two.build.open.tolist() == [[False, True], [False, True]]
    assert usd(little(sites=2, ground={**ground, "open_usd": 0})) == pytest.approx(11 * M)


def test_ramp() -> None:
    plan = solution(little(demand=DEAR, ground={"ramp_w": 6e5}))
    assert plan.build.delivered[:, 0, 0].tolist() == [6, 4]
    assert plan.objective == pytest.approx(ALONE + 40 * M)


def test_supplier_share() -> None:
    stock = {"usd": [1 * M, 3 * M]}
    assert usd(little(systems=2, stock=stock)) == pytest.approx(ALONE)
    plan = solution(little(systems=2, stock=stock, policy={"supplier_share": 0.6}))
    assert plan.build.systems[0, 0].tolist() == [6, 4]
    assert plan.objective == pytest.approx(ALONE + 4 * 2 * M)


@pytest.mark.parametrize(
    ("sense", "measure", "watts", "systems"),
    [
        ("at-least", "it", 1.5 * M, 15),
        ("at-least", "facility", 1.5 * M, 12),  # 1.25 W of the grid for a W of IT
        ("exactly", "it", 1.3 * M, 13),
        ("at-least", "it", 0.5 * M, 10),
    ],
)
def test_contract(sense: Any, measure: Any, watts: float, systems: int) -> None:
    due = Contract("due", np.ones(1, bool), np.array([watts, np.nan]), measure, sense)
    pieces = {"pieces": [0.05, 1.2]}
    plan = solution(little(ground=pieces, whole={"contracts": (due,)}))
    assert plan.build.systems[0, 0, 0] == systems
    assert plan.objective == pytest.approx((systems + 5 * -(-systems // 10)) * M)


def test_contract_at_most() -> None:
    dear = {"usd": [1 * M, 3 * M]}
    most = Contract("most", np.array([True, False]), np.full(2, 0.4 * M), "it", "at-most")
    plan = solution(little(systems=2, stock=dear, whole={"contracts": (most,)}))
    assert plan.build.systems[0, 0].tolist() == [4, 6]


def test_budget() -> None:
    # Eleven of the fifteen may be spent in the first period, so six systems and a block come then.
    plan = solution(little(demand=DEAR, policy={"budget_usd": [11 * M, 100 * M]}))
    assert plan.build.delivered[:, 0, 0].tolist() == [6, 4]
    assert plan.objective == pytest.approx(ALONE + 40 * M)


def test_budget_of_a_year_is_shared() -> None:
    plan = solution(little(policy={"budget_usd": [11 * M, 4 * M], "year": np.zeros(2, np.int64)}))
    assert plan.objective == pytest.approx(ALONE)
    with pytest.raises(Infeasible):
        solution(little(policy={"budget_usd": [11 * M, 3 * M], "year": np.zeros(2, np.int64)}))
