"""The ways of ordering that our plans are compared with."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_plan import tiny_instance

from bench.plan_baselines.greedy import greedy
from bench.plan_baselines.judge import judge, only_supplier
from bench.plan_baselines.melange import melange
from bench.plan_baselines.orders import carried, limited, peak, usd_per_s, within_reach
from meritorder.plan.instance import Floats, Instance

FULL = tiny_instance(hours=5)


def can_serve(full: Instance, wanted: Floats) -> Floats:
    """[T] most of the demand of the busiest hour that fits, were every class alone on all machines that serve it."""
    rate = carried(full)
    return ((wanted[:, :, None] * rate).sum(axis=1) / peak(full)).min(axis=1)


@pytest.mark.parametrize("order", [greedy, melange])
def test_orders_carry_the_demand_and_can_be_had(order: object) -> None:
    wanted = order(FULL)  # type: ignore[operator]
    assert (wanted <= within_reach(FULL) + 1e-9).all()
    assert (can_serve(FULL, wanted) >= 1 - 1e-6).all()


def test_melange_is_hardly_dearer_than_greedy_in_a_period() -> None:
    """Both are sized for the same demand; one is optimal but for its slices where a machine is sold out."""
    usd = usd_per_s(FULL)
    whole = np.ceil(greedy(FULL) - 1e-9)
    assert ((melange(FULL) * usd).sum(axis=1) <= 1.05 * (whole * usd).sum(axis=1) + 1e-9).all()


def test_nothing_beyond_an_order_is_delivered() -> None:
    wanted = greedy(FULL)
    stock = limited(FULL, wanted).stock
    assert (stock.supply <= FULL.stock.supply).all()
    assert not stock.option.any()
    most = FULL.stock.standing.sum(axis=1)[0] + stock.supply.cumsum(axis=0)[-1]
    assert (most <= np.maximum(np.ceil(wanted.max(axis=0)) + FULL.stock.lot, FULL.stock.standing.sum(axis=1)[0])).all()


def test_others_are_no_cheaper_than_our_plan() -> None:
    """They plan within a part of what we may do, so only the gap may lie between."""
    ours = judge("ours", FULL, FULL, hours=5, gap=1e-4)
    assert ours.buildable
    assert ours.holds
    for name, limits in (
        ("greedy", limited(FULL, greedy(FULL))),
        ("one supplier", only_supplier(FULL, 0)),
    ):
        other = judge(name, FULL, limits, hours=5, gap=1e-4)
        assert other.buildable or other.reason, name
        if other.buildable and other.holds:
            assert other.objective >= ours.objective * (1 - 1e-3)
