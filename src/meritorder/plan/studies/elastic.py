"""Which limits of a program can't hold together: limits that may give, at a cost of 1 for each unit.

A group of rows is *held* (giving costs), *free* (it gives for nothing) or *hard* (it can't give). A set of groups
conflicts where holding it costs something although all others are free. Deletion filtering (Chinneck 2008, chapter 6)
finds a set of which none can be left out. The smallest such set is a smallest hitting set of the correction sets (sets
whose freeing is enough), which are found one by one (Ignatiev et al. 2015, "Smallest MUS extraction with minimal
hitting set dualization").
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import highspy
import numpy as np

from meritorder.plan.linear import Arrays, Floats, Index, Program, share_threads

TOLERANCE = 1e-6  # of a unit of `give`: less is no conflict
WORK, ROUNDS = 100_000, (10, 400)  # columns x rounds in search of fewer limits
EARLY = 1e-3  # more for what is given in the first period than in the last


@dataclass(frozen=True)
class Group:
    """Rows and upper bounds of columns that are one limit. A unit given moves each bound out by its `give`."""

    name: str
    rows: Index
    give: Floats  # [rows + columns] by how much a bound moves a unit, above 0: a typical size of the limit
    side: Literal["lower", "upper"] = "upper"  # the bound that gives
    shared: bool = True  # all move together; else each by itself, later ones rather than earlier ones
    columns: Index = field(default_factory=lambda: np.zeros(0, np.int64))  # whose upper bound it is


@dataclass(frozen=True)
class Given:
    """What has to give so that the held groups can hold."""

    value: float  # all of it together; inf: the hard groups can't hold
    groups: Floats  # [groups] units that each gives
    involved: frozenset[int]  # held groups that matter: the others could be free, the rest would conflict as much
    binding: Index  # rows that matter


class Elastic:
    """A program whose groups can give. Whole numbers are fractions where `relax`."""

    def __init__(self, arrays: Arrays, groups: Sequence[Group], *, relax: bool = True) -> None:
        self.groups = tuple(groups)
        self.relax = relax or not arrays.integer.any()
        self.solved = 0  # programs so far
        self.slack: list[Floats] = []  # [groups] of the last one, by row
        bounds = [group.columns for group in self.groups]
        as_rows = np.concatenate(bounds) if bounds else np.zeros(0, np.int64)
        wide = _rows_for(arrays, as_rows)
        self._solver = wide.passed(relax=self.relax)
        for option, value in {"threads": 1, "random_seed": 0, "mip_rel_gap": 0.99, "mip_abs_gap": TOLERANCE}.items():
            self._solver.setOptionValue(option, value)
        first = len(arrays.row_lower)
        self._slack: list[Index] = []  # [groups] columns
        self._row_group = np.full(len(wide.row_lower), -1)
        for number, group in enumerate(self.groups):
            rows = np.concatenate([group.rows, first + np.arange(len(group.columns))])
            first += len(group.columns)
            self._row_group[rows] = number
            self._slack.append(self._add(group, rows))

    def _add(self, group: Group, rows: Index) -> Index:
        """Slack columns of a group: one, or one a row."""
        sign = 1.0 if group.side == "lower" else -1.0
        values = sign * group.give
        start = self._solver.getNumCol()
        if group.shared:
            self._solver.addCol(1.0, 0.0, np.inf, len(rows), rows.astype(np.int32), values)
            return np.array([start])
        for row, value in zip(rows, values, strict=True):
            self._solver.addCol(1.0, 0.0, np.inf, 1, np.array([row], np.int32), np.array([value]))
        return start + np.arange(len(rows), dtype=np.int64)

    def least(self, held: Iterable[int], hard: Iterable[int] = ()) -> Given:
        """Least that the held groups must give together, the hard ones giving nothing and the others at will."""
        held, hard = frozenset(held), frozenset(hard)
        cost = [float(g in held) * (1.0 + EARLY * np.linspace(1.0, 0.0, len(s))) for g, s in enumerate(self._slack)]
        upper = [np.full(len(s), 0.0 if g in hard else np.inf) for g, s in enumerate(self._slack)]
        index = np.concatenate(self._slack).astype(np.int32)
        self._solver.changeColsCost(len(index), index, np.concatenate(cost))
        self._solver.changeColsBounds(len(index), index, np.zeros(len(index)), np.concatenate(upper))
        share_threads(1)
        self._solver.run()
        self.solved += 1
        solution, info = self._solver.getSolution(), self._solver.getInfo()
        if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
            return Given(np.inf, np.full(len(self.groups), np.nan), held, np.zeros(0, np.int64))
        values = np.array(solution.col_value)
        self.slack = [values[s] for s in self._slack]
        given = np.array([slack.sum() for slack in self.slack])
        if not self.relax:
            return Given(float(info.mip_dual_bound), given, held, np.zeros(0, np.int64))
        binding = np.flatnonzero(np.abs(np.array(solution.row_dual)) > 1e-9)
        involved = frozenset(self._row_group[binding].tolist()) & held
        return Given(float(info.objective_function_value), given, involved, binding)

    def conflicts(self, held: Iterable[int]) -> bool:
        """Whether these groups can't hold together, all others free."""
        return self.least(held).value > TOLERANCE

    def irreducible(self, held: Iterable[int]) -> tuple[int, ...]:
        """A part of `held` that conflicts and of which none can be left out; empty where there is no conflict.

        Groups that come first in `held` are left out first.
        """
        order = list(held)
        whole = self.least(order)
        if whole.value <= TOLERANCE:
            return ()
        core = [group for group in order if group in whole.involved]
        for group in list(core):
            if group not in core:
                continue
            rest = self.least([other for other in core if other != group])
            if rest.value > TOLERANCE:
                core = [other for other in core if other in rest.involved]
        return tuple(core)

    def smallest(self, held: Sequence[int], known: tuple[int, ...]) -> tuple[tuple[int, ...], bool]:
        """A smallest part of `held` that conflicts, and whether that is proven. `known`: one that can't be reduced.

        Large programs get fewer rounds.
        """
        corrections: list[frozenset[int]] = []
        for _ in range(int(np.clip(WORK // self._solver.getNumCol(), *ROUNDS))):
            candidate = _hitting(held, corrections)
            if len(candidate) >= len(known):
                return known, True
            if self.conflicts(candidate):
                return tuple(candidate), True
            # what gives while the candidate holds: freeing it is enough, so every conflict has one of it
            given = self.least(held, hard=candidate).groups
            corrections.append(frozenset(group for group in held if given[group] > TOLERANCE))
        return known, False


def _rows_for(arrays: Arrays, columns: Index) -> Arrays:
    """The program with the upper bounds of `columns` as rows at its end."""
    if not len(columns):
        return replace(arrays, cost=np.zeros(len(arrays.cost)))
    upper = arrays.upper.copy()
    upper[columns] = np.inf
    return replace(
        arrays,
        cost=np.zeros(len(arrays.cost)),
        upper=upper,
        row_lower=np.concatenate([arrays.row_lower, np.full(len(columns), -np.inf)]),
        row_upper=np.concatenate([arrays.row_upper, arrays.upper[columns]]),
        starts=np.concatenate([arrays.starts, arrays.starts[-1] + 1 + np.arange(len(columns))]).astype(np.int32),
        indices=np.concatenate([arrays.indices, columns]).astype(np.int32),
        values=np.concatenate([arrays.values, np.ones(len(columns))]),
    )


def _hitting(groups: Sequence[int], sets: Sequence[frozenset[int]]) -> list[int]:
    """Fewest groups that have one of each set; of those the last in order."""
    if not sets:
        return []
    program = Program()
    position = {group: k for k, group in enumerate(groups)}
    # a later group costs a little less, so that the choice is always the same
    chosen = program.variables(len(groups), upper=1.0, cost=1.0 + np.linspace(1e-4, 0.0, len(groups)), integer=True)
    for one in sets:
        where = np.array([position[group] for group in one])
        program.add("hit", [(1.0, chosen[where][None, :])], shape=1, lower=1.0)
    found = program.arrays().solve(gap=0.0, threads=1)
    return [group for group, value in zip(groups, found.values, strict=True) if value > 0.5]
