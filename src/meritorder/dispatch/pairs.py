"""The policies that predict, over replicas that serve requests whole and over pairs of replicas.

Of a pair one replica computes the prompt and the other decodes. Both are chosen by the same search. A pair is judged
by the prefill replica's TTFT and by the token rate of the decode replica that would be chosen now; which one it really
is is decided when the prompt is computed (where the link sends layer by layer, just before). Its cost is that of both:

    prefill = energy of the uncached prompt + metered prompt
              + `scarcity` x pressure x (owner cost per second) x (seconds that the prompt takes)
    pressure = the largest  w'/w x u'^2, as in merit_order.py, with
    u'      = prompts in flight in the pool / most that it computes within a service's TTFT
"""

from __future__ import annotations

import numpy as np

from meritorder.compiled import compiled, inlined
from meritorder.dispatch.baselines import fastest, first_of
from meritorder.dispatch.merit_order import survey
from meritorder.dispatch.predict import delay_s, prefill_j, prefill_s, tpot_with_s, ttft_s
from meritorder.dispatch.reasons import CHEAPEST, CHEAPEST_PREFIX, FASTEST, LEAST_HARM, SHED
from meritorder.dispatch.state import FleetState


@inlined
def choose_in_merit_order(
    state: FleetState, service: int, region: int, prompt: int, total: int, expected: float, near: int, cached: int
) -> tuple[int, int, int]:
    """merit-order: the replica, or first of a pair, of least marginal cost; where none will do, of least harm."""
    s = state.services[service]
    best, there, reason, usd, harm, soonest = survey(state, service, region, prompt, total, expected, near, cached, 0)
    if s.count > s.whole:
        best, there, reason, soonest = compare_pairs(
            state, service, region, prompt, total, expected, near, cached, best, there, reason, usd, harm, soonest
        )
    if reason == LEAST_HARM and s.sheds != 0 and soonest > s.ttft_s:
        return -1, 0, SHED
    return best, there, reason


@inlined
def choose_fastest(
    state: FleetState, service: int, region: int, prompt: int, total: int, expected: float
) -> tuple[int, int, int]:
    """latency-predicted: least predicted time to the last token, TTFT + expected output x time per token.

    As in the predicted-latency routing of llm-d and Dynamo, with our iteration tables in place of a learnt model.
    """
    s = state.services[service]
    best, least = fastest(state, service, region, prompt, total, expected, 0)
    if s.count > s.whole:
        best = fastest_of_pairs(state, service, region, prompt, total, expected, best, least)
    return best, 0, FASTEST


@compiled
def prompts_in_flight(state: FleetState, service: int, pool: int) -> float:
    """Most prompts in flight per replica of a pool that computes only these, within a service's TTFT."""
    p = state.pools[pool]
    new = max(int(p.mean_new), 1)
    each = prefill_s(state, pool, 0, 0.0, new, 0.5 * new * (new + 1.0))
    most = state.settings[0].margin * state.services[service].ttft_s / each
    return float(min(max(most, 1.0), float(p.max_sequences)))


@compiled
def prompt_usd(state: FleetState, service: int, replica: int, prompt: int, cached: int) -> float:
    """Marginal cost in USD of computing a prompt on a replica that computes only prompts (module's formula)."""
    r = state.replicas[replica]
    p = state.pools[r.pool]
    felt = 0.0
    for other in range(len(state.services)):
        if state.choice_of[other, r.pool] >= 0:
            used = (p.in_flight + 1) / (p.count * prompts_in_flight(state, other, r.pool))
            felt = max(felt, state.services[other].weight * used * used)
    pressed = felt / state.services[service].weight
    new = prompt - cached
    pairs = new * (cached + 0.5 * (new + 1))
    seconds = r.speed * prefill_s(state, r.pool, 0, 0.0, new, pairs)
    energy = prefill_j(state, r.pool, 0, new, pairs) * p.usd_per_j
    return float(energy + prompt * p.usd_per_prompt + state.settings[0].scarcity * pressed * p.usd_per_s * seconds)


@compiled
def compare_pairs(
    state: FleetState,
    service: int,
    region: int,
    prompt: int,
    total: int,
    expected: float,
    near: int,
    cached: int,
    best: int,
    best_cached: int,
    reason: int,
    least_usd: float,
    least_harm: float,
    soonest: float,
) -> tuple[int, int, int, float]:
    """The best of `survey` against all pairs: (replica, cached tokens, reason, soonest TTFT). Tried in each pool that
    computes prompts: the replica predicted fastest, and the one that holds the prompt's prefix."""
    s = state.services[service]
    margin = state.settings[0].margin
    for c in range(s.first + s.whole, s.first + s.count):
        pool = state.choices[c].pool
        p = state.pools[pool]
        if total > state.choices[c].max_context:
            continue
        leg = state.choices[c].leg
        _, _, how, usd_on, harm_on, _ = survey(state, leg, region, prompt, total, expected, -1, 0, prompt - 1)
        delay = delay_s(state, pool, region, prompt)
        for attempt in range(2):
            replica = first_of(state, pool)
            if attempt == 0:
                if near < 0 or state.replicas[near].pool != pool:
                    continue
                replica = near
            there = cached if replica == near else 0
            tpot = tpot_with_s(state, replica, prompt, 1.0)
            ttft = ttft_s(state, replica, prompt, there, tpot) + delay
            full = (state.replicas[replica].context + prompt) / (p.kv_blocks * p.block_tokens)
            if how != LEAST_HARM and full <= margin and ttft <= margin * s.ttft_s:
                usd = usd_on + prompt_usd(state, service, replica, prompt, there)
                if usd < least_usd:
                    best, best_cached, least_usd, least_harm = replica, there, usd, -1.0
                    reason = CHEAPEST_PREFIX if there > 0 else CHEAPEST
            elif least_harm > 0.0:
                late = max(ttft / s.ttft_s - margin, 0.0) if s.ttft_s < np.inf else 0.0
                harm = s.weight * (late + max(full - margin, 0.0)) + max(harm_on, 0.0)
                if harm < least_harm:
                    best, best_cached, least_harm = replica, there, harm
            soonest = min(soonest, ttft)
    return best, best_cached, reason, soonest


@compiled
def fastest_of_pairs(
    state: FleetState, service: int, region: int, prompt: int, total: int, expected: float, best: int, least: float
) -> int:
    """The fastest of the replicas that serve a request whole against all pairs, by the time to the last token."""
    s = state.services[service]
    for c in range(s.first + s.whole, s.first + s.count):
        pool = state.choices[c].pool
        if total > state.choices[c].max_context:
            continue
        _, seconds = fastest(state, state.choices[c].leg, region, prompt, total, expected, prompt - 1)
        replica = first_of(state, pool)
        tpot = tpot_with_s(state, replica, prompt, 1.0)
        seconds += ttft_s(state, replica, prompt, 0, tpot) + delay_s(state, pool, region, prompt)
        if seconds < least:
            best, least = replica, seconds
    return best
