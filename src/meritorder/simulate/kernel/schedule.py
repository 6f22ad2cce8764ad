"""What an engine computes next: the semantics of vLLM V1's scheduler (vllm/v1/core/sched/scheduler.py).

Running requests first, in the order of admission: a decoding one gets 1 token, the one whose prompt is half computed
(there is at most one, the last) gets what the token budget leaves. A request that finds no free KV block preempts the
last one admitted, or by priority the least important, last arrived; a preempted request gives up its KV cache and
recomputes it later. Then, unless anyone was preempted, waiting requests are admitted while seats, budget and blocks
last (blocks for the whole prompt, unless `reserve_prompt` is off); several prompts may share an iteration.
"""

from __future__ import annotations

import numpy as np

from meritorder.compiled import compiled, inlined
from meritorder.dispatch.state import FleetState
from meritorder.simulate.kernel import finish_heap
from meritorder.simulate.kernel.admit import admit_waiting
from meritorder.simulate.kernel.blocks import blocks_for, give_back, publish, take, tokens_held, unit_blocks
from meritorder.simulate.kernel.jump import total
from meritorder.simulate.kernel.landing import give_room, seat_landed
from meritorder.simulate.kernel.lists import rank_of, remove_running, wait_again
from meritorder.simulate.kernel.memory import DECODING, PREFILLING, WAITING, SimState
from meritorder.simulate.kernel.phases import affordable


@inlined
def stop_running(fleet: FleetState, sim: SimState, replica: int, request: int) -> None:
    """A running request leaves its engine, for whatever reason: free its KV cache and its seat."""
    e = sim.engines[replica]
    q = sim.requests[request]
    pool = fleet.replicas[replica].pool
    block = fleet.pools[pool].block_tokens
    tokens = tokens_held(sim, replica, request)
    if q.status == DECODING:
        finish_heap.remove(sim.heap, e.heap, e.decoding, request)
        e.decoding -= 1
        e.kv -= tokens
        sim.phases[replica * sim.clock[0].phases + (tokens + e.due) % block] -= 1
    elif e.prefilling == request:
        e.prefilling = q.next
    give_back(sim, replica, request, tokens, block, unit_blocks(fleet, sim, pool))
    remove_running(sim, replica, request)


@compiled
def preempt(fleet: FleetState, sim: SimState, replica: int, request: int) -> None:
    """Take everything from a running request and let it wait again; its tokens so far are recomputed later."""
    q = sim.requests[request]
    if q.status == DECODING:
        q.generated = sim.output[request] - (q.finish_it - sim.engines[replica].iteration)
    stop_running(fleet, sim, replica, request)
    q.status = WAITING
    q.computed = 0
    q.preempted += 1
    by_priority = fleet.pools[fleet.replicas[replica].pool].by_priority
    wait_again(sim, replica, rank_of(by_priority, sim, request), request, by_priority)


@compiled
def least_important(fleet: FleetState, sim: SimState, replica: int) -> int:
    """Who is preempted next: the last admitted, or by priority the least important, last arrived."""
    e = sim.engines[replica]
    if fleet.pools[fleet.replicas[replica].pool].by_priority == 0:
        return int(e.tail)
    worst = e.head
    i = sim.requests[worst].next
    while i >= 0:
        rank, other = sim.rank[sim.service[i]], sim.rank[sim.service[worst]]
        queued, than = sim.requests[i].queued, sim.requests[worst].queued
        if rank > other or (rank == other and (queued > than or (queued == than and i > worst))):
            worst = i
        i = sim.requests[i].next
    return int(worst)


@compiled
def make_room(fleet: FleetState, sim: SimState, replica: int) -> None:
    """Go through the running requests one by one and preempt until those that stay have their blocks.

    Slow and rarely needed: only when the blocks for the coming iteration are not there. Unlike vLLM, where a request
    that preempts itself also ends the turn of those behind it, here they still run.
    """
    e = sim.engines[replica]
    pool = fleet.replicas[replica].pool
    p = fleet.pools[pool]
    block = p.block_tokens
    units = unit_blocks(fleet, sim, pool)
    stamp = e.iteration + 1
    budget = int(p.token_budget)
    if e.prefilling >= 0:
        sim.requests[e.prefilling].chunk = 0
    i = e.head
    while i >= 0:
        q = sim.requests[i]
        held = tokens_held(sim, replica, i)
        tokens = 1
        if q.status == PREFILLING:
            tokens = min(sim.prompt[i] + q.generated - held, budget)
            if tokens <= 0:
                break
        want = blocks_for(held + tokens, block) - blocks_for(held, block)
        following = q.next
        stays = True
        while e.free < want:
            victim = least_important(fleet, sim, replica)
            v = sim.requests[victim]
            if v.mark == stamp:
                # it had its turn already: what it was granted comes back
                e.free += v.chunk
                budget += 1
            following = q.next
            preempt(fleet, sim, replica, victim)
            if victim == i:
                stays = False
                break
        if stays:
            following = q.next
            take(sim, replica, want, units)
            budget -= tokens
            if q.status == DECODING:
                q.mark = stamp
                q.chunk = want
            else:
                q.chunk = tokens
                if units > 0:
                    publish(sim, replica, i, held + tokens, units)
        i = following


