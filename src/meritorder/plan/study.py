"""Every study of a plan, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from meritorder.fleet.schema import Fleet
from meritorder.plan.instance import Floats, Instance
from meritorder.plan.optimise import Optimised
from meritorder.plan.planned import Studies
from meritorder.plan.studies.alternatives import alternatives
from meritorder.plan.studies.prices import shadow_prices
from meritorder.plan.studies.regret import regret
from meritorder.plan.studies.tornado import tornado
from meritorder.plan.studies.waiting import value_of_waiting


def study(
    fleet: Fleet,
    optimised: Optimised,
    slopes: Floats,
    assembled: Callable[[Fleet], Instance],
    stage: Callable[[str], AbstractContextManager[Callable[[float], None]]],
) -> Studies:
    """All of them, on the chosen hours. `slopes`: see `slopes_of`.

    `assembled`: those hours of a fleet file with other figures.
    """
    # what was optimal on the chosen hours: studies compare optima, so that rounding to lots is in none of them
    chosen, plan, cases = optimised.asked, optimised.planned, optimised.cases
    with stage("shadow prices"):
        prices = shadow_prices(chosen, plan, cases=cases, slopes=slopes)
    with stage("alternatives"):
        others = alternatives(chosen, plan, cases=cases)
    with stage("regret"):
        regrets = regret(chosen, plan, cases=cases)
    with stage("value of waiting"):
        values = value_of_waiting(chosen, plan, cases=cases)
    with stage("sensitivities"):
        bars = tornado(fleet, assembled)
    return Studies(prices=prices, alternatives=others, regret=regrets, values=values, tornado=bars)
