"""The loop: choose hours, plan, round to what can be ordered, check on everything, add what was missed, again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from meritorder.plan.check import Checked, check
from meritorder.plan.costs import objective_of
from meritorder.plan.hours import choose_hours
from meritorder.plan.instance import Floats, Instance
from meritorder.plan.lots import whole_lots
from meritorder.plan.model import Case, Infeasible, Unsolved, first_cases, formulate, median_scenario, plan_of, settled
from meritorder.plan.outcome import Plan

ROUNDS = 4
ERROR = 0.01  # of the planner's cost against the check's: beyond it more hours are looked at
MORE_HOURS = 2
SPARE = 1.5  # times what rounding missed is planned for in the next round, and so many times more in each after it


@dataclass(frozen=True)
class Round:
    """One turn of the loop."""

    hours: tuple[float, ...]  # hour of the day, NaN: the design hour
    cases: int  # contingencies that were planned for
    planned_usd: float  # objective on the chosen hours, fractions of systems in it
    rounded_usd: float  # on the chosen hours with whole lots
    checked_usd: float  # on everything
    gap: float
    missed: float  # largest share of a class's demand that must be served and was not
    violated: int  # contingencies that are not survived
    seconds: float  # of the solver

    @property
    def error(self) -> float:
        """Of the chosen hours: the same build on them and on everything."""
        return self.rounded_usd / self.checked_usd - 1.0 if self.checked_usd else 0.0


@dataclass(frozen=True)
class Optimised:
    """A plan that can be ordered, and how it was come to."""

    chosen: Instance  # the hours that were looked at last
    asked: Instance  # the same with the spare demand that rounding needs: `planned` is optimal for it
    planned: Plan  # on them, before rounding
    plan: Plan  # rounded, with operation and costs on every hour
    checked: Checked
    cases: tuple[Case, ...]  # contingencies in the plan
    rounds: tuple[Round, ...]

    @property
    def error(self) -> float:
        """Of the planner's cost against the check."""
        return self.rounds[-1].error


def optimise(
    full: Instance,
    *,
    hours: int = 6,
    gap: float = 0.005,
    time_s: float = 600.0,
    threads: int = 2,
    rounds: int = ROUNDS,
    progress: Callable[[float], None] | None = None,
) -> Optimised:
    """The cheapest build that serves what must be served, on all hours. Raises `Infeasible`, `Unsolved`."""
    cases = first_cases(full)
    always: tuple[int, ...] = ()
    margin = np.zeros((full.shape["T"], full.shape["K"]))
    done: Optimised | None = None
    for turn in range(rounds):
        chosen = choose_hours(full, hours, always=always)
        try:
            done = _turn(full, chosen, margin, cases, done, gap, time_s, threads)
        except (Infeasible, Unsolved):
            if done is None:
                raise
            break  # what was added can't be held: the round before says what it misses
        if progress:
            progress((turn + 1) / rounds)
        last = done.rounds[-1]
        if done.checked.holds and abs(last.error) <= ERROR:
            break
        if abs(last.error) > ERROR:
            hours += MORE_HOURS
        missed = _missed(full, done)
        known = set(chosen.demand.clock[~np.isnan(chosen.demand.clock)])
        worst = _worst_hours(full, done, known)
        fresh = tuple(fall.case for fall in done.checked.violated if fall.case not in cases)
        always, cases = (*always, *worst), (*cases, *fresh)
        # What is missed in hours and contingencies that were planned for was lost by rounding.
        margin = margin + SPARE ** (turn + 1) * missed
    assert done is not None
    if progress:
        progress(1.0)
    return done


def _turn(
    full: Instance,
    chosen: Instance,
    margin: Floats,
    cases: tuple[Case, ...],
    before: Optimised | None,
    gap: float,
    time_s: float,
    threads: int,
) -> Optimised:
    """Plan, round, check."""
    wanted = chosen.demand.requests * (1.0 + margin[:, :, None, None])
    asked = replace(chosen, demand=replace(chosen.demand, requests=wanted))
    formulated = formulate(asked, cases=cases)
    found, held = settled(formulated, gap=gap, time_s=time_s, threads=threads)
    planned = plan_of(formulated, found)
    rounded = plan_of(formulated, whole_lots(formulated, held, found.bound))
    checked = check(full, rounded.builds, threads=threads)
    turn = Round(
        hours=tuple(float(hour) for hour in chosen.demand.clock),
        cases=len(cases),
        planned_usd=planned.objective,
        rounded_usd=objective_of(chosen, rounded.costs),
        checked_usd=checked.objective,
        gap=planned.gap,
        missed=float(_share(full, checked).max(initial=0.0)),
        violated=len(checked.violated),
        seconds=rounded.seconds,
    )
    return Optimised(
        chosen=chosen,
        asked=asked,
        planned=planned,
        plan=replace(
            rounded,
            build=rounded.builds[median_scenario(full)],
            operation=checked.operation,
            costs=checked.costs,
            objective=checked.objective,
            bound=planned.bound,
        ),
        checked=checked,
        cases=cases,
        rounds=(*(before.rounds if before else ()), turn),
    )


def _share(full: Instance, checked: Checked) -> Floats:
    """[T,K,R,J] share of the demand that must be served and is not."""
    asked = full.demand.requests
    share: Floats = np.divide(checked.short, asked, out=np.zeros_like(asked), where=asked > 0)
    return share


def _missed(full: Instance, done: Optimised) -> Floats:
    """[T,K] largest share missed in hours and contingencies that were planned for."""
    clock = full.demand.clock
    planned = np.isnan(clock) | np.isin(clock, done.chosen.demand.clock)
    missed: Floats = _share(full, done.checked)[:, :, planned].max(axis=(2, 3), initial=0.0)
    for fall in done.checked.violated:
        if fall.case in done.cases:
            period = fall.case.period
            missed[period] = np.maximum(missed[period], fall.missed)
    return missed


def _worst_hours(full: Instance, done: Optimised, known: set[float]) -> tuple[int, ...]:
    """The hour in which most is missed that must be served, if it was not looked at."""
    missed = np.einsum("tkrj,k->r", done.checked.short, full.demand.tokens)
    worst = int(missed.argmax())
    fresh = missed[worst] > 0 and not np.isnan(full.demand.clock[worst]) and full.demand.clock[worst] not in known
    return (worst,) if fresh else ()
