"""The limits of a fleet file as groups of rows that may give, each with its key and words.

What follows from physics, from what stands or from how sites are built (stock, capacity, cooling, facility power,
oversubscription) isn't among them. So that rows
exist even where a limit is 0 (nothing delivered before July), the program is made from an instance with generous supply
and land, and the true limits are then put into its rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from meritorder.plan.horizon import calendar_year
from meritorder.plan.instance import Bools, Floats, Instance
from meritorder.plan.linear import Arrays, Index
from meritorder.plan.model import Case, Formulated, formulate
from meritorder.plan.studies.elastic import Group
from meritorder.plan.studies.wording import Said, said

PLENTY = 4.0  # times what would serve everything: no real limit


@dataclass(frozen=True)
class Bounded:
    """A program with its groups; `said[g]` and `period[g]` ([rows]) belong to `groups[g]`."""

    formulated: Formulated
    arrays: Arrays
    groups: tuple[Group, ...]
    said: tuple[Said, ...]
    period: tuple[Index, ...]


def bounded(instance: Instance, cases: Sequence[Case], whole: Bools | None = None) -> Bounded:
    """The program of an instance and its limits. `cases`, `whole` as of `formulate`; absent: none is whole."""
    none = np.zeros(len(instance.names.systems), bool)
    formulated = formulate(generous(instance), cases=cases, whole=none if whole is None else whole)
    arrays = formulated.arrays()
    collect = _Collect(instance, formulated, arrays)
    collect.everything()
    return Bounded(formulated, arrays, tuple(collect.groups), tuple(collect.said), tuple(collect.period))


def generous(instance: Instance) -> Instance:
    """The instance with far more supply and land than could be needed, and nobody minds risk."""
    demand, ways, stock, ground = instance.demand, instance.ways, instance.stock, instance.ground
    peak = demand.requests.max(axis=(0, 2, 3))[ways.cls]
    need = np.ones(len(stock.lot))
    for system, rate in ((ways.system, ways.rate), (ways.decoder, ways.decoder_rate)):
        own = (system >= 0) & (rate > 0)
        np.add.at(need, system[own], peak[own] / rate[own])
    for contract in instance.contracts:
        need += np.nanmax(contract.watts, initial=0.0) / stock.nameplate_w
    systems = np.ceil(PLENTY * need) + stock.supply.max(axis=0)
    power = float((systems * stock.nameplate_w).sum())
    blocks = np.ceil(power / ground.block_w).astype(np.int64) + ground.block_most.max(axis=0)
    return replace(
        instance,
        stock=replace(stock, supply=np.tile(systems, (len(instance.years), 1))),
        ground=replace(ground, block_most=np.tile(blocks, (len(instance.years), 1))),
        policy=replace(instance.policy, aversion=0.0),
    )


class _Collect:
    """Groups in the order in which they are left out first: those that people feel most come last."""

    def __init__(self, instance: Instance, formulated: Formulated, arrays: Arrays) -> None:
        self.instance, self.formulated, self.arrays = instance, formulated, arrays
        self.groups: list[Group] = []
        self.said: list[Said] = []
        self.period: list[Index] = []

    def everything(self) -> None:
        """All groups of the program."""
        names = self.instance.names
        self._rows("api budget", names.apis)
        self._situations("api rate", names.apis)
        self._rows("step", names.blocks)
        self._rows("ramp", names.sites, unit=1e6)
        self._blocks()
        self._situations("grid", names.sites, unit=1e6)
        self._years("carbon", 1e3)
        self._years("budget", 1e6)
        self._rows("share", names.suppliers, unit=1e6)
        self._supply()
        for contract in self.instance.contracts:
            self._contract(contract.name, contract.sense)
        self._demand()

    def _put(self, said: Said, group: Group, period: Index) -> None:
        self.groups.append(group)
        self.said.append(said)
        self.period.append(period)

    def _family(self, family: str) -> Index:
        return self.formulated.program.families.get(family, np.zeros((0, 0, 0), np.int64))

    def _unit(self, family: str, shape: tuple[int, ...]) -> Floats:
        """SI per unit of a family's rows, in their shape."""
        return np.broadcast_to(np.asarray(self.formulated.unit(family), float), shape)

    def _rows(self, family: str, names: Sequence[str], unit: float = 1.0) -> None:
        """Families [T,...,X]: a group for each X."""
        rows = self._family(family)
        size = self._unit(family, rows.shape)
        for x in range(rows.shape[-1] if rows.size else 0):
            self._of(family, names[x], x, rows[..., x], unit / size[..., x], np.arange(len(rows)))

    def _situations(self, family: str, names: Sequence[str], unit: float = 1.0) -> None:
        """Families [E,X]."""
        rows = self._family(family)
        period = self.formulated.draft.situations.period
        size = self._unit(family, rows.shape) if rows.size else rows
        for x in range(rows.shape[-1] if rows.size else 0):
            give = np.ones(len(rows)) if family == "api rate" else unit / size[:, x]
            self._of(family, names[x], x, rows[:, x], give, period)

    def _of(self, family: str, name: str, x: int, rows: Index, give: Floats, period: Index) -> None:
        there = rows >= 0
        if not there.any():
            return
        when = np.broadcast_to(period.reshape(-1, *(1,) * (rows.ndim - 1)), rows.shape)[there]
        group = Group(f"{family} {name}", rows[there], np.broadcast_to(give, rows.shape)[there])
        self._put(said(self.instance, family, name, x), group, when)

    def _years(self, family: str, unit: float) -> None:
        """Families [Y,...]: a group for each calendar year."""
        known = self._family(family)
        if not known.size:
            return
        periods, year = self.instance.names.periods, self.instance.policy.year
        number = np.arange(len(periods)) if year is None else np.unique(year, return_inverse=True)[1].ravel()
        rows = known.reshape(len(known), -1)
        first = np.array([int(np.flatnonzero(number == y)[0]) for y in range(len(rows))])
        size = self._unit(family, (len(rows),))
        for name in dict.fromkeys(calendar_year(periods[t]) for t in first):
            mine = np.array([calendar_year(periods[t]) == name for t in first])
            there = rows[mine] >= 0
            if there.any():
                when = np.broadcast_to(first[mine][:, None], there.shape)[there]
                give = np.broadcast_to((unit / size[mine])[:, None], there.shape)[there]
                group = Group(f"{family} {name}", rows[mine][there], give, shared=False)
                self._put(said(self.instance, family, name, 0), group, when)

    def _blocks(self) -> None:
        """The true land and lead times, as upper bounds of the columns."""
        ground, columns = self.instance.ground, self.formulated.columns.blocks
        true = np.maximum(ground.block_most - ground.block_standing, 0)
        for b, name in enumerate(self.instance.names.blocks):
            here = columns[..., b]  # [T,J]
            which, first = np.unique(here[here >= 0], return_index=True)
            when = np.nonzero(here >= 0)[0][first]
            self.arrays.upper[which] = true[when, b]
            none = np.zeros(0, np.int64)
            group = Group(f"blocks {name}", none, np.ones(len(which)), columns=which)
            self._put(said(self.instance, "blocks", name, b), group, when)

    def _supply(self) -> None:
        rows = self._family("supply")  # [T,J,H]
        true = self.instance.stock.supply
        for h, name in enumerate(self.instance.names.systems):
            there = rows[..., h] >= 0
            if not there.any():
                continue
            when = np.nonzero(there)[0]
            mine = rows[..., h][there]
            self.arrays.row_upper[mine] = true[when, h]
            group = Group(f"supply {name}", mine, np.ones(len(mine)), shared=False)
            self._put(said(self.instance, "supply", name, h), group, when)

    def _contract(self, name: str, sense: str) -> None:
        rows = self._family(f"contract {name}")
        there = rows >= 0
        if not there.any():
            return
        when, mine = np.nonzero(there)[0], rows[there]
        give = np.full(len(mine), 1e6 / self.formulated.draft.scale.watts)
        for side, senses in (("lower", ("at-least", "exactly")), ("upper", ("at-most", "exactly"))):
            if sense in senses:
                group = Group(f"contract {name}", mine, give, side="lower" if side == "lower" else "upper")
                self._put(said(self.instance, f"contract {side}", name, 0), group, when)

    def _demand(self) -> None:
        """What must be served: in contingencies by contingency, else by service. Units are parts of what is asked."""
        rows, sit = self._family("demand"), self.formulated.draft.situations
        demand = self.instance.demand
        asked = sit.asked / self.formulated.draft.scale.requests
        for c, contingency in enumerate(self.instance.contingencies):
            there = (rows >= 0) & (sit.case == c)[:, None]
            self._served("survive", contingency.name, c, rows, asked, there)
        must = ~np.isfinite(demand.unmet_usd)
        for k, name in enumerate(self.instance.names.services):
            there = (rows >= 0) & sit.ordinary[:, None] & (must & (demand.service == k))
            self._served("demand", name, k, rows, asked, there)

    def _served(self, family: str, name: str, x: int, rows: Index, asked: Floats, there: Bools) -> None:
        if not there.any():
            return
        group = Group(f"{family} {name}", rows[there], asked[there], side="lower")
        when = self.formulated.draft.situations.period[np.nonzero(there)[0]]
        self._put(said(self.instance, family, name, x), group, when)
