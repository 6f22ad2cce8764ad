"""From an instance to a program: every family of constraints in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from meritorder.plan.instance import Bools, Floats, Instance
from meritorder.plan.linear import Arrays, Program
from meritorder.plan.model import battery, blocks, capacity, demand, diversify, flexible, metered, money, power, risk
from meritorder.plan.model.draft import Columns, Draft
from meritorder.plan.model.ledger import Ledger
from meritorder.plan.model.pools import can_stand, pools_of
from meritorder.plan.model.scale import scale_of
from meritorder.plan.model.scenarios import tree_of
from meritorder.plan.model.situations import Case, first_cases, situations_of
from meritorder.plan.model.stock import stock
from meritorder.plan.model.supply import supply

WHOLE_BELOW = 400  # lots: a need of fewer is planned in whole lots, a larger one is rounded afterwards (0.25 %)


@dataclass(frozen=True)
class Formulated:
    """A program with the names of its columns (`draft.columns`) and rows (`program.families`)."""

    draft: Draft
    whole: Bools  # [H] offers that come in whole lots

    @property
    def program(self) -> Program:
        """The rows and columns."""
        return self.draft.program

    @property
    def columns(self) -> Columns:
        """The blocks of columns."""
        return self.draft.columns

    @property
    def instance(self) -> Instance:
        """What it was made from."""
        return self.draft.instance

    def arrays(self) -> Arrays:
        """What is solved."""
        return self.draft.program.arrays()

    def unit(self, family: str) -> Floats | float:
        """SI (or USD) per unit of a family's rows; 1: systems or blocks. A dual x usd / unit is USD per SI unit."""
        return self.draft.units.get(family, 1.0)


def formulate(instance: Instance, *, cases: Sequence[Case] | None = None, whole: Bools | None = None) -> Formulated:
    """The whole problem. `cases`: contingencies in it, absent: those of the scenario in the middle.

    `whole` [H]: offers whose lots and replicas are integers, absent: those of which few are needed.
    """
    draft = begin(instance, first_cases(instance) if cases is None else cases)
    lots = few(instance) if whole is None else whole
    stock(draft, lots)
    supply(draft)
    blocks.blocks(draft)
    battery.buy_batteries(draft)
    diversify.supplier_shares(draft)
    diversify.contracts(draft)
    capacity.place(draft, lots)
    operate(draft, needed=capacity.dominating(draft))
    money.budget(draft)
    money.investment_costs(draft)
    money.operating_costs(draft)
    risk.risk(draft)
    return Formulated(draft, lots)


def begin(instance: Instance, cases: Sequence[Case]) -> Draft:
    """An empty program for an instance."""
    program, scale = Program(), scale_of(instance)
    return Draft(
        instance=instance,
        program=program,
        scale=scale,
        tree=tree_of(instance),
        pools=pools_of(instance),
        possible=can_stand(instance),
        situations=situations_of(instance, cases),
        ledger=Ledger(program, instance.demand.probability, scale.usd),
        columns=Columns(),
        before=instance.stock.standing[0],
    )


def operate(draft: Draft, *, soft: bool = False, needed: Bools | None = None) -> None:
    """Traffic, power, batteries, carbon: all that happens in hours. `soft`: see `demand`, `needed`: see `capacity`."""
    demand.demand(draft, soft=soft)
    capacity.capacity(draft, needed)
    power.power(draft)
    battery.batteries(draft)
    power.grid(draft)
    flexible.flexible(draft)
    metered.metered(draft)
    money.carbon(draft)


def few(instance: Instance) -> Bools:
    """[H] offers of which the largest period needs fewer than `WHOLE_BELOW` lots, if they carried all alone."""
    ways, demand, stock = instance.ways, instance.demand, instance.stock
    peak = demand.requests.max(axis=(0, 2, 3))
    lots = np.zeros(len(stock.lot))
    for system, rate in ((ways.system, ways.rate), (ways.decoder, ways.decoder_rate)):
        for h in range(len(lots)):
            own = (system == h) & (rate > 0)
            best = np.zeros(len(peak))
            np.maximum.at(best, ways.cls[own], rate[own])
            need = np.divide(peak, best, out=np.zeros_like(peak), where=best > 0).sum()
            lots[h] = max(lots[h], need / stock.lot[h])
    return lots < WHOLE_BELOW
