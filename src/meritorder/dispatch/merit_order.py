"""merit-order: the cheapest replica that is predicted to keep the request's targets.

Marginal cost of a request on a replica, in USD:

    cost     = energy + metered + capacity
    energy   = (prefill joules of the uncached prompt + expected output x joules per further token)
               x PUE x (price of energy + price of carbon)
    metered  = prompt x its price per token + expected output x its own, where the pool is a metered API
    capacity = `scarcity` x pressure x (owner cost per second) x (predicted seconds on the replica) x share
    pressure = the largest w'/w x u'^2 over all services that could keep their targets on this pool
    u'       = requests in flight in the pool / most that it holds within that service's token rate
    w'/w     = weight of that service / of this one; a priority p weighs 2^-p
    share    = the larger of 1 / (most in flight per replica) and (tokens of the request / KV tokens of the replica)

An idle machine costs its energy only, since it is paid for anyway; a pool that runs full costs its whole price, so
that fast tiers stay free for those who need them, the more so the more important these are. A cached prefix saves its
prefill. A replica keeps the targets if the predicted TTFT, the time per token (of those already there, too) and the KV
space in use stay within `margin` of their limits.

If no replica does: least expected harm, weight x (relative excess of TTFT + of time per token + of KV space), plus, for
everybody already there whose time per token would be above its target, weight x the relative increase.
"""

from __future__ import annotations

import numpy as np

from meritorder.compiled import compiled, inlined
from meritorder.dispatch.baselines import first_of
from meritorder.dispatch.levels import level_at_most
from meritorder.dispatch.predict import delay_s, prefill_j, tpot_s, tpot_with_s, ttft_s
from meritorder.dispatch.reasons import CHEAPEST, CHEAPEST_PREFIX, LEAST_HARM
from meritorder.dispatch.state import FleetState

# Lists of equally busy replicas that are tried in one pool, the busiest first.
TRIES = 4

# Dispatches for which a pool's limit is taken as known; its means move slowly.
REFRESH = 256


@inlined
def keeps_rate(state: FleetState, service: int, pool: int) -> int:
    """Most requests in flight per replica of a pool that keep the service's token rate, by bisection; 0: none."""
    p = state.pools[pool]
    s = state.services[service]
    target = state.settings[0].margin * s.tpot_s
    each = p.mean_new + p.mean_landed + 0.5 * p.mean_square / p.mean_output
    low, high = 0, int(p.max_sequences)
    while low < high:
        middle = (low + high + 1) >> 1
        if tpot_s(state, pool, middle, middle * each, s.mean_output) <= target:
            low = middle
        else:
            high = middle - 1
    # as many as fit into the KV cache
    return min(low, max(int(p.kv_blocks * p.block_tokens / each), 1))


@compiled
def most_in_flight(state: FleetState, service: int, choice: int) -> int:
    """`keeps_rate` of one of the service's pools.

    Kept in `state.choices` and renewed every REFRESH dispatches, as prompts and outputs change.
    """
    c = state.choices[choice]
    p = state.pools[c.pool]
    if p.sent < c.fresh_until:
        return int(c.limit)
    c.limit = keeps_rate(state, service, c.pool)
    c.fresh_until = p.sent + REFRESH
    return int(c.limit)


@inlined
def pressure(state: FleetState, service: int, pool: int) -> float:
    """How much the services that could use a pool press on it, as seen by `service` (formula above)."""
    p = state.pools[pool]
    most = 0.0
    for other in range(len(state.services)):
        choice = state.choice_of[other, pool]
        if choice < 0:
            continue
        limit = most_in_flight(state, other, choice)
        if limit > 0:
            used = (p.in_flight + 1) / (p.count * limit)
            most = max(most, state.services[other].weight * used * used)
    return most / state.services[service].weight


@inlined
def marginal_usd(
    state: FleetState,
    replica: int,
    prompt: int,
    cached: int,
    expected: float,
    seconds: float,
    limit: int,
    pressed: float,
) -> float:
    """Marginal cost in USD of a request that stays `seconds` on `replica` under `pressed` (formula above)."""
    r = state.replicas[replica]
    p = state.pools[r.pool]
    new = prompt - cached
    batch = max(min(r.in_flight - r.waiting, p.max_sequences - 1), 0)
    now = state.batches[p.batches + batch]
    then = state.batches[p.batches + batch + 1]
    tokens = prompt + 0.5 * expected
    step = state.tokens[p.tokens + batch + 1].step_j
    if batch > 0:
        step -= state.tokens[p.tokens + batch].step_j
    per_token = step + then.decode_j - now.decode_j + then.decode_kv_j * tokens
    joules = prefill_j(state, r.pool, batch, new, new * (cached + 0.5 * (new + 1)))
    joules += expected * max(per_token, 0.0)
    share = max(1.0 / limit, (prompt + expected) / (p.kv_blocks * p.block_tokens))
    metered = prompt * p.usd_per_prompt + expected * p.usd_per_output
    return joules * p.usd_per_j + metered + state.settings[0].scarcity * pressed * p.usd_per_s * seconds * share


