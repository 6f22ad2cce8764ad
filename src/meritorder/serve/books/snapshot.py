"""The books in words and numbers, for people and metrics."""

from __future__ import annotations

from typing import Any

import numpy as np

from meritorder.fleet.schema import Fleet
from meritorder.serve.books.state import DOWN, UNLIMITED, LiveState


def snapshot(fleet: Fleet, live: LiveState) -> dict[str, Any]:
    """Per pool, replica, service and site what is in flight and what is allowed.

    `in_flight` and `waiting` (for the first token) count all that the engines have, `foreign` are those of them that
    came past the gateway; `watts` are predicted, `busy_watts` above idle; None: no limit. Read without a lock: rows
    may be some microseconds apart.
    """
    state = live.fleet
    site_names, pool_names = list(fleet.sites), list(fleet.pools)
    r = state.replicas
    usable = (live.gates.barred & DOWN) == 0
    is_open = r.closed == 0
    replicas = [
        {
            "name": f"{pool_names[pool]}/{index - int(state.pools[pool].first)}",
            "pool": pool_names[pool],
            "usable": bool(usable[index]),
            "open": bool(is_open[index]),
            "in_flight": int(r.in_flight[index]),
            "waiting": int(r.waiting[index]),
            "foreign": int(live.foreign.in_flight[index]),
            "most": _limit(live.gates.most[index]),
            "speed": float(r.speed[index]),
            "tokens": int(r.context[index]),
            "busy_watts": float(live.watts[index]),
        }
        for index, pool in enumerate(r.pool)
    ]
    pools = {}
    for i, (name, spec) in enumerate(fleet.pools.items()):
        p = state.pools[i]
        mine = slice(int(p.first), int(p.first + p.count))
        pools[name] = {
            "site": spec.site,
            "model": spec.model,
            "replicas": int(p.count),
            "usable": int(usable[mine].sum()),
            "open": int(is_open[mine].sum()),
            "in_flight": int(r.in_flight[mine].sum()),
            "waiting": int(r.waiting[mine].sum()),
            "foreign": int(live.caps[i].foreign),
            "limit": _limit(live.caps[i].most),
            "speed": float(np.exp(np.log(r.speed[mine]).mean())),
            "sent": int(p.sent),
            "mean_output_tokens": float(p.mean_output),
            "busy_watts": float(live.watts[mine].sum()),
        }
    in_flight = state.mix.sum(axis=0)
    services = {
        name: {
            "in_flight": int(in_flight[i]),
            "ended": int(state.services[i].ended),
            "mean_output_tokens": float(state.services[i].mean_output),
        }
        for i, name in enumerate(fleet.services)
    }
    sites = {}
    for i, name in enumerate(site_names):
        site = live.sites[i]
        sites[name] = {
            "watts": float(site.idle_w + site.busy_w),
            "idle_watts": float(site.idle_w),
            "busy_watts": float(site.busy_w),
            "limit_watts": float(site.limit_w) if np.isfinite(site.limit_w) else None,
        }
    return {"pools": pools, "replicas": replicas, "services": services, "sites": sites}


def _limit(most: int) -> int | None:
    return None if most >= UNLIMITED else int(most)
