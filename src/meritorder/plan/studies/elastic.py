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

import highspy
import numpy as np

from meritorder.plan.linear import Arrays, Floats, Index, Program

TOLERANCE = 1e-6  # of a unit of `give`: less is no conflict


@dataclass(frozen=True)
class Group:
    """Rows and upper bounds of columns that are one limit. A unit given moves each bound out by its `give`."""

    name: str
    rows: Index
    give: Floats  # [rows + columns] by how much a bound moves a unit, above 0: a typical size of the limit
    shared: bool = True  # all move together; else each by itself
    columns: Index = field(default_factory=lambda: np.zeros(0, np.int64))  # whose upper bound it is


class Elastic:
    """A program whose groups can give. Whole numbers are fractions where `relax`."""

    def __init__(self, arrays: Arrays, groups: Sequence[Group], *, relax: bool = True) -> None:
        self.groups = tuple(groups)
        self.relax = relax or not arrays.integer.any()
        self.solved = 0  # programs so far
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
            self._slack.append(self._add(wide, rows, group))

    def _add(self, wide: Arrays, rows: Index, group: Group) -> Index:
        """Slack columns of a group: one, or one a row; rows with both bounds give both ways."""
        columns: list[tuple[list[int], list[float]]] = []
        together: tuple[list[int], list[float]] = ([], [])
        for row, give in zip(rows.tolist(), group.give.tolist(), strict=True):
            signs = [s for s, bound in ((1.0, wide.row_lower[row]), (-1.0, wide.row_upper[row])) if np.isfinite(bound)]
            if len(signs) == 2:  # one slack can't go both ways: each way its own
                columns += [([row], [sign * give]) for sign in signs]
            elif group.shared:
                together[0].append(row)
                together[1].extend(sign * give for sign in signs)
            else:
                columns += [([row], [sign * give]) for sign in signs]
        if together[0]:
            columns.append(together)
        start = self._solver.getNumCol()
        for where, values in columns:
            self._solver.addCol(1.0, 0.0, highspy.kHighsInf, len(where), np.array(where, np.int32), np.array(values))
        return start + np.arange(len(columns), dtype=np.int64)

    def least(self, held: Iterable[int], hard: Iterable[int] = ()) -> tuple[float, Floats, frozenset[int]]:
        """Least that the held groups must give together, what each group gives [groups], and the held ones involved.

        inf where the hard groups can't hold. Those not involved could be free: the rest conflicts as much.
        """
        held, hard = frozenset(held), frozenset(hard)
        cost = np.concatenate([np.full(len(s), float(g in held)) for g, s in enumerate(self._slack)])
        upper = np.concatenate([np.full(len(s), 0.0 if g in hard else np.inf) for g, s in enumerate(self._slack)])
        index = np.concatenate(self._slack).astype(np.int32)
        self._solver.changeColsCost(len(index), index, cost)
        self._solver.changeColsBounds(len(index), index, np.zeros(len(index)), upper)
        self._solver.run()
        self.solved += 1
        solution, info = self._solver.getSolution(), self._solver.getInfo()
        if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
            return np.inf, np.zeros(len(self.groups)), held
        values = np.array(solution.col_value)
        given = np.array([values[s].sum() for s in self._slack])
        if not self.relax:
            return float(info.mip_dual_bound), given, held
        duals = np.abs(np.array(solution.row_dual))
        involved = frozenset(self._row_group[duals > 1e-9].tolist()) & held
        return float(info.objective_function_value), given, involved

    def conflicts(self, held: Iterable[int]) -> bool:
        """Whether these groups can't hold together, all others free."""
        return self.least(held)[0] > TOLERANCE

    def irreducible(self, held: Iterable[int]) -> tuple[int, ...]:
        """A part of `held` that conflicts and of which none can be left out; empty where there is no conflict.

        Groups that come first in `held` are left out first.
        """
        order = list(held)
        value, _, involved = self.least(order)
        if value <= TOLERANCE:
            return ()
        core = [group for group in order if group in involved] if self.relax else order
        for group in list(core):
            if group not in core:
                continue
            value, _, involved = self.least([other for other in core if other != group])
            if value > TOLERANCE:
                core = [other for other in core if other != group and other in involved]
        return tuple(core)

    def smallest(self, held: Sequence[int], known: tuple[int, ...], *, most: int = 60) -> tuple[tuple[int, ...], bool]:
        """A smallest part of `held` that conflicts, and whether that is proven within `most` rounds. `known`: one."""
        corrections: list[frozenset[int]] = []
        for _ in range(most):
            candidate = _hitting(held, corrections)
            if len(candidate) >= len(known):
                return known, True
            if self.conflicts(candidate):
                return tuple(candidate), True
            corrections.append(self._correction(held, candidate))
        return known, False

    def _correction(self, held: Sequence[int], kept: Sequence[int]) -> frozenset[int]:
        """Groups of `held` whose freeing is enough while `kept` holds; none of them can be put back."""
        good, bad = set(kept), [group for group in held if group not in kept]
        _, given, _ = self.least(held, hard=kept)
        good |= {group for group in bad if given[group] <= TOLERANCE}
        broken = [group for group in bad if group not in good]
        for group in list(broken):
            if not self.conflicts(good | {group}):
                good.add(group)
                broken.remove(group)
        return frozenset(broken)


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
    """Fewest groups that have one of each set; of those the first in order."""
    if not sets:
        return []
    program = Program()
    position = {group: k for k, group in enumerate(groups)}
    # a later group costs a little more, so that the choice is always the same
    chosen = program.variables(
        len(groups), upper=1.0, cost=1.0 + 1e-4 * np.arange(len(groups)) / max(len(groups), 1), integer=True
    )
    for one in sets:
        where = np.array([position[group] for group in one])
        program.add("hit", [(1.0, chosen[where][None, :])], shape=1, lower=1.0)
    found = program.arrays().solve(gap=0.0, threads=1)
    return [group for group, value in zip(groups, found.values, strict=True) if value > 0.5]
