"""Metered APIs.

sum_{f of a} x_f <= rate_ta                                in every situation
E[sum_r w_r sum_{f of a} usd_f x_f] <= usd_ta              in a period
"""

from __future__ import annotations

import numpy as np

from meritorder.plan.model.draft import Draft


def metered(draft: Draft) -> None:
    """Rows `api rate` [E,A] and `api budget` [T,A]."""
    program, sit, ways, policy = draft.program, draft.situations, draft.instance.ways, draft.instance.policy
    on = np.flatnonzero(ways.api >= 0)
    if not len(on):
        return
    served = draft.columns.served[:, on]
    limit = policy.api_rate[sit.period]
    # Rates of services differ by orders: a row is written in parts of its limit.
    rows = program.add("api rate", [], shape=limit.shape, upper=1.0, where=np.isfinite(limit) & (limit > 0))
    api, unit = ways.api[on], draft.scale.requests[ways.cls[on]]
    with np.errstate(divide="ignore"):
        program.put(rows[:, api], np.where(limit > 0, 1.0 / limit, 0.0)[:, api] * unit, served)
    budget = policy.api_usd
    draft.units["api rate"], draft.units["api budget"] = limit, draft.scale.usd
    rows = program.add("api budget", [], shape=budget.shape, upper=budget / draft.scale.usd, where=np.isfinite(budget))
    expected = sit.seconds * draft.instance.demand.probability[sit.scenario] / draft.scale.usd
    program.put(rows[sit.period][:, api], expected[:, None] * unit * ways.usd[on], served)
