"""Rows and columns of a mixed-integer linear program as arrays, solved by HiGHS.

A variable is a block of columns, known by an array of their indices; a row is a sum of terms `coefficient x variable`.
Terms broadcast against the shape of their rows; axes of a term beyond those are summed. An index of -1 is no column.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import highspy
import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Index: TypeAlias = npt.NDArray[np.int64]
Term: TypeAlias = tuple[npt.ArrayLike, Index]  # coefficients, columns


@dataclass(frozen=True)
class Solved:
    """What HiGHS found: `status` "optimal" (within the gap), "infeasible", "unbounded" or "time" (no point found)."""

    status: str
    values: Floats  # [columns]; empty where there is no point
    objective: float
    bound: float  # no solution costs less
    row_duals: Floats  # [rows]; empty for programs with integers
    column_duals: Floats  # reduced costs, likewise
    seconds: float

    def __getitem__(self, columns: Index) -> Floats:
        """Values of a block of variables, 0 where there is no column (-1)."""
        return np.where(columns >= 0, self.values[columns], 0.0)

    @property
    def gap(self) -> float:
        """Relative distance of the objective to its bound."""
        return abs(self.objective - self.bound) / max(abs(self.objective), 1e-9)


@dataclass
class Program:
    """min cost'x with rows between bounds; grows block by block."""

    lower: list[Floats] = field(default_factory=list)
    upper: list[Floats] = field(default_factory=list)
    cost: list[Floats] = field(default_factory=list)
    integer: list[npt.NDArray[np.bool_]] = field(default_factory=list)
    row_lower: list[Floats] = field(default_factory=list)
    row_upper: list[Floats] = field(default_factory=list)
    entries: list[tuple[Index, Index, Floats]] = field(default_factory=list)  # row, column, coefficient
    columns: int = 0
    rows: int = 0
    charges: list[tuple[Index, Floats]] = field(default_factory=list)  # columns, what is added to their cost
    families: dict[str, Index] = field(default_factory=dict)  # name of a family of rows -> their indices, in shape

    def variables(
        self,
        shape: int | tuple[int, ...],
        *,
        lower: npt.ArrayLike = 0.0,
        upper: npt.ArrayLike = np.inf,
        cost: npt.ArrayLike = 0.0,
        integer: bool = False,
        where: npt.ArrayLike = True,
    ) -> Index:
        """A block of columns of `shape`; those not `where` don't exist (index -1)."""
        shape = (shape,) if isinstance(shape, int) else shape
        exists = np.broadcast_to(np.asarray(where, bool), shape)
        count = int(exists.sum())
        index = np.full(shape, -1, np.int64)
        index[exists] = self.columns + np.arange(count)
        for store, value in ((self.lower, lower), (self.upper, upper), (self.cost, cost)):
            store.append(np.broadcast_to(np.asarray(value, float), shape)[exists])
        self.integer.append(np.full(count, integer))
        self.columns += count
        return index

    def add(
        self,
        family: str,
        terms: Iterable[Term],
        *,
        shape: int | tuple[int, ...],
        lower: npt.ArrayLike = -np.inf,
        upper: npt.ArrayLike = np.inf,
        where: npt.ArrayLike = True,
    ) -> Index:
        """Rows of `shape`: lower <= sum of terms <= upper. Returns their indices (-1: not `where`).

        A term's columns have the rows' axes first (1 broadcasts), then axes that are summed over.
        """
        shape = (shape,) if isinstance(shape, int) else shape
        exists = np.broadcast_to(np.asarray(where, bool), shape)
        count = int(exists.sum())
        index = np.full(shape, -1, np.int64)
        index[exists] = self.rows + np.arange(count)
        for coefficients, columns in terms:
            summed = columns.shape[len(shape) :]
            full = shape + summed
            row = np.broadcast_to(index.reshape(shape + (1,) * len(summed)), full)
            column = np.broadcast_to(columns, full)
            value = np.broadcast_to(np.asarray(coefficients, float), full)
            kept = (row >= 0) & (column >= 0) & (value != 0.0)
            self.entries.append((row[kept], column[kept], value[kept]))
        for store, bound in ((self.row_lower, lower), (self.row_upper, upper)):
            store.append(np.broadcast_to(np.asarray(bound, float), shape)[exists])
        self.rows += count
        self.families[family] = index if family not in self.families else _both(self.families[family], index)
        return index

    def put(self, rows: Index, coefficients: npt.ArrayLike, columns: Index) -> None:
        """More terms of rows that stand: coefficient x column in each row; all three broadcast, -1 is none."""
        row, value, column = np.broadcast_arrays(rows, np.asarray(coefficients, float), columns)
        kept = (row >= 0) & (column >= 0) & (value != 0.0)
        self.entries.append((row[kept], column[kept], value[kept]))

    def charge(self, columns: Index, cost: npt.ArrayLike) -> None:
        """Add to the cost of columns; both broadcast."""
        column, value = np.broadcast_arrays(columns, np.asarray(cost, float))
        self.charges.append((column[column >= 0], value[column >= 0]))

    def arrays(self) -> Arrays:
        """The whole program; entries that name a place twice are added up."""
        row, column, value = (
            np.concatenate([np.ravel(entry[k]) for entry in self.entries]) if self.entries else np.zeros(0)
            for k in range(3)
        )
        order = np.lexsort((column, row))
        row, column, value = row[order].astype(np.int64), column[order].astype(np.int64), value[order]
        first = np.ones(len(row), bool)
        first[1:] = (row[1:] != row[:-1]) | (column[1:] != column[:-1])
        start = np.flatnonzero(first)
        total = np.add.reduceat(value, start) if len(start) else value
        return Arrays(
            lower=_joined(self.lower),
            upper=_joined(self.upper),
            cost=self._costs(),
            integer=np.concatenate(self.integer) if self.integer else np.zeros(0, bool),
            row_lower=_joined(self.row_lower),
            row_upper=_joined(self.row_upper),
            starts=np.searchsorted(row[start], np.arange(self.rows + 1)).astype(np.int32),
            indices=column[start].astype(np.int32),
            values=total,
        )

    def _costs(self) -> Floats:
        cost = _joined(self.cost).copy()
        for columns, more in self.charges:
            np.add.at(cost, columns, more)
        return cost


