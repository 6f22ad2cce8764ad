"""The linear program of a plan whose whole numbers are kept, held by a solver that goes on from where it was.

Kept are blocks and openings. Systems may be fractions even where the plan has whole ones: what one more request costs
with the systems to serve it is the question, not what it costs while nothing may be bought.
"""

from __future__ import annotations

from collections.abc import Sequence

import highspy
import numpy as np

from meritorder.plan.instance import Instance
from meritorder.plan.linear import Arrays, Floats, Index, share_threads
from meritorder.plan.model import Case, Formulated, formulate
from meritorder.plan.outcome import Build


class Fixed:
    """The program, solved. Objective, duals and costs are in the program's unit, `usd`."""

    def __init__(self, instance: Instance, builds: Sequence[Build], cases: Sequence[Case] | None = None) -> None:
        none = np.zeros(len(instance.names.systems), bool)
        self.formulated: Formulated = formulate(instance, cases=cases, whole=none)
        self.arrays: Arrays = kept(self.formulated, builds)
        self.usd = self.formulated.draft.scale.usd
        self.solver = self.arrays.passed(relax=True)
        for option, value in {"threads": 1, "random_seed": 0}.items():
            self.solver.setOptionValue(option, value)
        self.objective = self.run()
        solution = self.solver.getSolution()
        self.values: Floats = np.array(solution.col_value)
        self.row_duals: Floats = np.array(solution.row_dual)
        self.column_duals: Floats = np.array(solution.col_dual)

    def run(self) -> float:
        """The least cost as things are now; inf where there is no plan."""
        share_threads(1)
        self.solver.run()
        info = self.solver.getInfo()
        feasible = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
        return float(info.objective_function_value) if feasible else np.inf

    def moved(self, rows: Index, by: Floats) -> float:
        """The least cost with the finite bounds of some rows moved; they are put back."""
        index = rows.astype(np.int32)
        lower, upper = self.arrays.row_lower[rows], self.arrays.row_upper[rows]
        self._bounds(index, lower + by, upper + by)
        objective = self.run()
        self._bounds(index, lower, upper)
        return objective

    def _bounds(self, rows: np.ndarray, lower: Floats, upper: Floats) -> None:
        for row, low, high in zip(rows.tolist(), lower.tolist(), upper.tolist(), strict=True):
            self.solver.changeRowBounds(row, low, high)


def kept(formulated: Formulated, builds: Sequence[Build]) -> Arrays:
    """The arrays with blocks and openings as built."""
    arrays, columns, ground = formulated.arrays(), formulated.columns, formulated.instance.ground
    for index, values in (
        (columns.blocks, np.stack([build.blocks - ground.block_standing for build in builds], axis=1)),
        (columns.opened, np.stack([build.open.astype(float) for build in builds], axis=1)),
    ):
        there = index >= 0
        arrays.lower[index[there]] = arrays.upper[index[there]] = np.round(values[there])
    return arrays
