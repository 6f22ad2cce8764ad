"""Near-optimal alternatives: within the slack, better at their aim, and as good as an enumeration says."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import combinations

import numpy as np
import pytest
from brute_cases import drawn
from tiny_plan import tiny_instance

from meritorder.plan.instance import Instance
from meritorder.plan.model import Infeasible, solve
from meritorder.plan.studies.alternatives import alternatives

NONE = np.zeros(3, bool)
SLACK = 0.05
FIGURES = {
    "least carbon": "carbon_t",
    "least grid power": "peak_grid_mw",
    "fewest sites": "sites",
    "fewest offers": "offers",
    "fewest pairs": "pairs",
}


@pytest.mark.parametrize("seed", [0])
@pytest.mark.parametrize("family", ["plain", "risk", "site"])
def test_alternatives_cost_little_more_and_are_better_at_their_aim(family: str, seed: int) -> None:
    instance = drawn(family, seed)
    plan = solve(instance, gap=0.0, threads=1, whole=NONE)
    found = alternatives(instance, plan, slack=SLACK)
    best = found.plans[0]
    assert best.aim == "optimum"
    better = 0
    for other in found.plans[1:]:
        assert other.cost_usd <= (1 + SLACK) * plan.objective * (1 + 1e-6)
        assert other.more == pytest.approx(other.cost_usd / plan.objective - 1)
        supplier = other.aim.removeprefix("least ")
        figure = FIGURES.get(other.aim, f"share {supplier}")
        assert other.figures[figure] < best.figures[figure]
        better += 1
    assert better


def without(instance: Instance, sites: tuple[int, ...]) -> float:
    """Least cost with new systems at these sites only."""
    stock = instance.stock
    block = stock.block.copy()
    block[[s for s in range(2) if s not in sites]] = -1
    kept = np.isin(instance.ways.site, sites)
    known = {field.name: getattr(instance.ways, field.name) for field in fields(instance.ways)}
    ways = {name: value[kept] for name, value in known.items() if value is not None}
    part = replace(instance, stock=replace(stock, block=block), ways=replace(instance.ways, **ways))
    try:
        return solve(part, gap=0.0, threads=1, whole=NONE).objective
    except Infeasible:
        return float("inf")


def test_fewest_sites_are_those_of_the_enumeration() -> None:
    for seed in range(2):
        instance = drawn("plain", seed)
        plan = solve(instance, gap=0.0, threads=1, whole=NONE)
        few = min(other.figures["sites"] for other in alternatives(instance, plan, slack=SLACK).plans)
        most = (1 + SLACK) * plan.objective
        fewest = next(n for n in (1, 2) if any(without(instance, s) <= most for s in combinations(range(2), n)))
        assert few == fewest


def test_the_least_carbon_within_the_slack_is_found() -> None:
    """A tighter limit than the least that was found has no plan within the slack."""
    instance = tiny_instance(2)
    plan = solve(instance, gap=0.0, threads=1, whole=NONE)
    (green,) = (other for other in alternatives(instance, plan, slack=SLACK).plans if other.aim == "least carbon")
    assert green.figures["carbon_t"] < 0.98 * alternatives(instance, plan).plans[0].figures["carbon_t"]
    assert green.proven
    limit = 0.97 * green.figures["carbon_t"] * 1e3
    tight = tiny_instance(2, policy={"carbon_kg": np.full(3, limit / 3), "year": np.zeros(3, np.int64)})
    assert solve(tight, gap=0.0, threads=1, whole=NONE).objective > (1 + SLACK) * plan.objective


def test_a_large_instance_is_searched_on_a_smaller_one_and_its_plans_run_on_all() -> None:
    instance = tiny_instance(5, 3, demand={"unmet_usd": np.full(2, 2e-2)})
    plan = solve(instance, gap=0.0, threads=1, whole=NONE)
    found = alternatives(instance, plan, slack=SLACK, most=100)
    assert found.how == "2 scenarios, 3 hours"
    assert len(found.plans) > 1
    for other in found.plans[1:]:
        assert not other.proven
        assert 0 < other.cost_usd < (1 + 2 * SLACK) * plan.objective
        assert other.short < 1e-2
