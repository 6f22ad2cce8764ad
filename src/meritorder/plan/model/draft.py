"""`Draft`: a program while the families of constraints are written into it, and the names of its columns."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from meritorder.plan.instance import Bools, Floats, Instance
from meritorder.plan.linear import Index, Program
from meritorder.plan.model.ledger import Ledger
from meritorder.plan.model.pools import Pools
from meritorder.plan.model.scale import Scale
from meritorder.plan.model.scenarios import Tree
from meritorder.plan.model.situations import Situations

NONE: Index = np.zeros(0, np.int64)


@dataclass
class Columns:
    """Indices of the variables; -1: left out, it is 0. Units of `Scale`. E: situations, P: pools."""

    blocks: Index = field(default_factory=lambda: NONE)  # [T,J,B] new ones that stand, integer
    opened: Index = field(default_factory=lambda: NONE)  # [T,J,S] binary
    delivered: Index = field(default_factory=lambda: NONE)  # [T,J,S,H] ordered for t
    lots: Index = field(default_factory=lambda: NONE)  # [T,J,S,H] of them in whole lots; integer
    option: Index = field(default_factory=lambda: NONE)  # [T,J,H]
    untaken: Index = field(default_factory=lambda: NONE)  # [J,H]
    systems: Index = field(default_factory=lambda: NONE)  # [T,J,S,H]
    placed: Index = field(default_factory=lambda: NONE)  # [T,J,P]
    battery: Index = field(default_factory=lambda: NONE)  # [T,J,S] energy bought up to and with t
    served: Index = field(default_factory=lambda: NONE)  # [E,F]
    unmet: Index = field(default_factory=lambda: NONE)  # [E,K]
    short: Index = field(default_factory=lambda: NONE)  # [E,K] missed though it must be served; 0 unless `soft`
    it: Index = field(default_factory=lambda: NONE)  # [E,B]
    facility: Index = field(default_factory=lambda: NONE)  # [E,B]
    charge: Index = field(default_factory=lambda: NONE)  # [E,S]
    discharge: Index = field(default_factory=lambda: NONE)  # [E,S]
    moved: Index = field(default_factory=lambda: NONE)  # [T,J,K,R,R] from hour to hour, in requests/s of the first
    put_off: Index = field(default_factory=lambda: NONE)  # [E,K] of the design hour
    tail: Index = field(default_factory=lambda: NONE)  # [J] cost beyond eta
    eta: int = -1


@dataclass
class Draft:
    """What the families share."""

    instance: Instance
    program: Program
    scale: Scale
    tree: Tree
    pools: Pools
    possible: Bools  # [T,S,H]
    situations: Situations
    ledger: Ledger
    columns: Columns
    before: Floats  # [S,H] systems that stood before the first period
    units: dict[str, Floats | float] = field(default_factory=dict)  # family of rows -> SI per unit of its rows

    def at(self, block: Index) -> Index:
        """A block [T,J,...] as its situations see it: [E,...]."""
        return block[self.situations.period, self.situations.scenario]

    def now(self, array: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """An array [T,R,...] in each situation: [E,...]."""
        return array[self.situations.period, self.situations.hour]
