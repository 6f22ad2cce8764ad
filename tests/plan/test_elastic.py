"""Conflicting limits: smallest sets against the enumeration of all subsets."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.optimize import linprog

from meritorder.plan.linear import Program
from meritorder.plan.studies.elastic import Elastic, Group


def drawn(seed: int, integer: bool = False) -> tuple[Program, list[Group], np.ndarray, np.ndarray]:
    """Two variables in [0, 10] and 7 random half-planes, each a group; a x <= b as arrays too."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(7, 2)), rng.normal(-0.5, 2.0, size=7)
    program = Program()
    x = program.variables(2, upper=10.0, integer=integer)
    rows = program.add("half", [(a, x[None, :])], shape=7, upper=b)
    return program, [Group(f"g{k}", rows[k : k + 1], np.ones(1)) for k in range(7)], a, b


def conflict(a: np.ndarray, b: np.ndarray, subset: tuple[int, ...], integer: bool = False) -> bool:
    """Whether no point keeps these half-planes."""
    if not subset:
        return False
    rows = list(subset)
    found = linprog(
        np.zeros(2), A_ub=a[rows], b_ub=b[rows] + 1e-7, bounds=(0, 10), integrality=np.full(2, int(integer))
    )
    return bool(found.status == 2)


@pytest.mark.parametrize("integer", [False, True])
def test_smallest_conflicts_are_those_of_the_enumeration(integer: bool) -> None:
    conflicts = 0
    for seed in range(40 if not integer else 12):
        program, groups, a, b = drawn(seed, integer)
        elastic = Elastic(program.arrays(), groups, relax=not integer)
        known = elastic.irreducible(range(7))
        if not known:
            assert not conflict(a, b, tuple(range(7)), integer)
            continue
        conflicts += 1
        assert conflict(a, b, known, integer)
        assert not any(conflict(a, b, tuple(set(known) - {one}), integer) for one in known)
        best, proven = elastic.smallest(range(7), known)
        fewest = next(n for n in range(1, 8) if any(conflict(a, b, s, integer) for s in combinations(range(7), n)))
        assert proven
        assert len(best) == fewest
        assert conflict(a, b, best, integer)
    assert conflicts >= (10 if not integer else 3)


def test_bounds_of_columns_equalities_and_shared_slack() -> None:
    program = Program()
    x = program.variables(3, upper=[2.0, 3.0, np.inf])
    total = program.add("total", [(1.0, x[None, :])], shape=1, lower=9.0, upper=9.0)
    most = program.add("most", [(1.0, x[2:])], shape=1, upper=1.0)
    groups = [
        Group("need", total, np.ones(1), side="lower"),
        Group("bounds", np.zeros(0, np.int64), np.array([1.0, 1.0]), columns=x[:2]),
        Group("most", most, np.array([2.0])),
    ]
    elastic = Elastic(program.arrays(), groups)
    assert set(elastic.irreducible(range(3))) == {0, 1, 2}
    # 2 + 3 + 1 = 6 of 9: the need gives 3; both bounds give 1.5 together; the other gives 1.5 units of 2
    for group, amount in ((0, 3.0), (1, 1.5), (2, 1.5)):
        given = elastic.least({group}, hard={0, 1, 2} - {group})
        assert given.groups[group] == pytest.approx(amount)
        assert given.value == pytest.approx(amount, rel=2e-3)


def test_what_whole_numbers_alone_forbid_is_found() -> None:
    program = Program()
    x = program.variables(1, upper=5.0, integer=True)
    low = program.add("low", [(1.0, x)], shape=1, lower=1.2)
    high = program.add("high", [(1.0, x)], shape=1, upper=1.8)
    groups = [Group("low", low, np.ones(1), side="lower"), Group("high", high, np.ones(1))]
    assert Elastic(program.arrays(), groups).irreducible(range(2)) == ()
    assert set(Elastic(program.arrays(), groups, relax=False).irreducible(range(2))) == {0, 1}
