"""Solve an instance: the least expected cost, and what bad scenarios add to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from meritorder.plan.costs import costs_of
from meritorder.plan.held import Held, dive
from meritorder.plan.instance import Bools, Instance
from meritorder.plan.linear import Solved
from meritorder.plan.model.formulate import Formulated, formulate
from meritorder.plan.model.read import builds_of, operation_of
from meritorder.plan.model.situations import Case, median_scenario
from meritorder.plan.outcome import Plan

NODES = 10_000  # of branch and bound: unlike time, the same everywhere
SHORT = "no plan in {:g} s; allow more time, or fewer hours or scenarios"


class Infeasible(Exception):
    """No plan keeps every limit; the program that has none is in `formulated`."""

    def __init__(self, formulated: Formulated) -> None:
        super().__init__("no plan keeps every limit")
        self.formulated = formulated


class Unsolved(Exception):
    """No plan was found in time."""


def solve(
    instance: Instance,
    *,
    gap: float = 0.005,
    time_s: float = 600.0,
    threads: int = 2,
    cases: Sequence[Case] | None = None,
    whole: Bools | None = None,
) -> Plan:
    """The cheapest plan within `gap`. Raises `Infeasible`, or `Unsolved` where `time_s` is too short."""
    formulated = formulate(instance, cases=cases, whole=whole)
    return plan_of(formulated, solved(formulated, gap=gap, time_s=time_s, threads=threads))


def solved(formulated: Formulated, *, gap: float = 0.005, time_s: float = 600.0, threads: int = 2) -> Solved:
    """The solution of a program, or the reason why there is none as an exception."""
    return settled(formulated, gap=gap, time_s=time_s, threads=threads)[0]


def settled(
    formulated: Formulated, *, gap: float = 0.005, time_s: float = 600.0, threads: int = 2
) -> tuple[Solved, Held]:
    """The solution, and the relaxation with its whole numbers kept, to go on from.

    First the relaxation and a dive from it, which is mostly near enough; else branch and bound, from that point.
    """
    arrays = formulated.arrays()
    held = Held(arrays, time_s)
    if not held.run():
        if held.infeasible:
            raise Infeasible(formulated)
        raise Unsolved(SHORT.format(time_s))
    bound, whole = held.objective, np.flatnonzero(arrays.integer)
    dived = held.solved(bound) if dive(held, whole) else None
    if dived is not None and dived.gap <= gap:
        return dived, held
    start = None if dived is None else dived.values
    left = max(time_s - held.seconds, 1.0)
    found = arrays.solve(gap=gap, time_s=left, threads=threads, start=start, options={"mip_max_nodes": NODES})
    if not len(found.values) and dived is not None:
        return dived, held
    found = replace(_point(formulated, found, time_s), seconds=found.seconds + held.seconds)
    fixed = np.round(found.values[whole])
    held.bound(whole, fixed, fixed)
    held.run()
    return found, held


def _point(formulated: Formulated, found: Solved, time_s: float) -> Solved:
    if found.status == "infeasible":
        raise Infeasible(formulated)
    if not len(found.values):
        raise Unsolved(SHORT.format(time_s))
    return found


def plan_of(formulated: Formulated, found: Solved) -> Plan:
    """The plan that a solution stands for."""
    draft, usd = formulated.draft, formulated.draft.scale.usd
    builds = builds_of(draft, found)
    operation = operation_of(draft, found, builds)
    return Plan(
        build=builds[median_scenario(draft.instance)],
        builds=builds,
        operation=operation,
        costs=costs_of(draft.instance, builds, operation),
        objective=found.objective * usd,
        bound=found.bound * usd,
        seconds=found.seconds,
        columns=draft.program.columns,
        rows=draft.program.rows,
    )
