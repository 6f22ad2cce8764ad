"""From the fleet file to the arrays that are optimised over, no request is lost and none is counted twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from small_plan import small_fleet, small_instance

from meritorder.plan.demand import demand_of
from meritorder.plan.horizon import YEAR_S
from meritorder.plan.hours import choose_hours


def busy(data: dict[str, Any]) -> None:
    """Three regions round the world, days with peaks, an S-curve and two scenarios."""
    data["regions"] = {"east": {"utc_offset": -5}, "west": {"utc_offset": 9.5}}
    chat, batch = data["plan"]["demand"]["chat"], data["plan"]["demand"]["batch"]
    chat |= {
        "day": "servegen-m-small",
        "peak": 1.3,
        "growth": {"per_year": {"low": 1, "best": 2, "high": 5}, "ceiling": 9},
    }
    batch |= {"day": [0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9, 4, 2, 1, 0, 0, 0]}
    data["plan"]["scenarios"] = {
        "slow": {"probability": 0.25, "growth": "low"},
        "more": {"probability": 0.75, "demand": {"batch": 3}},
    }


def even(data: dict[str, Any]) -> None:
    """Nothing changes over the day."""


@pytest.mark.parametrize("change", [busy, even])
def test_the_instance_asks_for_what_the_months_add_up_to(change: Callable[[dict[str, Any]], None]) -> None:
    instance, table = small_instance(change), demand_of(small_fleet(change))
    month_s = YEAR_S / 12
    wanted = table.monthly.sum(axis=0) * month_s  # [K,J] requests
    asked = instance.demand
    assert np.einsum("tkrj,tr->kj", asked.requests, asked.seconds) == pytest.approx(wanted)
    assert asked.seconds.sum() == pytest.approx(YEAR_S * instance.years.sum())
    assert (asked.seconds[:, -1] == 0).all(), "the design hour stands for no time"
    assert asked.probability.sum() == pytest.approx(1)
    # by hand: 100 requests/s at first, three quarters of them from the east; doubling every year (best growth)
    if change is even:
        rate = 100 * 2 ** (np.arange(24) / 12)
        assert wanted[0, 0] == pytest.approx(0.75 * rate.sum() * month_s)
        assert wanted[2, 0] == pytest.approx(10 * 24 * month_s)


def test_what_is_not_served_costs_what_its_tokens_are_worth() -> None:
    instance = small_instance(even)
    table = demand_of(small_fleet(even))
    batch = instance.names.classes.index("batch")
    assert instance.demand.unmet_usd[batch] == pytest.approx(20e-6 * table.output_tokens[batch])
    assert np.isinf(instance.demand.unmet_usd[:batch]).all()
    assert (instance.demand.tokens == table.output_tokens).all()


@pytest.mark.parametrize("count", [4, 6, 10])
def test_chosen_hours_keep_time_and_nearly_all_tokens(count: int) -> None:
    full = small_instance(busy)
    few = choose_hours(full, count)
    assert few.demand.seconds.sum(axis=1) == pytest.approx(full.demand.seconds.sum(axis=1))
    tokens = [np.einsum("tkrj,tr,k->tj", i.demand.requests, i.demand.seconds, i.demand.tokens) for i in (full, few)]
    assert tokens[1] == pytest.approx(tokens[0], rel={4: 0.06, 6: 0.02, 10: 0.005}[count])
    design = np.isnan(few.demand.clock)
    assert few.demand.requests[:, :, design] == pytest.approx(full.demand.requests[:, :, -1:])
