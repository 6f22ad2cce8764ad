"""Shadow prices: what one more unit of a limit is worth, and what one more request costs.

Duals of the linear program of the plan with its blocks and openings kept (a program with whole numbers has none). A
dual counts for a whole period, all scenarios by probability and discounted; shown is money of the period: divided by
its discount, by its length for a price per year, by the tokens served for a price per token. Systems may be fractions.

| price | dual of |
|---|---|
| USD/MW-year of grid power | the grid's limit in all hours, scenarios and contingencies of the period |
| USD/MW-year of block power | what one more MW of block relaxes: cooling, nameplate, less its own losses |
| USD/system of supply, option | deliveries of the offer in the period |
| USD/point of supplier share | installed power beyond the share x the installed power |
| USD/t, USD/USD, USD/MW | carbon, budget, crews |
| USD/Mtok of demand | serving all demand of the service in the period, times 1 + a little |
| USD/ms of SLO | capacity x how the rate of a system grows with the target for the first token |

Where a program is degenerate a dual holds in one direction only: for the dearest few the limit is moved up and down
by `STEP` and solved again, which gives `more` and `less`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter

import numpy as np

from meritorder.plan.instance import Floats, Instance
from meritorder.plan.linear import Index
from meritorder.plan.model import Case
from meritorder.plan.outcome import Plan
from meritorder.plan.studies.findings import Marginal, Price, Prices, SloPrice
from meritorder.plan.studies.fixed import Fixed
from meritorder.plan.studies.priced import Priced, limit_prices

STEP = 1e-3  # of a limit, for prices of more and of less
MTOK = 1e6


def shadow_prices(
    instance: Instance,
    plan: Plan,
    *,
    cases: Sequence[Case] | None = None,
    slopes: Floats | None = None,
    shown: int = 8,
) -> Prices:
    """Prices of a plan for `instance` (its chosen hours) with the contingencies `cases`.

    `slopes` [F]: requests/s that a system of a way carries more per second more of the target for the first token;
    absent: no prices of the service level. `shown`: of so many prices both sides are solved for.
    """
    begin = perf_counter()
    fixed = Fixed(instance, plan.builds, cases)
    priced = sorted(limit_prices(fixed), key=lambda one: -one.weight)
    limits = [_both_sides(fixed, one) if k < shown else one.price for k, one in enumerate(priced)]
    order = {kind: k for k, kind in enumerate(dict.fromkeys(price.limit for price in limits))}
    return Prices(
        limits=tuple(sorted(limits, key=lambda price: (order[price.limit], -price.usd))),
        marginal=_marginal(fixed),
        slo=_slo(fixed, slopes) if slopes is not None else (),
        objective_usd=fixed.objective * fixed.usd,
        seconds=perf_counter() - begin,
    )


def _both_sides(fixed: Fixed, priced: Priced) -> Price:
    """The price with those of a little more and a little less. Bounds that are columns' have no sides asked."""
    if not len(priced.rows):
        return priced.price
    change = priced.size * STEP
    scale = fixed.usd * priced.per_usd / change
    more = (fixed.objective - fixed.moved(priced.rows, change * priced.each)) * scale
    less = (fixed.moved(priced.rows, -change * priced.each) - fixed.objective) * scale
    # the solver's tolerance may put a side on the wrong side of the dual
    return replace(priced.price, more=min(more, priced.price.usd), less=max(less, priced.price.usd))


def _marginal(fixed: Fixed) -> tuple[Marginal, ...]:
    """By service and period."""
    instance, sit = fixed.formulated.instance, fixed.formulated.draft.situations
    demand, names, size = instance.demand, instance.names, instance.shape
    rows = fixed.formulated.program.families["demand"]  # [E,K]
    unit = np.broadcast_to(np.asarray(fixed.formulated.unit("demand"), float), rows.shape)
    value = np.where(rows >= 0, _dual(fixed, rows) / unit * sit.asked, 0.0) * fixed.usd  # [E,K] USD, discounted
    value /= instance.discount[sit.period][:, None]
    tokens = np.where(sit.ordinary[:, None], sit.seconds[:, None] * sit.asked, 0.0) * demand.tokens
    tokens *= demand.probability[sit.scenario][:, None] / MTOK
    found = []
    for s, service in enumerate(names.services):
        mine = demand.service == s
        for t, period in enumerate(names.periods):
            now = sit.period == t
            served = float(tokens[now][:, mine].sum())
            hours = [now & sit.ordinary & (sit.hour == r) for r in range(size["R"])]
            by_hour = np.array([_ratio(value[one][:, mine].sum(), tokens[one][:, mine].sum()) for one in hours])
            found.append(Marginal(service, period, _ratio(float(value[now][:, mine].sum()), served), by_hour))
    return tuple(found)


def _slo(fixed: Fixed, slopes: Floats) -> tuple[SloPrice, ...]:
    """By service and period: -dual of capacity x d(systems taken) / d(target)."""
    instance, draft = fixed.formulated.instance, fixed.formulated.draft
    ways, sit, demand = instance.ways, draft.situations, instance.demand
    own = np.flatnonzero((draft.pools.way >= 0) & (ways.rate > 0))
    rows = fixed.formulated.program.families["capacity"][:, draft.pools.way[own]]  # [E,own]
    columns = draft.columns.served[:, own]
    served = np.where(columns >= 0, fixed.values[columns], 0.0) * draft.scale.requests[ways.cls[own]]
    speed = demand.speed[sit.scenario][:, ways.system[own]] * ways.factors(sit.period)[:, own]
    freed = served / (ways.rate[own] ** 2 * speed) * slopes[own]  # [E,own] systems per second of target
    value = -_dual(fixed, rows) * freed * fixed.usd / instance.discount[sit.period][:, None] * 1e-3
    found = []
    for s, service in enumerate(instance.names.services):
        mine = demand.service[ways.cls[own]] == s
        for t, period in enumerate(instance.names.periods):
            found.append(SloPrice(service, period, float(value[sit.period == t][:, mine].sum())))
    return tuple(found)


def _dual(fixed: Fixed, rows: Index) -> Floats:
    """Duals of rows, 0 where there is none."""
    return np.where(rows >= 0, fixed.row_duals[rows], 0.0)


def _ratio(a: float, b: float) -> float:
    return float(a / b) if b > 0 else float("nan")
