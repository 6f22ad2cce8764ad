"""Any small problem: plans keep every rule, a relaxed limit never costs more, the check agrees with the planner."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from little import M, little

from meritorder.plan.check import check
from meritorder.plan.costs import objective_of
from meritorder.plan.instance import Instance
from meritorder.plan.model import solve

GAP = 1e-6
few = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def problems(draw: st.DrawFn) -> Instance:
    """Two periods, sites, systems, classes, hours, scenarios; demand may be missed at a price."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    models = draw(st.sampled_from([1, 2]))
    instance = little(sites=2, systems=2, classes=2, hours=3, scenarios=2, models=models)
    size = len(instance.ways.cls)
    stock, ground, demand = instance.stock, instance.ground, instance.demand
    return replace(
        instance,
        ways=replace(instance.ways, rate=rng.uniform(5, 15, size), joules=rng.uniform(0, 5e3, size)),
        stock=replace(
            stock,
            idle_w=rng.uniform(0, 5e4, 2),
            usd=rng.uniform(0.5, 2, (2, 2)) * M,
            supply=rng.integers(3, 15, (2, 2)).astype(float),
            life=rng.integers(1, 3, 2),
        ),
        ground=replace(
            ground,
            block_usd=rng.uniform(2, 6, (2, 2)) * M,
            ramp_w=rng.uniform(5e5, 2e6, 2),
            grid_w=rng.uniform(5e5, 2e6, (2, 2)),
            usd_per_j=rng.uniform(0, 5e-8, (2, 2, 3)),
            cooled=rng.uniform(0.6, 1.0, (2, 3, 2)),
        ),
        demand=replace(
            demand,
            requests=rng.uniform(20, 150, (2, 2, 3, 2)),
            unmet_usd=rng.uniform(0.02, 0.5, 2),
            probability=np.array([0.3, 0.7]),
        ),
        policy=replace(instance.policy, aversion=float(rng.choice([0.0, 0.5])), tail=0.4),
    )


@few
@given(problems())
def test_a_plan_keeps_every_rule_and_the_check_agrees(instance: Instance) -> None:
    plan = solve(instance, gap=GAP, threads=1)
    build, stock, ground, size = plan.build, instance.stock, instance.ground, instance.shape
    assert plan.bound <= plan.objective * (1 + 1e-9)
    assert objective_of(instance, plan.costs) == pytest.approx(plan.objective, rel=1e-6)
    assert check(instance, plan.builds).objective == pytest.approx(plan.objective, rel=1e-6)
    # Stock: no more than came before and now, and than lives.
    came = build.delivered
    before = np.concatenate([np.zeros((1, *came.shape[1:])), build.systems[:-1]])
    assert (build.systems <= before + came + 1e-5).all()
    for t in range(size["T"]):
        for h in range(size["H"]):
            young = came[max(t - int(stock.life[h]) + 1, 0) : t + 1, :, h].sum(axis=0)
            assert (build.systems[t, :, h] <= young + 1e-5).all()
    assert (came.sum(axis=1) <= stock.supply + 1e-5).all()
    assert ((came * stock.nameplate_w).sum(axis=2) <= ground.ramp_w * (1 + 1e-6)).all()
    assert (build.systems @ stock.nameplate_w <= build.blocks * ground.block_w * (1 + 1e-6)).all()
    # Traffic: what is asked for is served or missed, within what stands.
    operation, ways = plan.operation, instance.ways
    served = np.zeros(instance.demand.requests.shape)
    load = np.zeros((*operation.served.shape[:3], size["S"], size["H"]))
    for way, (cls, site, system) in enumerate(zip(ways.cls, ways.site, ways.system, strict=True)):
        served[:, cls] += operation.served[..., way]
        load[..., site, system] += operation.served[..., way] / ways.rate[way]
    assert served + operation.unmet == pytest.approx(instance.demand.requests, rel=1e-6)
    assert (load <= build.systems[:, None, None] + 1e-5).all()
    assert (operation.grid_w <= ground.grid_w[:, None, None] * (1 + 1e-6)).all()


RELAXED = {
    "supply": lambda i: replace(i, stock=replace(i.stock, supply=i.stock.supply + 2)),
    "life": lambda i: replace(i, stock=replace(i.stock, life=i.stock.life + 1)),
    "ramp": lambda i: replace(i, ground=replace(i.ground, ramp_w=i.ground.ramp_w * 1.3)),
    "grid": lambda i: replace(i, ground=replace(i.ground, grid_w=i.ground.grid_w * 1.3)),
    "cooling": lambda i: replace(i, ground=replace(i.ground, cooled=np.ones_like(i.ground.cooled))),
    "oversubscription": lambda i: replace(i, ground=replace(i.ground, oversubscription=np.full(2, 1.2))),
    "waiting": lambda i: replace(i, demand=replace(i.demand, shift_h=np.full(2, 8.0))),
    "recourse": lambda i: replace(i, decided=np.array([[0, 0], [0, 1]])),
}


@few
@given(problems(), st.sampled_from(sorted(RELAXED)))
def test_a_relaxed_limit_never_costs_more(instance: Instance, limit: str) -> None:
    before, after = (solve(some, gap=GAP, threads=1) for some in (instance, RELAXED[limit](instance)))
    assert after.bound <= before.objective * (1 + 2 * GAP)
    assert after.objective <= before.objective * (1 + 3 * GAP)
