"""Cheapest tokens first: every class takes the system with the least USD per million tokens until it is sold out."""

from __future__ import annotations

import numpy as np

from bench.plan_baselines.orders import carried, peak, usd_per_s, within_reach
from meritorder.plan.instance import Floats, Instance


def greedy(full: Instance) -> Floats:
    """[T,H] systems in service, each period sized for its own busiest hour."""
    rate, demand, reach, usd = carried(full), peak(full), within_reach(full), usd_per_s(full)
    wanted = np.zeros_like(reach)
    for t in range(len(reach)):
        with np.errstate(divide="ignore"):
            per_token = usd[t][:, None] / (rate * full.demand.tokens)
        left = demand[t].copy()
        for index in np.argsort(per_token, axis=None, kind="stable"):
            h, k = divmod(int(index), rate.shape[1])
            if rate[h, k] <= 0 or left[k] <= 0:
                continue
            taken = min(left[k] / rate[h, k], reach[t, h] - wanted[t, h])
            wanted[t, h] += taken
            left[k] -= taken * rate[h, k]
    return wanted
