"""Which waiting requests join the batch: in order, while seats, token budget and KV blocks last.

Where a pool has a slow tier (`simulate/kernel/cache.py`), a prompt whose prefix goes on there waits for it aside: it
has KV blocks for all of the prompt from when the transfer is asked for, and a seat as soon as there is one after it.
"""

from __future__ import annotations

from meritorder.compiled import compiled, inlined
from meritorder.dispatch.state import FleetState
from meritorder.simulate.kernel.blocks import (
    blocks_for,
    cached_units,
    publish,
    share,
    take,
    unit_blocks,
    unused_units,
)
from meritorder.simulate.kernel.cache import find, touch
from meritorder.simulate.kernel.event_heap import add_event
from meritorder.simulate.kernel.lists import append_running, first_waiting, rank_of, stop_waiting, unlink
from meritorder.simulate.kernel.memory import CAME, COMING, PREFILLING, SimState


@inlined
def admit(fleet: FleetState, sim: SimState, replica: int, request: int, budget: int) -> bool:
    """Schedule the first chunk of a waiting request, if blocks are there for it or, where so set, for all of it."""
    e = sim.engines[replica]
    q = sim.requests[request]
    pool = fleet.replicas[replica].pool
    p = fleet.pools[pool]
    per_unit = unit_blocks(fleet, sim, pool)
    target = sim.prompt[request] + q.generated
    units = cached_units(sim, replica, request, target) if per_unit > 0 else 0
    computed = units * sim.clock[0].unit_tokens
    chunk = min(target - computed, budget)
    want = blocks_for(computed + chunk, p.block_tokens) - units * per_unit
    held = unused_units(sim, replica, request, units) * per_unit if units > 0 else 0
    if p.reserve_prompt != 0 and blocks_for(target, p.block_tokens) - units * per_unit + held > e.free:
        return False
    if want + held > e.free:
        return False
    stop_waiting(sim, replica, rank_of(p.by_priority, sim, request), request)
    if q.start < 0.0:
        q.start = e.now
        q.hit = computed
    q.status = PREFILLING
    q.computed = computed
    q.chunk = chunk
    append_running(sim, replica, request)
    if e.prefilling < 0:
        e.prefilling = request
    if per_unit > 0:
        share(sim, replica, request, units, per_unit)
        take(sim, replica, want, per_unit)
        publish(sim, replica, request, computed + chunk, per_unit)
    else:
        e.free -= want
    return True


@inlined
def admit_waiting(fleet: FleetState, sim: SimState, replica: int, budget: int) -> int:
    """Admit waiting requests while seats, token budget and blocks last. Returns the prompt tokens scheduled."""
    e = sim.engines[replica]
    if sim.caches[replica].below >= 0:
        return admit_with_tier(fleet, sim, replica, budget)
    seats = fleet.pools[fleet.replicas[replica].pool].max_sequences
    tokens = 0
    while tokens < budget and e.waiting > 0 and e.running < seats:
        i = first_waiting(sim, replica)
        if not admit(fleet, sim, replica, i, budget - tokens):
            break
        tokens += sim.requests[i].chunk
    return tokens


@compiled
def admit_with_tier(fleet: FleetState, sim: SimState, replica: int, budget: int) -> int:
    """The same where there is a slow tier: first those whose prefix has come back from there."""
    e, tier = sim.engines[replica], sim.tiers[replica]
    seats = fleet.pools[fleet.replicas[replica].pool].max_sequences
    tokens = 0
    while tokens < budget and tier.head >= 0 and e.running < seats:
        tokens += seat_back(fleet, sim, replica, tier.head, budget - tokens)
    while tokens < budget and e.waiting > 0 and e.running < seats:
        i = first_waiting(sim, replica)
        target = sim.prompt[i] + sim.requests[i].generated
        units = cached_units(sim, replica, i, target)
        more = units_below(sim, replica, i, units, target)
        if more > 0:
            if not bring_back(fleet, sim, replica, i, units, more):
                break
            continue
        if not admit(fleet, sim, replica, i, budget - tokens):
            break
        tokens += sim.requests[i].chunk
    return tokens


@inlined
def units_below(sim: SimState, replica: int, request: int, units: int, target: int) -> int:
    """How many prefix blocks of a prompt that follow the first `units` are in the slow tier."""
    unit_tokens = sim.clock[0].unit_tokens
    first, below = sim.block_start[request], sim.caches[replica].below
    most = min(sim.block_start[request + 1] - first, sim.prompt[request] // unit_tokens, (target - 1) // unit_tokens)
    more = 0
    while units + more < most and find(sim, below, sim.blocks[first + units + more]) >= 0:
        more += 1
    return int(more)


@inlined
def bring_back(fleet: FleetState, sim: SimState, replica: int, request: int, units: int, more: int) -> bool:
    """Ask for the `more` prefix blocks of a waiting request, if KV blocks are free for all of it.

    Transfers have the tier's wire for themselves, one after the other.
    """
    e, q, tier = sim.engines[replica], sim.requests[request], sim.tiers[replica]
    pool = fleet.replicas[replica].pool
    p = fleet.pools[pool]
    per_unit = unit_blocks(fleet, sim, pool)
    want = blocks_for(sim.prompt[request] + q.generated, p.block_tokens) - units * per_unit
    held = unused_units(sim, replica, request, units) * per_unit
    if e.running + tier.reserved >= p.max_sequences or want + held > e.free:
        return False
    stop_waiting(sim, replica, rank_of(p.by_priority, sim, request), request)
    first = sim.block_start[request] + units
    for unit in range(more - 1, -1, -1):
        touch(sim, sim.caches[replica].below, sim.blocks[first + unit])
    share(sim, replica, request, units, per_unit)
    take(sim, replica, want, per_unit)
    tier.reserved += 1
    tier.port = max(e.now, tier.port) + tier.prompt_s + more * tier.unit_s
    end = tier.port + tier.latency_s
    q.status = COMING
    q.computed = (units + more) * sim.clock[0].unit_tokens
    sim.returns[request].tokens += more * sim.clock[0].unit_tokens
    sim.returns[request].seconds += end - e.now
    add_event(sim.events, sim.clock, end, request, CAME)
    return True


@inlined
def seat_back(fleet: FleetState, sim: SimState, replica: int, request: int, budget: int) -> int:
    """Schedule the first chunk behind a prefix that has come back. Returns its tokens."""
    e, q, tier = sim.engines[replica], sim.requests[request], sim.tiers[replica]
    pool = fleet.replicas[replica].pool
    block = fleet.pools[pool].block_tokens
    target = sim.prompt[request] + q.generated
    unlink(sim, tier, request)
    e.waiting -= 1
    tier.reserved -= 1
    if q.start < 0.0:
        q.start = e.now
        q.hit = q.computed
    q.status = PREFILLING
    q.chunk = min(target - q.computed, budget)
    append_running(sim, replica, request)
    if e.prefilling < 0:
        e.prefilling = request
    # from here on it takes blocks chunk by chunk, like others
    e.free += blocks_for(target, block) - blocks_for(q.computed + q.chunk, block)
    publish(sim, replica, request, q.computed + q.chunk, unit_blocks(fleet, sim, pool))
    return int(q.chunk)
