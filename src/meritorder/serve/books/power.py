"""The power that a site is predicted to draw, and its limit."""

from __future__ import annotations

import numpy as np

from meritorder.compiled import compiled, inlined
from meritorder.dispatch.power import busy_w
from meritorder.serve.books.state import LiveState


@inlined
def weigh(live: LiveState, replica: int) -> None:
    """Renew what a replica is predicted to draw."""
    state = live.fleet
    r = state.replicas[replica]
    watts = busy_w(state, r.pool, r.in_flight, float(r.context))
    live.sites[state.pools[r.pool].site].busy_w += watts - live.watts[replica]
    live.watts[replica] = watts


@inlined
def further_w(live: LiveState, replica: int, room: int) -> float:
    """Watts that one more request of `room` tokens adds."""
    r = live.fleet.replicas[replica]
    return float(busy_w(live.fleet, r.pool, r.in_flight + 1, float(r.context + room)) - live.watts[replica])


@inlined
def spare_w(live: LiveState, pool: int) -> float:
    """Watts that the site of a pool may still take on."""
    site = live.sites[live.fleet.pools[pool].site]
    return float(site.limit_w - site.idle_w - site.busy_w)


@compiled
def least_power(live: LiveState, pool: int, room: int) -> int:
    """The open replica of a pool that needs the least further power for a request; -1: too much anywhere."""
    p = live.fleet.pools[pool]
    best, least = -1, np.inf
    for replica in range(p.first, p.first + p.count):
        if live.fleet.replicas[replica].closed == 0:
            watts = further_w(live, replica, room)
            if watts < least:
                best, least = replica, watts
    return best if least <= spare_w(live, pool) else -1
