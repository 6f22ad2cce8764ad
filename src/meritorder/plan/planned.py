"""`Planned`: a finished plan with all that was found out about it; every output is written from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from meritorder.fleet.schema import Fleet
from meritorder.plan.horizon import Horizon
from meritorder.plan.instance import Instance
from meritorder.plan.outcome import Plan
from meritorder.plan.outputs.orders import Order
from meritorder.plan.state import State
from meritorder.plan.studies.findings import (
    Alternatives,
    Conflict,
    Prices,
    Regret,
    Stranded,
    Tornado,
    UnitCosts,
    Values,
)

if TYPE_CHECKING:
    from meritorder.plan.proof.certificate import Certificate


@dataclass(frozen=True)
class Studies:
    """What else was asked; None: it was not."""

    prices: Prices | None = None
    alternatives: Alternatives | None = None
    regret: Regret | None = None
    values: Values | None = None
    tornado: Tornado | None = None


@dataclass(frozen=True)
class Planned:
    """A plan, complete."""

    fleet: Fleet
    horizon: Horizon  # what is still planned
    instance: Instance  # every hour of the day
    plan: Plan  # whole systems; operation and costs of every hour
    hours: int  # that the optimisation looked at
    orders: tuple[Order, ...]
    stranded: Stranded
    units: UnitCosts
    studies: Studies
    certificate: Certificate | None
    before: State | None  # from which it goes on
    seed: int
    seconds: dict[str, float]  # by stage


class NoPlan(Exception):
    """No plan keeps all limits. `conflict`: a smallest set of them that can't hold together."""

    def __init__(self, conflict: Conflict) -> None:
        super().__init__(conflict.words)
        self.conflict = conflict
