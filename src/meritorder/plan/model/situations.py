"""Situations: every hour and scenario of every period, and beside them each contingency that is asked for.

All of operation (traffic, power) has one leading axis E over them, so that a contingency obeys the same equations.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from meritorder.plan.instance import Bools, Floats, Instance, Ints


class Case(NamedTuple):
    """A contingency in a period and scenario."""

    contingency: int
    period: int
    scenario: int


@dataclass(frozen=True)
class Situations:
    """[E]: first T x R x J ordinary ones in that order, then the contingencies'."""

    period: Ints
    hour: Ints
    scenario: Ints
    case: Ints  # index of the contingency; -1: an ordinary hour
    seconds: Floats  # time that it stands for, 0 of a contingency
    alive: Bools  # [E,S,H] not lost
    late: Bools  # [E,S,H] the deliveries of its period have not come
    asked: Floats  # [E,K] requests/s
    grid_w: Floats  # [E,S]

    @property
    def ordinary(self) -> Bools:
        """[E] not a contingency."""
        own: Bools = self.case < 0
        return own


def design_hour(instance: Instance) -> Ints:
    """[T] the hour in which contingencies strike: the design hour, or the busiest where there is none."""
    design = np.flatnonzero(np.isnan(instance.demand.clock))
    periods = len(instance.names.periods)
    if len(design):
        return np.full(periods, design[-1], np.int64)
    tokens = np.einsum("tkrj,k->trj", instance.demand.requests, instance.demand.tokens)
    busiest: Ints = (tokens @ instance.demand.probability).argmax(axis=1)
    return busiest


def median_scenario(instance: Instance) -> int:
    """The scenario in the middle, by total demand and probability."""
    demand = instance.demand
    total = np.einsum("tkrj,k->j", demand.requests, demand.tokens)
    order = np.argsort(total, kind="stable")
    return int(order[np.searchsorted(np.cumsum(demand.probability[order]), 0.5 - 1e-9)])


def first_cases(instance: Instance) -> tuple[Case, ...]:
    """The contingencies that a plan starts with: those of the scenario in the middle."""
    return tuple(case for case in all_cases(instance) if case.scenario == median_scenario(instance))


def all_cases(instance: Instance) -> tuple[Case, ...]:
    """Every contingency in every period where it is asked for, in every scenario."""
    return tuple(
        Case(index, int(period), scenario)
        for index, contingency in enumerate(instance.contingencies)
        for period in np.flatnonzero(contingency.periods)
        for scenario in range(len(instance.names.scenarios))
    )


def situations_of(instance: Instance, cases: Iterable[Case]) -> Situations:
    """All situations of an instance with these contingencies."""
    size, demand = instance.shape, instance.demand
    period, hour, scenario = (
        axis.ravel() for axis in np.meshgrid(*(np.arange(size[axis]) for axis in "TRJ"), indexing="ij")
    )
    known = np.array(list(cases), np.int64).reshape(-1, 3)
    strikes = design_hour(instance)
    case = np.concatenate([np.full(len(period), -1), known[:, 0]])
    period = np.concatenate([period, known[:, 1]])
    hour = np.concatenate([hour, strikes[known[:, 1]]])
    scenario = np.concatenate([scenario, known[:, 2]])
    alive = np.ones((len(case), size["S"], size["H"]), bool)
    late = np.zeros_like(alive)
    asked = demand.requests[period, :, hour, scenario]
    grid = instance.ground.grid_w[period]
    for e in np.flatnonzero(case >= 0):
        lost = instance.contingencies[case[e]]
        asked[e] *= lost.share
        if lost.kind == "site":
            alive[e, lost.site] = False
        elif lost.kind == "supplier":
            alive[e][:, lost.systems] = False
        elif lost.kind == "late":
            late[e][:, lost.systems] = True
        else:
            grid[e, lost.site] *= 1.0 - lost.depth[lost.site]
    seconds = np.where(case < 0, demand.seconds[period, hour], 0.0)
    return Situations(period, hour, scenario, case, seconds, alive, late, asked, grid)
