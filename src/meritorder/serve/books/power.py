"""The power that a site is predicted to draw, and its limit.

A replica that works is taken to go on as it is: every request that ends is followed by another one.
"""

from __future__ import annotations

import numpy as np

from meritorder.compiled import compiled, inlined
from meritorder.dispatch.predict import chunks, decode_s, prefill_j, prefill_s
from meritorder.dispatch.state import FleetState
from meritorder.serve.books.state import LiveState


@inlined
def busy_w(state: FleetState, pool: int, in_flight: int, context: float) -> float:
    """Watts above idle of a replica kept at `in_flight` requests with `context` tokens together.

    Over one request's life of `output` iterations there are `in_flight` prefills.
    """
    if in_flight <= 0:
        return 0.0
    p = state.pools[pool]
    batch = min(in_flight, p.max_sequences)
    kv_tokens = context * batch / in_flight
    b = state.batches[p.batches + batch]
    iteration_j = state.tokens[p.tokens + batch].step_j + b.decode_j + b.decode_kv_j * kv_tokens
    iteration_s = decode_s(state, pool, batch, kv_tokens)
    new = max(int(p.mean_new), 1)
    beside = min(batch, p.max_sequences - 1)  # the one that is computed needs a seat, too
    _, full, _ = chunks(state, pool, beside, new)
    pairs = 0.5 * new * new
    prompt_j = prefill_j(state, pool, beside, new, pairs)
    alongside = (full + 1) * decode_s(state, pool, beside, kv_tokens) if beside > 0 else 0.0
    prompt_s = max(prefill_s(state, pool, beside, kv_tokens, new, pairs) - alongside, 0.0)
    life = max(p.mean_output, 1.0)
    return float((life * iteration_j + batch * prompt_j) / (life * iteration_s + batch * prompt_s))


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
