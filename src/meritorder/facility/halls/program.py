"""A mixed-integer program that is put together column by column and row by row, and solved with HiGHS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Solved:
    """What the solver found: `x` is None for nothing, `none` if there surely is nothing to find."""

    x: npt.NDArray[np.float64] | None
    none: bool
    cost: float  # of what was found
    bound: float  # no solution costs less


@dataclass
class Program:
    """A mixed-integer program that grows: columns with bounds and costs, rows of coefficients with bounds."""

    cost: list[float] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    whole: list[int] = field(default_factory=list)
    of_row: list[int] = field(default_factory=list)
    of_column: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    least: list[float] = field(default_factory=list)
    most: list[float] = field(default_factory=list)

    def columns(self, count: int, high: float, whole: bool = True) -> npt.NDArray[np.int64]:
        """`count` new columns from 0 to `high`; their numbers."""
        start = len(self.cost)
        self.cost += [0.0] * count
        self.low += [0.0] * count
        self.high += [high] * count
        self.whole += [int(whole)] * count
        return np.arange(start, start + count)

    def row(self, terms: Sequence[tuple[int, float]], least: float, most: float) -> None:
        """One more row: least <= sum of coefficient times column <= most."""
        number = len(self.least)
        self.of_row += [number] * len(terms)
        self.of_column += [column for column, _ in terms]
        self.value += [float(value) for _, value in terms]
        self.least.append(least)
        self.most.append(most)

    def worth(self, terms: Sequence[tuple[int, float]]) -> None:
        """Let so much be wanted of columns: it is taken off their cost."""
        for column, value in terms:
            self.cost[column] -= value

    def solve(self, gap: float, nodes: int, seconds: float) -> Solved:
        """The least cost, to within `gap` of it, or as near as `nodes` of the search tree or `seconds` allow."""
        return self._solved(np.array(self.whole), {"mip_rel_gap": gap, "node_limit": nodes, "time_limit": seconds})

    def relaxed(self) -> Solved:
        """The same where any number will do, not just whole ones: no solution costs less."""
        return self._solved(np.zeros(len(self.whole)), {})

    def _solved(self, whole: npt.NDArray[np.generic], options: dict[str, float]) -> Solved:
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import csr_array

        if not self.cost:
            possible = all(least <= 0 <= most for least, most in zip(self.least, self.most, strict=True))
            return Solved(np.zeros(0) if possible else None, none=not possible, cost=0.0, bound=0.0)
        size = (len(self.least), len(self.cost))
        matrix = csr_array((self.value, (self.of_row, self.of_column)), shape=size)
        done = milp(
            np.array(self.cost),
            integrality=whole,
            bounds=Bounds(self.low, self.high),
            constraints=LinearConstraint(matrix, self.least, self.most),
            options=options,
        )
        if done.x is None:
            return Solved(None, none=done.status == 2, cost=np.inf, bound=-np.inf)
        bound = done.fun if done.mip_dual_bound is None else float(done.mip_dual_bound)
        return Solved(done.x, none=False, cost=float(done.fun), bound=bound)
