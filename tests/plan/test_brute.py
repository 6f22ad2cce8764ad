"""The optimum of tiny instances is that of an enumeration that shares no code with the model."""

from __future__ import annotations

import numpy as np
import pytest
from brute import least, least_whole
from brute_cases import FAMILIES, drawn, few_systems

from meritorder.plan.model import Infeasible, solve


def agree(family: str, seed: int) -> bool:
    """Whether there is a plan; the model and the enumeration must agree about it and its cost."""
    instance = drawn(family, seed)
    expected = least(instance)
    try:
        plan = solve(instance, gap=0.0, threads=1, whole=np.zeros(3, bool))
    except Infeasible:
        assert expected is None
        return False
    assert expected is not None
    assert plan.objective == pytest.approx(expected[0], rel=1e-6)
    return True


@pytest.mark.parametrize("family", FAMILIES)
def test_the_model_finds_the_optimum_of_the_enumeration(family: str) -> None:
    assert agree(family, 0)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_it_does_so_for_more_seeds(family: str) -> None:
    for seed in range(1, 6):
        agree(family, seed)


def test_whole_systems_are_those_of_the_enumeration() -> None:
    instance = few_systems(0)
    plan = solve(instance, gap=0.0, threads=1, whole=np.ones(3, bool))
    assert np.abs(plan.build.delivered - np.round(plan.build.delivered)).max() < 1e-6
    assert plan.build.delivered.sum() > 0
    assert plan.objective == pytest.approx(least_whole(instance), rel=1e-6)
    fractions = solve(instance, gap=0.0, threads=1, whole=np.zeros(3, bool))
    assert fractions.objective < plan.objective
