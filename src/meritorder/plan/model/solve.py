"""Solve an instance: the least expected cost, and what bad scenarios add to it."""

from __future__ import annotations

from collections.abc import Sequence

from meritorder.plan.costs import costs_of
from meritorder.plan.instance import Bools, Instance
from meritorder.plan.linear import Solved
from meritorder.plan.model.formulate import Formulated, formulate
from meritorder.plan.model.read import builds_of, operation_of
from meritorder.plan.model.situations import Case, median_scenario
from meritorder.plan.outcome import Plan


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
    found = formulated.arrays().solve(gap=gap, time_s=time_s, threads=threads)
    if found.status == "infeasible":
        raise Infeasible(formulated)
    if not len(found.values):
        raise Unsolved(f"no plan in {time_s:g} s; allow more time, or fewer hours or scenarios")
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
