"""A plan that stands, run in every hour of every scenario, and in every contingency that it shall survive.

What stands is fixed, so that periods and scenarios fall apart into small linear programs (periods alone, where a budget
joins the scenarios). They have the equations of the planning problem itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from meritorder.plan.axes import select
from meritorder.plan.costs import costs_of, objective_of
from meritorder.plan.instance import Floats, Instance
from meritorder.plan.linear import Index, Program, Solved
from meritorder.plan.model.draft import Draft
from meritorder.plan.model.formulate import begin, operate
from meritorder.plan.model.money import operating_costs
from meritorder.plan.model.read import operation_of
from meritorder.plan.model.situations import Case, all_cases
from meritorder.plan.outcome import Build, Costs, Operation

HOUR_S = 3600.0
SLIGHT = 1e-4  # of the demand: capacities are not known to as much


@dataclass(frozen=True)
class Shortfall:
    """A contingency that the plan does not survive."""

    case: Case
    name: str
    missed: Floats  # [K] share of what was asked for that is not served


@dataclass(frozen=True)
class Checked:
    """How a plan does on everything."""

    operation: Operation  # `unmet` has what must be served and was not in it
    costs: Costs
    objective: float  # USD: expected cost + aversion x CVaR; what must be served and was not has no price
    short: Floats  # [T,K,R,J] requests/s that must be served and are not
    violated: tuple[Shortfall, ...]

    @property
    def holds(self) -> bool:
        """Whether everything that must be is served, also in contingencies."""
        return not self.violated and not self.short.any()


@dataclass(frozen=True)
class _Part:
    """A period in some scenarios."""

    period: int
    scenarios: tuple[int, ...]
    operation: Operation
    short: Floats  # [R,J,K]
    shortfalls: tuple[Shortfall, ...]


def check(
    full: Instance, build: Build | Sequence[Build], *, cases: Sequence[Case] | None = None, threads: int = 2
) -> Checked:
    """Run a build, or one per scenario, through all hours of `full` and `cases` (absent: all that are asked for)."""
    count = len(full.names.scenarios)
    builds = (build,) * count if isinstance(build, Build) else tuple(build)
    asked = all_cases(full) if cases is None else tuple(cases)
    joined = np.asarray(np.isfinite(full.policy.api_usd).any(axis=1))
    jobs = [
        (period, scenarios)
        for period in range(len(full.names.periods))
        for scenarios in ([tuple(range(count))] if joined[period] else [(j,) for j in range(count)])
    ]
    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(lambda job: _run(full, builds, asked, *job), jobs))
    return _whole(full, builds, parts)


def _run(
    full: Instance, builds: tuple[Build, ...], cases: Sequence[Case], period: int, scenarios: tuple[int, ...]
) -> _Part:
    here = [case for case in cases if case.period == period and case.scenario in scenarios]
    local = [Case(case.contingency, 0, scenarios.index(case.scenario)) for case in here]
    own = tuple(builds[j] for j in scenarios)
    draft = _standing(full, own, local, period, scenarios)
    solved = draft.program.arrays().solve(relax=True, threads=1)
    if not len(solved.values):
        raise RuntimeError(f"the check of {full.names.periods[period]} ended as {solved.status}")
    short = solved[draft.columns.short] * draft.scale.requests
    short = np.where(short > SLIGHT * draft.situations.asked, short, 0.0)
    main = draft.situations.ordinary
    with np.errstate(divide="ignore", invalid="ignore"):
        missed = np.where(draft.situations.asked > 0, short / draft.situations.asked, 0.0)[~main]
    return _Part(
        period=period,
        scenarios=scenarios,
        operation=_operation(draft, solved, own, period),
        short=short[main].reshape(len(full.demand.clock), len(scenarios), -1),
        shortfalls=tuple(
            Shortfall(case, full.contingencies[case.contingency].name, share)
            for case, share in zip(here, missed, strict=True)
            if share.any()
        ),
    )


def _standing(
    full: Instance, builds: tuple[Build, ...], cases: Sequence[Case], period: int, scenarios: tuple[int, ...]
) -> Draft:
    """The program of a period in which all that stands is given."""
    part = select(full, T=[period], J=scenarios)
    blocks, bought, systems, placed = (
        np.stack([getattr(build, name)[period] for build in builds])[None]
        for name in ("blocks", "battery_j", "systems", "placed")
    )
    most = np.round(blocks).max(axis=1).astype(np.int64)
    part = replace(
        part,
        ground=replace(
            part.ground, block_standing=np.zeros_like(most), block_most=most, battery_most_j=bought.max(axis=(0, 1))
        ),
        stock=replace(part.stock, standing=systems.max(axis=1)),
        policy=replace(part.policy, carbon_kg=np.full(1, np.inf), year=None),
    )
    draft = begin(part, cases)
    draft.before = full.stock.standing[0] if period == 0 else builds[0].systems[period - 1]
    program, columns, pools = draft.program, draft.columns, draft.pools
    columns.blocks = _given(program, blocks)
    columns.battery = _given(program, bought / draft.scale.joules)
    columns.systems = _given(program, systems)
    columns.placed = _given(program, placed[:, :, pools.site, pools.system, pools.model], where=~pools.alone)
    operate(draft, soft=True)
    operating_costs(draft, least_s=HOUR_S)
    return draft


def _given(program: Program, values: Floats, where: npt.ArrayLike = True) -> Index:
    return program.variables(values.shape, lower=values, upper=values, where=np.logical_and(values != 0, where))


def _operation(draft: Draft, solved: Solved, builds: tuple[Build, ...], period: int) -> Operation:
    own = tuple(replace(build, blocks=build.blocks[period][None]) for build in builds)
    return operation_of(draft, solved, own)


def _whole(full: Instance, builds: tuple[Build, ...], parts: Sequence[_Part]) -> Checked:
    """The parts put together."""
    size = full.shape
    axes = {"served": "TRJF", "unmet": "TKRJ", "it_w": "TRJB", "facility_w": "TRJS", "grid_w": "TRJS"}
    arrays = {name: np.zeros(tuple(size[axis] for axis in letters)) for name, letters in axes.items()}
    short = np.zeros(arrays["unmet"].shape)
    for part in parts:
        own = list(part.scenarios)
        for name, letters in axes.items():
            place = tuple(own if axis == "J" else slice(None) for axis in letters[1:])
            arrays[name][part.period][place] = getattr(part.operation, name)[0]
        short[part.period][:, :, own] = np.moveaxis(part.short, 2, 0)
    arrays["unmet"] += short
    operation = Operation(**arrays)
    costs = costs_of(full, builds, operation)
    violated = tuple(shortfall for part in parts for shortfall in part.shortfalls)
    return Checked(operation, costs, objective_of(full, costs), short, violated)
