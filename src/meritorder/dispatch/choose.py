"""`choose`: the one function that simulator and gateway ask where a request should go."""

from __future__ import annotations

from meritorder.compiled import inlined
from meritorder.dispatch.baselines import (
    choose_fewest,
    choose_in_turn,
    choose_of_several,
    choose_prefix,
    choose_random,
)
from meritorder.dispatch.pairs import choose_fastest, choose_in_merit_order
from meritorder.dispatch.prefixes import known_blocks
from meritorder.dispatch.reasons import REQUESTS, TOKENS, TOO_LONG
from meritorder.dispatch.state import FleetState
from meritorder.records import Records

POLICIES = (
    "merit-order",
    "round-robin",
    "random",
    "least-request",
    "least-tokens",
    "power-of-two",
    "prefix-affinity",
    "latency-predicted",
)
(
    MERIT_ORDER,
    ROUND_ROBIN,
    RANDOM_REPLICA,
    LEAST_REQUEST,
    LEAST_TOKENS,
    POWER_OF_TWO,
    PREFIX_AFFINITY,
    LATENCY_PREDICTED,
) = range(len(POLICIES))


@inlined
def choose(
    state: FleetState,
    service: int,
    region: int,
    prompt: int,
    output: int,
    blocks: Records,
    start: int,
    stop: int,
) -> tuple[int, int, int]:
    """Choose a replica for a request of `service` from `region` with prefix blocks blocks[start:stop].

    `output` is the most tokens that the client may get: it bounds where the request fits, and only with the
    option `oracle_length` is it also taken as what will come.
    Returns (replica, prompt tokens believed to be cached there, reason); replica -1: refused, see `reason`.
    """
    near, cached = -1, 0
    g = state.settings[0]
    if g.uses_prefix != 0 and stop > start:
        known = known_blocks(state, blocks, start, stop)
        while known > 0 and state.owner[blocks[start + known - 1]] < 0:
            known -= 1  # who was sent that much has lost it
        if known > 0:
            near = state.owner[blocks[start + known - 1]]
            cached = min(known * g.prefix_tokens, prompt - 1)
    return choose_near(state, service, region, prompt, output, near, cached)


@inlined
def choose_near(
    state: FleetState, service: int, region: int, prompt: int, output: int, near: int, cached: int
) -> tuple[int, int, int]:
    """The same where it is known which replica `near` was sent the prompt's first `cached` tokens before (-1: none)."""
    fits = False
    s = state.services[service]
    for c in range(s.first, s.first + s.count):
        if prompt + output <= state.choices[c].max_context:
            fits = True
    if not fits:
        return -1, 0, TOO_LONG
    total = prompt + output
    g = state.settings[0]
    expected = float(output) if g.oracle_length != 0 else s.mean_output
    policy = g.policy
    if policy == MERIT_ORDER:
        return choose_in_merit_order(state, service, region, prompt, total, expected, near, cached)
    if policy == ROUND_ROBIN:
        return choose_in_turn(state, service, total)
    if policy == RANDOM_REPLICA:
        return choose_random(state, service, total)
    if policy == LEAST_REQUEST:
        return choose_fewest(state, service, total, REQUESTS)
    if policy == LEAST_TOKENS:
        return choose_fewest(state, service, total, TOKENS)
    if policy == POWER_OF_TWO:
        return choose_of_several(state, service, total)
    if policy == PREFIX_AFFINITY:
        return choose_prefix(state, service, prompt, total, near, cached)
    return choose_fastest(state, service, region, prompt, total, expected)
