"""What may be lost, worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from little import ALONE, M, contingency, little

from meritorder.plan.check import check
from meritorder.plan.model import Case, Infeasible, all_cases, first_cases, median_scenario, solve


def usd(instance: object, **options: object) -> float:
    return solve(instance, gap=1e-7, threads=1, **options).objective  # type: ignore[arg-type]


def test_a_site_is_lost() -> None:
    # Two sites, 60 % after the loss of either: six systems at each, a block at each.
    instance = little(sites=2)
    for site in (0, 1):
        instance = contingency(instance, "site", 0.6, site=np.arange(2) == site)
    plan = solve(instance, gap=1e-7)
    assert plan.build.systems[0, :, 0].tolist() == [6, 6]
    assert plan.objective == pytest.approx(12 * M + 10 * M)
    assert usd(replace(instance, contingencies=())) == pytest.approx(ALONE)


def test_a_supplier_is_lost() -> None:
    instance = little(systems=2, stock={"usd": [1 * M, 3 * M]})
    lost = contingency(instance, "supplier", 0.3, systems=np.array([True, False]))
    plan = solve(lost, gap=1e-7)
    assert plan.build.systems[0, 0].tolist() == [7, 3]
    assert plan.objective == pytest.approx(ALONE + 3 * 2 * M)


def test_deliveries_are_late() -> None:
    # Half must be served without what comes in the period: five stand there, five come.
    instance = little(periods=1, demand={"requests": 100}, stock={"standing": 3})
    assert usd(contingency(instance, "late", 0.3, systems=np.ones(1, bool))) == pytest.approx(7 * M + 5 * M)
    with pytest.raises(Infeasible):
        solve(contingency(instance, "late", 0.5, systems=np.ones(1, bool)))
    # In the second period what came in the first is there: twenty are needed then, twelve of them before.
    grows = little(demand={"requests": np.array([100, 200]).reshape(2, 1, 1, 1)}, stock={"usd": [[1.1 * M], [1 * M]]})
    late = contingency(grows, "late", 0.6, systems=np.ones(1, bool), periods=np.array([False, True]))
    plan = solve(late, gap=1e-7)
    assert plan.build.delivered[:, 0, 0].tolist() == [12, 8]
    assert solve(grows, gap=1e-7).build.delivered[:, 0, 0].tolist() == [10, 10]


def test_the_grid_is_curtailed() -> None:
    # 10 kW a request/s. Half of 1 MW is gone where land is cheap: all goes to the other site.
    ground = {"grid_w": 1 * M, "block_usd": [5 * M, 9 * M]}
    instance = little(sites=2, ways={"joules": 1e4}, ground=ground)
    cut = contingency(instance, "curtail", 0.9, site=np.array([True, False]), depth=np.array([0.5, 0.0]))
    plan = solve(cut, gap=1e-7)
    assert plan.build.systems[0, :, 0].tolist() == [0, 10]
    assert plan.objective == pytest.approx(10 * M + 9 * M)
    assert usd(instance) == pytest.approx(ALONE)


def test_cases_of_the_middle_come_first_and_the_check_finds_the_rest() -> None:
    instance = little(sites=2, scenarios=3, demand={"requests": np.array([100, 120, 80]).reshape(1, 1, 1, 3)})
    instance = contingency(instance, "site", 0.5, site=np.array([True, False]))
    assert median_scenario(instance) == 0
    assert first_cases(instance) == (Case(0, 0, 0), Case(0, 1, 0))
    assert len(all_cases(instance)) == 6
    # Built for 120, half of 100 survives the loss of the first site, half of 120 does not.
    plan = solve(instance, gap=1e-7)
    assert plan.build.systems[0, 1, 0] < 6
    found = check(instance, plan.builds)
    assert {(fall.case.period, fall.case.scenario) for fall in found.violated} == {(0, 1), (1, 1)}
    missed = 1 - plan.build.systems[0, 1, 0] * 10 / 60
    assert found.violated[0].missed == pytest.approx([missed])
    again = solve(instance, cases=all_cases(instance), gap=1e-7)
    assert check(instance, again.builds).holds
    assert again.objective >= plan.objective
