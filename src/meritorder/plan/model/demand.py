"""Demand is served, or it is missed where that has a price.

sum_f x_f + u_k = D_k          x: requests/s by way; a contingency asks for a share of D and allows no u
"""

from __future__ import annotations

import numpy as np

from meritorder.plan.instance import Bools
from meritorder.plan.model.draft import Draft


def demand(draft: Draft) -> None:
    """Columns `served`, `unmet`; rows of demand."""
    program, columns, sit = draft.program, draft.columns, draft.situations
    ways, wanted = draft.instance.ways, draft.instance.demand
    asked = sit.asked / draft.scale.requests
    columns.served = program.variables(
        (len(asked), len(ways.cls)), where=_usable(draft) & (sit.asked > 0)[:, ways.cls], upper=np.inf
    )
    priced = np.isfinite(wanted.unmet_usd)
    columns.unmet = program.variables(asked.shape, upper=asked, where=priced & sit.ordinary[:, None] & (asked > 0))
    draft.units["demand"] = draft.scale.requests
    rows = program.add(
        "demand",
        [(1.0, columns.unmet)],
        shape=asked.shape,
        lower=asked,
        upper=np.where(sit.ordinary[:, None], asked, np.inf),
        where=asked > 0,
    )
    program.put(rows[:, ways.cls], 1.0, columns.served)


def _usable(draft: Draft) -> Bools:
    """[E,F] whether a way's systems can stand there and are not lost."""
    ways, sit = draft.instance.ways, draft.situations
    there = draft.possible[sit.period] & sit.alive  # [E,S,H]
    own, pair = ways.api < 0, ways.decoder >= 0
    usable = np.where(own, there[:, ways.site, ways.system] & (ways.rate > 0), True)
    usable &= np.where(pair, there[:, ways.site, ways.decoder] & (ways.decoder_rate > 0), True)
    if len(draft.instance.names.apis):
        usable &= np.where(own, True, draft.instance.policy.api_rate[sit.period][:, ways.api] > 0)
    return usable
