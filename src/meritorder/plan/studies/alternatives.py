"""What else costs little more and is better at something else (near-optimal alternatives, MGA).

The program gets two rows, cost <= (1 + slack) x the plan's cost, and no more demand missed than there, and another
objective:

* `least SUPPLIER`: nameplate of that supplier's systems at the end, of the two suppliers that have most;
* `least carbon`: expected carbon of the whole horizon;
* `least grid power`: the sum over the sites of their largest draw;
* `fewest sites`, `fewest offers`, `fewest pairs`: sites, offers, pairs of both that are bought at all.

Counts are not linear: there a group costs its systems over what the last solution had of them (reweighting: what is
small gets dear), `ROUNDS` times; then what is nearly nothing is forbidden and the cheapest of the rest is taken. That
finds few, but does not prove that there are no fewer. Each aim is a relaxation whose blocks are then rounded one after
the other, solving in between; programs of up to `BRANCHED` columns go on with branch and bound. An aim has no
alternative where none is found within the slack that is better at it than the optimum. The solver goes on from aim to
aim. An instance of more than `MOST` columns is made smaller for the search; the slack is then that of the smaller one,
and what is found is run on all hours and scenarios: its cost there may be a little more than the slack allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np

from meritorder.plan.check import check
from meritorder.plan.costs import objective_of
from meritorder.plan.held import Held, dive
from meritorder.plan.instance import Floats, Instance
from meritorder.plan.linear import Arrays, Index, Solved
from meritorder.plan.model import Case, Formulated, first_cases, formulate, median_scenario, plan_of, solved
from meritorder.plan.model.power import by_site
from meritorder.plan.outcome import Plan
from meritorder.plan.studies.figures import figures_of
from meritorder.plan.studies.findings import Alternative, Alternatives
from meritorder.plan.studies.smaller import Smaller, smaller

ROUNDS = (3, 2)  # of programs of up to `BRANCHED` columns, of larger ones
BRANCHED = 10_000
MOST = 40_000
SMALL = 1e-3  # of the largest group: nearly nothing
LITTLE = 1e-3  # better by less is not better
PROVEN = 0.02  # an aim this near to that of its relaxation is as good as can be


@dataclass(frozen=True)
class _Aim:
    name: str
    figure: str  # of `figures_of`, that it makes small
    cost: Floats  # [columns]
    groups: tuple[Index, ...] = ()  # of counts: columns that are one thing


def alternatives(
    instance: Instance,
    plan: Plan,
    *,
    slack: float = 0.02,
    cases: Sequence[Case] | None = None,
    most: int = MOST,
    time_s: float = 300.0,
) -> Alternatives:
    """Alternatives to a plan for `instance` (its chosen hours) that cost up to `slack` more.

    `most`: columns beyond which they go to a smaller instance; `time_s`: of the solver, for all aims together.
    """
    begin = perf_counter()
    asked = tuple(first_cases(instance) if cases is None else cases)
    plans = [Alternative("optimum", plan.objective, 0.0, figures_of(instance, plan), True, plan.build)]
    part = smaller(instance, asked, most)
    # few systems come whole, as in the plan: fractions of them would look cheaper than it
    whole = np.zeros(len(instance.names.systems), bool) if part.how else None
    formulated = formulate(part.instance, cases=part.cases, whole=whole)
    aims = _aims(formulated, plan)
    arrays = formulated.arrays()
    usd, missed = formulated.draft.scale.usd, np.unique(formulated.columns.unmet[formulated.columns.unmet >= 0])
    least, penalty = plan.objective / usd, float(plan.costs.unmet.sum(axis=0) @ instance.demand.probability) / usd
    if part.how:  # its own optimum, with blocks rounded
        found = solved(formulated, gap=PROVEN, time_s=time_s, threads=1)
        least, penalty = found.objective, float(found.values[missed] @ arrays.cost[missed])
    everything = np.flatnonzero(arrays.cost)
    arrays = _within(arrays, everything, (1.0 + slack) * least)
    arrays = _within(arrays, missed, penalty * (1.0 + LITTLE) + LITTLE * least)
    search = _Search(formulated, arrays, time_s)
    for aim in aims:
        best = search.best(aim)
        if best is None:
            continue
        other, short = _on_all(instance, part, best[0], asked)
        figures = figures_of(instance, other)
        if figures[aim.figure] < plans[0].figures[aim.figure] * (1.0 - LITTLE):
            more, proven = other.objective / plan.objective - 1.0, best[1] and not part.how
            plans.append(Alternative(aim.name, other.objective, more, figures, proven, other.build, short))
    return Alternatives(slack, tuple(plans), perf_counter() - begin, part.how)


def _on_all(instance: Instance, part: Smaller, found: Plan, cases: Sequence[Case]) -> tuple[Plan, float]:
    """The plan run on the whole instance, and the share of the demand that must be served and isn't."""
    if not part.how:
        return found, 0.0
    builds = tuple(found.builds[j] for j in part.scenario)
    checked = check(instance, builds, cases=cases, threads=1)
    tokens = instance.demand.tokens[:, None, None]
    short = float((checked.short * tokens).sum() / (instance.demand.requests * tokens).sum())
    middle = builds[median_scenario(instance)]
    on_all = replace(found, build=middle, builds=builds, operation=checked.operation, costs=checked.costs)
    return replace(on_all, objective=checked.objective), short


