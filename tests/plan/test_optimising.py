"""The loop: what comes out can be ordered, serves what must be served, and costs little more than fractions would."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from little import little
from tiny_plan import tiny_instance

from meritorder.plan.check import check
from meritorder.plan.instance import Instance
from meritorder.plan.model import Infeasible, capacity
from meritorder.plan.optimise import optimise


def whole(values: np.ndarray, step: np.ndarray | float = 1.0) -> bool:
    """Whether all are multiples."""
    return bool(np.allclose(values / step, np.round(values / step), atol=1e-4))


def large() -> Instance:
    """A fleet of thousands, so that lots are rounded and not planned as integers."""
    instance = tiny_instance(6, 2)
    stock, ground, demand = instance.stock, instance.ground, instance.demand
    return replace(
        instance,
        stock=replace(stock, supply=stock.supply * 40, lot=np.array([4, 2, 1])),
        ground=replace(ground, block_w=ground.block_w * 40),
        demand=replace(demand, requests=demand.requests * 40),
    )


def test_a_large_fleet_in_whole_lots() -> None:
    instance = large()
    done = optimise(instance, hours=6, threads=1)
    build, lot = done.plan.build, instance.stock.lot
    assert done.checked.holds
    assert not whole(done.planned.build.delivered, lot)
    assert whole(build.delivered, lot)
    assert whole(build.systems)
    size = instance.stock.replica
    assert whole(build.placed[..., size > 0], size[size > 0])
    assert (build.placed.sum(axis=3) <= build.systems + 1e-6).all()
    assert (build.delivered.sum(axis=1) <= instance.stock.supply + 1e-6).all()
    assert done.plan.objective == pytest.approx(done.planned.objective, rel=0.01)


def test_what_rounding_missed_is_made_up_for() -> None:
    done = optimise(tiny_instance(4, 1), hours=4, threads=1)
    assert done.checked.holds
    assert check(tiny_instance(4, 1), done.plan.builds).holds
    assert done.rounds[-1].missed == 0


def test_hours_are_added_until_everything_is_served() -> None:
    # A class whose peak comes when all others sleep: no hour by total demand shows it.
    instance = tiny_instance(25, 1)
    requests = instance.demand.requests.copy()
    requests[:, 1, 9] *= 1.6
    done = optimise(replace(instance, demand=replace(instance.demand, requests=requests)), hours=2, threads=1)
    assert done.checked.holds
    assert 9.0 in done.rounds[-1].hours


def test_the_same_input_gives_the_same_plan() -> None:
    first, second = (optimise(large(), hours=4, threads=1) for _ in range(2))
    assert first.plan.objective == second.plan.objective
    for one, other in ((first.plan.build, second.plan.build), (first.plan.operation, second.plan.operation)):
        for name in vars(one):
            assert np.array_equal(getattr(one, name), getattr(other, name)), name


def test_models_kept_apart_only_where_most_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer rows for large programs: hardly cheaper, and everything is served all the same."""
    instance = large()
    exact = optimise(instance, hours=6, threads=1, gap=1e-3)
    monkeypatch.setattr(capacity, "MANY", 0)
    thin = optimise(instance, hours=6, threads=1, gap=1e-3)
    assert thin.planned.rows < exact.planned.rows
    assert thin.planned.bound <= exact.planned.objective
    assert thin.checked.holds
    assert thin.plan.objective == pytest.approx(exact.plan.objective, rel=0.01)


def test_what_cannot_be_done_says_so() -> None:
    with pytest.raises(Infeasible) as said:
        optimise(little(stock={"supply": 3}), threads=1)
    assert said.value.formulated.program.rows > 0
