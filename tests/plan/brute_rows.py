"""A linear program written one row at a time, solved by scipy: see `brute`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array

Row = dict[Hashable, float]


@dataclass
class Words:
    """A linear program whose variables are tuples, all at least 0."""

    index: dict[Hashable, int] = field(default_factory=dict)
    cost: Row = field(default_factory=lambda: defaultdict(float))
    rows: list[tuple[Row, float]] = field(default_factory=list)  # row <= number
    upper: dict[Hashable, float] = field(default_factory=dict)

    def row(self, row: Row, most: float) -> None:
        if np.isfinite(most):
            self.rows.append((row, most))

    def solve(self) -> tuple[float, dict[Hashable, float]] | None:
        names = {name for row, _ in self.rows for name in row} | set(self.cost)
        order = {name: k for k, name in enumerate(sorted(names, key=repr))}
        entries = [(k, order[name], value) for k, (row, _) in enumerate(self.rows) for name, value in row.items()]
        i, j, v = zip(*entries, strict=True)
        matrix = coo_array((v, (i, j)), shape=(len(self.rows), len(order))).tocsr()
        cost = np.array([self.cost.get(name, 0.0) for name in order])
        bounds = [(None, None) if name == "eta" else (0, self.upper.get(name)) for name in order]
        scale = max(np.abs(cost).max(), 1.0)
        found = linprog(cost / scale, A_ub=matrix, b_ub=[most for _, most in self.rows], bounds=bounds, method="highs")
        if found.status == 2:
            return None
        assert found.status == 0, found.message
        return float(found.fun * scale), dict(zip(order, found.x, strict=True))
