"""Aversion to bad scenarios.

min E[cost] + lambda CVaR,   CVaR = eta + 1/tail sum_j p_j w_j,   w_j >= cost_j - eta, w_j >= 0
"""

from __future__ import annotations

import numpy as np

from meritorder.plan.model.draft import Draft


def risk(draft: Draft) -> None:
    """Columns `eta`, `tail`; rows `tail` [J]. Nothing where nobody minds or there is one scenario."""
    policy, demand, program = draft.instance.policy, draft.instance.demand, draft.program
    scenarios = len(demand.probability)
    if policy.aversion <= 0:
        return
    eta = program.variables(1, lower=-np.inf, cost=policy.aversion)
    draft.columns.eta = int(eta[0])
    draft.columns.tail = program.variables(scenarios, cost=policy.aversion * demand.probability / policy.tail)
    draft.units["tail"] = draft.scale.usd
    rows = program.add("tail", [(1.0, draft.columns.tail), (1.0, eta)], shape=scenarios, lower=0.0)
    for scenario, columns, usd in draft.ledger.entries:
        program.put(rows[scenario], -usd, columns)
