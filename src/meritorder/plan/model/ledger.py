"""What every column costs in each scenario: the expected cost, and the rows that CVaR needs."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from meritorder.plan.instance import Floats, Ints
from meritorder.plan.linear import Index, Program


@dataclass
class Ledger:
    """Entries (scenario, column, USD in the program's unit)."""

    program: Program
    probability: Floats
    usd: float  # the unit
    entries: list[tuple[Ints, Index, Floats]] = field(default_factory=list)

    def charge(self, columns: Index, usd: npt.ArrayLike, scenario: npt.ArrayLike) -> None:
        """`usd` for a unit of each column in `scenario`; all three broadcast."""
        column, cost, which = np.broadcast_arrays(columns, np.asarray(usd, float) / self.usd, np.asarray(scenario))
        kept = (column >= 0) & (cost != 0.0)
        self.entries.append((which[kept], column[kept], cost[kept]))
        self.program.charge(column[kept], cost[kept] * self.probability[which[kept]])