class _Search:
    """A program in the solver, whose objective and bounds change from aim to aim."""

    def __init__(self, formulated: Formulated, arrays: Arrays, time_s: float) -> None:
        self.formulated, self.arrays = formulated, arrays
        self.whole = np.flatnonzero(arrays.integer)
        self.held, self.time_s = Held(arrays, time_s), time_s

    def best(self, aim: _Aim) -> tuple[Plan, bool] | None:
        """The best plan for an aim that was found, and whether it is proven."""
        everything = np.arange(len(self.arrays.cost))
        self.held.bound(everything, self.arrays.lower, self.arrays.upper)
        self._objective(aim.cost)
        if not self.held.run() or (aim.groups and not self._few(aim.groups)):
            return None
        bound = self.held.objective
        dived = self.held.solved(bound) if dive(self.held, self.whole) else None
        if not aim.groups and len(self.arrays.cost) <= BRANCHED and (dived is None or not _near(dived)):
            start = None if dived is None else dived.values
            branched = replace(self.arrays, cost=aim.cost).solve(gap=PROVEN, time_s=self.time_s, threads=1, start=start)
            dived = branched if len(branched.values) else dived
        if dived is None:
            return None
        found = plan_of(self.formulated, dived)
        return replace(found, objective=objective_of(self.formulated.instance, found.costs)), not aim.groups and _near(
            dived
        )

    def _few(self, groups: tuple[Index, ...]) -> bool:
        """Reweight, forbid what is nearly nothing, and take the cheapest of the rest, if there is any."""
        for _ in range(ROUNDS[len(self.arrays.cost) > BRANCHED]):
            total = self._totals(groups)
            weight = 1.0 / (total / max(total.max(), 1e-9) + SMALL)
            self._objective(_spread(groups, weight, len(self.arrays.cost)))
            if not self.held.run():
                return False
        total = self._totals(groups)
        nothing = np.concatenate(
            [np.zeros(0, np.int64), *(g for g, n in zip(groups, total, strict=True) if n <= SMALL * total.max())]
        )
        self.held.bound(nothing, self.arrays.lower[nothing], self.arrays.lower[nothing])
        self._objective(self.arrays.cost)
        return self.held.run()

    def _totals(self, groups: tuple[Index, ...]) -> Floats:
        values = self.held.values
        return np.array([values[group].sum() for group in groups])

    def _objective(self, cost: Floats) -> None:
        self.held.solver.changeColsCost(len(cost), np.arange(len(cost), dtype=np.int32), cost)


