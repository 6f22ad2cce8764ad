"""A few hours stand for all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tiny_plan import tiny_instance

from meritorder.plan.check import check
from meritorder.plan.hours import choose_hours
from meritorder.plan.instance import Instance
from meritorder.plan.model import solve
from meritorder.plan.model.flexible import firm


def shaped(seed: int, scenarios: int = 2) -> Instance:
    """The tiny instance with an uneven day for every class."""
    instance = tiny_instance(25, scenarios)
    rng = np.random.default_rng(seed)
    turn = 2 * np.pi * (np.arange(24) - rng.uniform(0, 24, (2, 1))) / 24
    day = 1.5 + np.cos(turn) + 0.3 * np.cos(2 * turn + 1.0) + rng.uniform(0, 0.1, (2, 24))
    requests = instance.demand.requests.copy()
    requests[:, :, :24] = requests[:, :, :1] * (day / day.mean(axis=1, keepdims=True))[None, :, :, None]
    requests[:, :, 24] = 1.1 * requests[:, :, :24].max(axis=2)
    return replace(instance, demand=replace(instance.demand, requests=requests))


@pytest.mark.parametrize("n", [3, 6, 9])
def test_time_and_demand_are_kept(n: int) -> None:
    full = tiny_instance(25, 3)
    chosen = choose_hours(full, n)
    assert chosen.shape["R"] == n
    assert np.isnan(chosen.demand.clock[-1])
    assert (chosen.demand.seconds[:, -1] == 0).all()
    assert chosen.demand.seconds.sum(axis=1) == pytest.approx(full.demand.seconds.sum(axis=1))
    busiest = np.einsum("tkrj,k->r", full.demand.requests[:, :, :24], full.demand.tokens).argmax()
    assert full.demand.clock[busiest] in chosen.demand.clock
    means = [
        np.einsum("tkrj,tr->tkj", some.demand.requests, some.demand.seconds / some.demand.seconds.sum(axis=1)[:, None])
        for some in (chosen, full)
    ]
    assert means[0] == pytest.approx(means[1], rel=0.1 if n == 3 else 0.01)


def test_all_hours_where_all_are_wanted() -> None:
    full = tiny_instance(25, 1)
    assert choose_hours(full, 25) is full
    assert choose_hours(full, 30) is full


def test_the_design_hour_alone_stands_for_all_time() -> None:
    chosen = choose_hours(tiny_instance(25, 1), 1)
    assert np.isnan(chosen.demand.clock).all()
    assert chosen.demand.seconds.sum(axis=1) == pytest.approx(0.25 * 365.25 * 86400)


def test_hours_that_are_always_wanted() -> None:
    chosen = choose_hours(tiny_instance(25, 1), 4, always=(7, 9))
    assert {7.0, 9.0, 20.0} <= set(chosen.demand.clock)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_cost_on_chosen_hours_is_that_on_all(seed: int) -> None:
    full = shaped(seed)
    full = replace(full, demand=replace(full.demand, unmet_usd=np.full(2, 3e-3)))
    plan = solve(choose_hours(full, 8), gap=0.01, threads=1)
    assert plan.objective == pytest.approx(check(full, plan.builds).objective, rel=0.01)


def test_what_can_wait_is_known_from_all_hours() -> None:
    full = shaped(4)
    full = replace(full, demand=replace(full.demand, shift_h=np.array([2.0, 24.0])))
    assert firm(choose_hours(full, 4)) == pytest.approx(firm(full))


def test_firm_is_the_least_level() -> None:
    # Two busy hours of 30 in a day of 10: with two hours' wait 60 are served in four; with a day's wait the mean.
    full = tiny_instance(25, 1)
    requests = np.full_like(full.demand.requests, 10.0)
    requests[:, :, [8, 9]] = 30.0
    waits = replace(full.demand, requests=requests, shift_h=np.array([2.0, 24.0]))
    mean = (22 * 10 + 2 * 30) / 24
    # The busy hours and the ten before them: (60 + 10 n) / (2 + n + 2) grows towards the mean with n.
    level = max((60 + 10 * n) / (4 + n) for n in range(23))
    assert firm(replace(full, demand=waits)) == pytest.approx([level / 30, mean / 30])
