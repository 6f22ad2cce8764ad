"""A linear program that stays in the solver: a change of bounds starts from the last basis. Dives with it."""

from __future__ import annotations

from time import monotonic

import highspy
import numpy as np

from meritorder.plan.linear import Arrays, Floats, Index, Solved, share_threads

STAGE = 5  # a stage of a dive rounds this part of what is still a fraction
WHOLE = 1e-6  # nearer to a whole number is one
LEAST = 2  # and at least so many


class Held:
    """The relaxation of a program."""

    def __init__(self, arrays: Arrays, time_s: float = 600.0) -> None:
        self.arrays = arrays
        self.solver = arrays.passed(relax=True)
        self.seconds = 0.0
        self._time_s = time_s

    def run(self) -> bool:
        """Solve from where it stands; whether there is an optimum."""
        share_threads(1)
        for name, value in {"threads": 1, "random_seed": 0, "time_limit": self._time_s}.items():
            self.solver.setOptionValue(name, value)
        begun = monotonic()
        self.solver.run()
        self.seconds += monotonic() - begun
        return bool(self.solver.getModelStatus() == highspy.HighsModelStatus.kOptimal)

    @property
    def infeasible(self) -> bool:
        """Whether the last run proved that there is no point."""
        kinds = highspy.HighsModelStatus
        return self.solver.getModelStatus() in (kinds.kInfeasible, kinds.kUnboundedOrInfeasible)

    @property
    def values(self) -> Floats:
        """[columns] of the last run."""
        return np.array(self.solver.getSolution().col_value)

    @property
    def objective(self) -> float:
        """Of the last run."""
        return float(self.solver.getInfo().objective_function_value)

    def bound(self, columns: Index, lower: Floats, upper: Floats) -> None:
        """Change the bounds of columns."""
        self.solver.changeColsBounds(len(columns), columns.astype(np.int32), lower, upper)

    def solved(self, bound: float) -> Solved:
        """The last point as a solution, `bound` what none costs less than."""
        return Solved("optimal", self.values, self.objective, bound, np.zeros(0), np.zeros(0), self.seconds)


def dive(held: Held, columns: Index) -> bool:
    """Round `columns` to whole numbers, the nearest to one first, solving in between. Whether a point was found.

    Their bounds are then fixed there. Where rounding leaves no point, what was rounded last goes up instead.
    """
    lower, upper = held.arrays.lower[columns].copy(), held.arrays.upper[columns].copy()
    while True:
        values = held.values[columns]
        away = np.abs(values - np.round(values))
        free = lower < upper
        whole = free & (away <= WHOLE)
        rest = np.flatnonzero(free & ~whole)
        before = lower.copy(), upper.copy()
        lower[whole] = upper[whole] = np.round(values[whole])
        picked = rest[np.argsort(away[rest], kind="stable")[: max(len(rest) // STAGE, LEAST)]]
        lower[picked] = upper[picked] = np.round(values[picked])
        held.bound(columns, lower, upper)
        if not held.run():
            lower, upper = before
            lower[picked] = np.ceil(values[picked] - WHOLE)
            upper[picked] = lower[picked]
            held.bound(columns, lower, upper)
            if not held.run():
                return False
        if not len(rest):
            return True