@compiled
def harm_to_others(state: FleetState, replica: int, tpot: float) -> float:
    """What a rise of the time per token to `tpot` does to those in flight on a replica (module's words)."""
    r = state.replicas[replica]
    p = state.pools[r.pool]
    if r.in_flight == 0:
        return 0.0
    rise = max(tpot - r.speed * tpot_s(state, r.pool, r.in_flight, float(r.context), p.mean_output), 0.0)
    harm = 0.0
    for service in range(len(state.services)):
        s = state.services[service]
        if state.mix[replica, service] > 0 and tpot > state.settings[0].margin * s.tpot_s:
            harm += s.weight * state.mix[replica, service] * rise / s.tpot_s
    return harm


@inlined
def survey(
    state: FleetState,
    service: int,
    region: int,
    prompt: int,
    total: int,
    expected: float,
    near: int,
    cached: int,
    landed: int,
) -> tuple[int, int, int, float, float, float]:
    """The replica of least marginal cost among those predicted to keep TTFT and token rate with margin, else harm.

    Tried in each pool: the busiest replicas that keep the token rate (so that batches fill and others can rest),
    the one predicted fastest, and the one that holds a prefix of the prompt (`near`, with `cached` tokens). `landed`:
    tokens of the prompt that are computed elsewhere. Pools that only compute prompts are left out (see pairs.py).
    Returns (replica, cached tokens, reason, its USD, its harm, the soonest TTFT of those that miss their targets).
    """
    s = state.services[service]
    g = state.settings[0]
    best, best_cached, reason, least_usd, least_harm = -1, 0, LEAST_HARM, np.inf, np.inf
    soonest = np.inf
    for c in range(s.first, s.first + s.whole):
        pool = state.choices[c].pool
        p = state.pools[pool]
        if total > state.choices[c].max_context:
            continue
        limit = max(most_in_flight(state, service, c), 1)
        pressed = pressure(state, service, pool)
        delay = delay_s(state, pool, region, prompt)
        level = limit
        for attempt in range(TRIES + 2):
            if attempt == 0:
                if near < 0 or state.replicas[near].pool != pool:
                    continue
                replica = near
            elif attempt <= TRIES:
                level = level_at_most(state, pool, level - 1) if g.pack != 0 else -1
                if level < 0:
                    continue
                replica = int(state.levels[p.levels + level].head)
            else:
                replica = first_of(state, pool)
            there = cached if replica == near else landed
            r = state.replicas[replica]
            tpot = tpot_with_s(state, replica, prompt, expected)
            ttft = ttft_s(state, replica, prompt, there, tpot) + delay
            seconds = ttft + expected * tpot
            # those already there must keep their token rate, too, and nobody be preempted for want of KV space
            full = (r.context + prompt + expected) / (p.kv_blocks * p.block_tokens)
            if full <= g.margin and ttft <= g.margin * s.ttft_s and tpot <= g.margin * min(s.tpot_s, r.tpot_s):
                usd = marginal_usd(state, replica, prompt, there, expected, seconds, limit, pressed)
                if usd < least_usd:
                    best, best_cached, least_usd, least_harm = replica, there, usd, -1.0
                    reason = CHEAPEST_PREFIX if there > 0 else CHEAPEST
                if attempt >= 1:
                    break
            elif least_harm > 0.0:
                late = max(ttft / s.ttft_s - g.margin, 0.0) if s.ttft_s < np.inf else 0.0
                slow = max(tpot / s.tpot_s - g.margin, 0.0) if s.tpot_s < np.inf else 0.0
                harm = s.weight * (late + slow + max(full - g.margin, 0.0)) + harm_to_others(state, replica, tpot)
                if harm < least_harm:
                    best, best_cached, least_harm = replica, there, harm
            soonest = min(soonest, ttft)
    return best, best_cached, reason, least_usd, least_harm, soonest