@dataclass
class Arrays:
    """A program as HiGHS takes it: rows in compressed form. Bounds and costs may be changed between solves."""

    lower: Floats
    upper: Floats
    cost: Floats
    integer: npt.NDArray[np.bool_]
    row_lower: Floats
    row_upper: Floats
    starts: npt.NDArray[np.int32]  # [rows + 1]
    indices: npt.NDArray[np.int32]
    values: Floats

    def solve(
        self,
        *,
        gap: float = 0.005,
        time_s: float = 600.0,
        threads: int = 2,
        relax: bool = False,
        start: Floats | None = None,
        options: dict[str, float | int | str] | None = None,
    ) -> Solved:
        """Minimise. `relax`: integers may be fractions, and duals are given; `start`: a point to begin with.

        The same program and options give the same solution.
        """
        solver = self.passed(relax=relax)
        share_threads(threads)
        chosen = {"mip_rel_gap": gap, "time_limit": time_s, "threads": threads, "random_seed": 0, **(options or {})}
        for name, value in chosen.items():
            solver.setOptionValue(name, value)
        if start is not None:
            known = highspy.HighsSolution()
            known.col_value = list(start)
            solver.setSolution(known)
        solver.run()
        return _found(solver, bool(self.integer.any()) and not relax)

    def passed(self, *, relax: bool = False) -> highspy.Highs:
        """A solver that holds the program, silent."""
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = len(self.cost), len(self.row_lower)
        model.col_cost_, model.col_lower_, model.col_upper_ = self.cost, self.lower, self.upper
        model.row_lower_, model.row_upper_ = self.row_lower, self.row_upper
        model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        model.a_matrix_.start_, model.a_matrix_.index_, model.a_matrix_.value_ = self.starts, self.indices, self.values
        if self.integer.any() and not relax:
            kinds = highspy.HighsVarType
            model.integrality_ = [kinds.kInteger if whole else kinds.kContinuous for whole in self.integer]
        solver = _Silent()  # type: ignore[no-untyped-call]
        solver.passModel(model)
        return solver


class _Silent(highspy.Highs):
    """HiGHS without the banner that it prints to stdout, where results go, while it is made."""

    def enableCallbacks(self) -> None:
        self.setOptionValue("output_flag", False)
        super().enableCallbacks()  # type: ignore[no-untyped-call]


_known = threading.local()


def share_threads(count: int) -> None:
    """HiGHS keeps its workers and refuses to run with another number of them."""
    if getattr(_known, "threads", count) != count:
        highspy.Highs.resetGlobalScheduler(True)
    _known.threads = count


def _found(solver: highspy.Highs, integers: bool) -> Solved:
    """The outcome of a run in our words."""
    status, info, solution = solver.getModelStatus(), solver.getInfo(), solver.getSolution()
    kinds = highspy.HighsModelStatus
    infeasible = (kinds.kInfeasible, kinds.kUnboundedOrInfeasible)
    point = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    if status in infeasible:
        word = "infeasible"
    elif status == kinds.kUnbounded:
        word = "unbounded"
    else:
        word = "optimal" if point and status in (kinds.kOptimal, kinds.kTimeLimit) else "time"
    duals = not integers and point
    return Solved(
        status=word,
        values=np.array(solution.col_value) if point else np.zeros(0),
        objective=float(info.objective_function_value),
        bound=float(info.mip_dual_bound) if integers else float(info.objective_function_value),
        row_duals=np.array(solution.row_dual) if duals else np.zeros(0),
        column_duals=np.array(solution.col_dual) if duals else np.zeros(0),
        seconds=float(solver.getRunTime()),
    )


def _joined(parts: Sequence[Floats]) -> Floats:
    return np.concatenate(parts) if parts else np.zeros(0)


def _both(known: Index, more: Index) -> Index:
    return np.concatenate([known.ravel(), more.ravel()])
