"""The policies that others use, as baselines. Each returns (replica, tokens believed cached there, reason).

`total` is the most tokens that the request may hold: pools with a smaller context are left out.
Closed replicas (down, full) are withdrawn from their pool's order. A pool without an open one, at a limit or shut for
the service has no context at all in its choice (see shutting.py).
"""

from __future__ import annotations

import numpy as np

from meritorder.compiled import compiled, inlined
from meritorder.dispatch.predict import delay_s, tpot_with_s, ttft_s
from meritorder.dispatch.reasons import PREFIX, RANDOM, REQUESTS, TURN
from meritorder.dispatch.state import FleetState
from meritorder.dispatch.tournament import smallest


@inlined
def next_random(state: FleetState) -> int:
    """The next of a reproducible stream of 32-bit numbers (upper half of xorshift64, Marsaglia 2003)."""
    g = state.settings[0]
    x = np.uint64(g.random)
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    g.random = x
    return int(x >> np.uint64(32))


@inlined
def count_fitting(state: FleetState, service: int, total: int) -> int:
    """Open replicas on which a request of `total` tokens fits."""
    s = state.services[service]
    replicas = 0
    for c in range(s.first, s.first + s.count):
        choice = state.choices[c]
        if total <= choice.max_context:
            replicas += state.pools[choice.pool].open
    return int(replicas)


@inlined
def nth_fitting(state: FleetState, service: int, total: int, n: int) -> int:
    """The n-th of these replicas, in the order of the fleet file."""
    s = state.services[service]
    for c in range(s.first, s.first + s.count):
        choice = state.choices[c]
        if total <= choice.max_context:
            p = state.pools[choice.pool]
            if n < p.open:
                return int(p.first + n) if p.open == p.count else nth_open(state, p.first, n)
            n -= p.open
    return -1


@compiled
def nth_open(state: FleetState, first: int, n: int) -> int:
    """The n-th of the open replicas from `first` on; there are so many."""
    replica = first
    while n > 0 or state.replicas[replica].closed != 0:
        n -= state.replicas[replica].closed == 0
        replica += 1
    return replica


@inlined
def first_of(state: FleetState, pool: int) -> int:
    """The replica of a pool that stands first in its order."""
    p = state.pools[pool]
    return int(p.first + smallest(state.keys, p.tree, p.tree_size))


@inlined
def choose_in_turn(state: FleetState, service: int, total: int) -> tuple[int, int, int]:
    """round-robin: the replicas of a service one after the other."""
    s = state.services[service]
    n = s.turn % count_fitting(state, service, total)
    s.turn += 1
    return nth_fitting(state, service, total, n), 0, TURN


@inlined
def choose_random(state: FleetState, service: int, total: int) -> tuple[int, int, int]:
    """random: any replica, all with the same probability."""
    n = next_random(state) % count_fitting(state, service, total)
    return nth_fitting(state, service, total, n), 0, RANDOM


@inlined
def choose_of_several(state: FleetState, service: int, total: int) -> tuple[int, int, int]:
    """power-of-two: of `choices` drawn at random the one with the fewest requests (Mitzenmacher 2001)."""
    replicas = count_fitting(state, service, total)
    best = -1
    for _ in range(state.settings[0].choices):
        drawn = nth_fitting(state, service, total, next_random(state) % replicas)
        if best < 0 or state.replicas[drawn].in_flight < state.replicas[best].in_flight:
            best = drawn
    return best, 0, REQUESTS


@inlined
def choose_fewest(state: FleetState, service: int, total: int, reason: int) -> tuple[int, int, int]:
    """least-request and least-tokens: the smallest key of the pools' order; first pool on a draw."""
    s = state.services[service]
    best, least = -1, np.inf
    for c in range(s.first, s.first + s.count):
        choice = state.choices[c]
        p = state.pools[choice.pool]
        if total <= choice.max_context and state.keys[p.tree + 1] < least:
            best, least = first_of(state, choice.pool), state.keys[p.tree + 1]
    return best, 0, reason


@inlined
def choose_prefix(
    state: FleetState, service: int, prompt: int, total: int, near: int, cached: int
) -> tuple[int, int, int]:
    """prefix-affinity: where the longest known prefix was sent, unless that replica is too busy.

    The rule of SGLang's cache-aware router: affinity if the known share of the prompt is at least `min_match` and
    the load is balanced, i.e. not (busiest - idlest > max_imbalance and busiest > max_ratio * idlest); here
    "busiest" is the replica with the prefix. Otherwise the fewest requests in flight.
    """
    g = state.settings[0]
    best, _, _ = choose_fewest(state, service, total, REQUESTS)
    if near < 0 or cached < g.min_match * prompt or not may_serve(state, service, total, near):
        return best, cached if best == near else 0, REQUESTS
    there = state.replicas[near].in_flight
    least = state.replicas[best].in_flight
    if there - least > g.max_imbalance and there > g.max_ratio * least:
        return best, 0, REQUESTS
    return near, cached, PREFIX


@inlined
def may_serve(state: FleetState, service: int, total: int, replica: int) -> bool:
    """Whether a replica belongs to a pool of the service on which the request fits."""
    s = state.services[service]
    pool = state.replicas[replica].pool
    for c in range(s.first, s.first + s.count):
        if state.choices[c].pool == pool:
            return bool(total <= state.choices[c].max_context)
    return False


@inlined
def fastest(
    state: FleetState, service: int, region: int, prompt: int, total: int, expected: float, landed: int
) -> tuple[int, float]:
    """The replica with the least predicted time to the last token, and that time.

    `landed`: tokens of the prompt that are computed elsewhere and brought there. Pools that only compute prompts are
    left out (see pairs.py).
    """
    s = state.services[service]
    best, least = -1, np.inf
    for c in range(s.first, s.first + s.whole):
        choice = state.choices[c]
        pool = choice.pool
        if total > choice.max_context:
            continue
        replica = first_of(state, pool)
        tpot = tpot_with_s(state, replica, prompt, expected)
        seconds = ttft_s(state, replica, prompt, landed, tpot) + delay_s(state, pool, region, prompt) + expected * tpot
        seconds += choice.latency_s + choice.request_s + choice.token_s * prompt
        if seconds < least:
            best, least = replica, seconds
    return best, least