@inlined
def keep_running(fleet: FleetState, sim: SimState, replica: int) -> tuple[bool, int]:
    """Give those who run the KV blocks that the coming iteration needs.

    Returns whether anybody was preempted for it, and the blocks that decoding sequences have taken: none where
    nothing but decoding is to be done, since a jump pays for its blocks when it ends.
    """
    e = sim.engines[replica]
    pool = fleet.replicas[replica].pool
    p = fleet.pools[pool]
    units = unit_blocks(fleet, sim, pool)
    while True:
        want = 0
        if e.decoding > 0:
            want = sim.phases[replica * sim.clock[0].phases + e.due]
        more = part = 0
        i = e.prefilling
        if i >= 0:
            q = sim.requests[i]
            part = min(sim.prompt[i] + q.generated - q.computed, p.token_budget - e.decoding)
            if part > 0:
                more = blocks_for(q.computed + part, p.block_tokens) - blocks_for(q.computed, p.block_tokens)
        if want + more <= e.free:
            break
        make_room(fleet, sim, replica)
        if e.running > 0:
            return True, 0
        # nobody is left to run, so this is no iteration: begin anew with those who wait
    if i < 0 and e.waiting == 0:
        return False, 0
    take(sim, replica, want + more, units)
    if i >= 0:
        sim.requests[i].chunk = part
        if units > 0:
            publish(sim, replica, i, sim.requests[i].computed + part, units)
    return False, want


@inlined
def price(fleet: FleetState, sim: SimState, replica: int, chunks: int) -> None:
    """Seconds and joules of one iteration with `chunks` prompt tokens beside those who decode."""
    e = sim.engines[replica]
    p = fleet.pools[fleet.replicas[replica].pool]
    pairs = 0.0
    i = e.prefilling
    while i >= 0:
        q = sim.requests[i]
        pairs += float(q.chunk) * q.computed + 0.5 * q.chunk * (q.chunk + 1.0)
        i = q.next
    tokens = fleet.tokens[p.tokens + e.decoding + chunks]
    alone = fleet.tokens[p.tokens + chunks]
    batch = fleet.batches[p.batches + e.decoding]
    e.seconds = tokens.step_s + alone.prefill_s + batch.decode_s + batch.decode_kv_s * e.kv + p.pair_s * pairs
    if chunks > 0:
        e.seconds += p.mixed_kv_s * e.kv
    e.seconds *= e.stretch
    e.joules = tokens.step_j + alone.prefill_j + batch.decode_j + batch.decode_kv_j * e.kv + p.pair_j * pairs


@inlined
def schedule(fleet: FleetState, sim: SimState, replica: int, apart: bool) -> float:
    """Decide what the engine does from `now` on. Returns the time of its next boundary; infinity: idle.

    `apart` is constant where this is called: most engines have nothing to do with others, and no code for it.
    """
    e = sim.engines[replica]
    e.n = e.single = e.chunk = 0
    e.stretch = e.wanted
    if apart:
        seat_landed(fleet, sim, replica)
    if e.running == 0 and e.waiting == 0:
        if apart:
            give_room(fleet, sim, replica, 0)
        return np.inf
    preempted, taken = keep_running(fleet, sim, replica)
    chunks = 0
    if e.prefilling >= 0:
        chunks = sim.requests[e.prefilling].chunk
    if not preempted:
        budget = fleet.pools[fleet.replicas[replica].pool].token_budget - e.decoding - chunks
        chunks += admit_waiting(fleet, sim, replica, budget)
        if apart:
            give_room(fleet, sim, replica, taken)
        if chunks == 0:
            e.free += taken
            return jump(fleet, sim, replica)
    price(fleet, sim, replica, chunks)
    e.n = e.single = 1
    e.chunk = chunks
    return float(e.now + e.seconds)


@inlined
def decode_terms(fleet: FleetState, sim: SimState, replica: int) -> tuple[float, float]:
    """Seconds of an iteration of a jump without its KV tokens, and seconds per KV token."""
    e = sim.engines[replica]
    batch = fleet.batches[e.batches + e.decoding]
    base = fleet.tokens[e.tokens + e.decoding].step_s + batch.decode_s
    return e.stretch * base, e.stretch * batch.decode_kv_s


@inlined
def decode_joules(fleet: FleetState, sim: SimState, replica: int) -> tuple[float, float]:
    """Joules of an iteration of a jump without its KV tokens, and joules per KV token."""
    e = sim.engines[replica]
    batch = fleet.batches[e.batches + e.decoding]
    return fleet.tokens[e.tokens + e.decoding].step_j + batch.decode_j, batch.decode_kv_j


@inlined
def jump(fleet: FleetState, sim: SimState, replica: int) -> float:
    """Run decode iterations up to the next one that ends, or as far as the KV blocks carry."""
    e = sim.engines[replica]
    p = fleet.pools[fleet.replicas[replica].pool]
    if e.decoding == 0:
        return np.inf
    left = sim.heap[e.heap].finish_it - e.iteration
    free = e.free
    per_unit = unit_blocks(fleet, sim, fleet.replicas[replica].pool)
    if per_unit > 0 and e.waiting > 0 and e.running < p.max_sequences:
        # who waits may need less space once its own cached prefix is evicted: look again before that
        free -= sim.caches[replica].evictable * per_unit
    first_phase = replica * sim.clock[0].phases
    e.n = max(affordable(sim.phases, first_phase, p.block_tokens, e.due, e.decoding, free, left), 1)
    e.tokens, e.batches = p.tokens, p.batches
    base, slope = decode_terms(fleet, sim, replica)
    return float(e.now + total(base, slope, e.kv, e.decoding, e.n))


@compiled
def schedule_apart(fleet: FleetState, sim: SimState, replica: int) -> float:
    """`schedule` for an engine that works with others."""
    return schedule(fleet, sim, replica, True)