def _near(solved: Solved) -> bool:
    return solved.objective <= solved.bound + PROVEN * max(abs(solved.bound), 1e-9)


def _spread(groups: tuple[Index, ...], weight: Floats, count: int) -> Floats:
    cost = np.zeros(count)
    for group, each in zip(groups, weight, strict=True):
        cost[group] = each
    return cost


def _within(arrays: Arrays, columns: Index, most: float) -> Arrays:
    """The program with one row more: what these columns cost is at most `most`."""
    return replace(
        arrays,
        row_lower=np.append(arrays.row_lower, -np.inf),
        row_upper=np.append(arrays.row_upper, most),
        starts=np.append(arrays.starts, arrays.starts[-1] + len(columns)).astype(np.int32),
        indices=np.append(arrays.indices, columns).astype(np.int32),
        values=np.append(arrays.values, arrays.cost[columns]),
    )


def _aims(formulated: Formulated, plan: Plan) -> list[_Aim]:
    """All aims; the program gets the columns and rows that the largest draws need."""
    instance, draft, columns = formulated.instance, formulated.draft, formulated.columns
    names, stock = instance.names, instance.stock
    size = instance.shape
    peaks = formulated.program.variables(size["S"])
    drawn = by_site(draft, columns.facility)
    formulated.program.add(
        "peak",
        [(1.0, drawn), (1.0, columns.charge), (-1.0, columns.discharge), (-1.0, peaks)],
        shape=(len(drawn), size["S"]),
        upper=0.0,
        where=draft.situations.ordinary[:, None],
    )
    count = formulated.program.columns
    aims = []
    power = (plan.build.systems[-1] * stock.nameplate_w).sum(axis=0)
    of_supplier = np.bincount(stock.supplier, weights=power, minlength=len(names.suppliers))
    for v in np.argsort(-of_supplier, kind="stable")[:2]:
        if of_supplier[v] > 0:
            mine = np.where(stock.supplier == v, stock.nameplate_w / draft.scale.watts, 0.0)
            last = np.broadcast_to(mine * instance.demand.probability[:, None, None], columns.systems[-1].shape)
            aims.append(
                _Aim(
                    f"least {names.suppliers[v]}",
                    f"share {names.suppliers[v]}",
                    _costs(count, columns.systems[-1], last),
                )
            )
    sit = draft.situations
    kg = (
        instance.ground.kg_per_j[sit.period, :, sit.hour]
        * (sit.seconds * instance.demand.probability[sit.scenario])[:, None]
    )
    kg = kg / max(float(kg.max()), 1e-300)
    carbon = _costs(count, columns.facility, kg[:, instance.ground.block_site])
    for block, sign in ((columns.charge, 1.0), (columns.discharge, -1.0)):
        if block.size:
            carbon = carbon + _costs(count, block, sign * kg)
    aims.append(_Aim("least carbon", "carbon_t", carbon))
    aims.append(_Aim("least grid power", "peak_grid_mw", _costs(count, peaks, np.ones(size["S"]))))
    bought = columns.delivered  # [T,J,S,H]
    pairs = [_there(bought[:, :, s, h]) for s in range(size["S"]) for h in range(size["H"])]
    kinds = (
        ("fewest sites", [_there(bought[:, :, s]) for s in range(size["S"])]),
        ("fewest offers", [_there(bought[..., h]) for h in range(size["H"])]),
        ("fewest pairs", pairs),
    )
    nothing = np.zeros(count)
    aims += [
        _Aim(name, name.removeprefix("fewest "), nothing, tuple(group for group in groups if len(group)))
        for name, groups in kinds
    ]
    return aims


def _there(index: Index) -> Index:
    return np.unique(index[index >= 0])


def _costs(count: int, index: Index, cost: Floats) -> Floats:
    total = np.zeros(count)
    np.add.at(total, index[index >= 0], cost[index >= 0])
    return total
