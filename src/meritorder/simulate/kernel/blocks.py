"""KV blocks of a replica: what a request holds, taking some, giving them back.

A request's leading `units` prefix blocks belong to the cache and are shared; all further KV blocks are its own. `free`
of an engine counts what cached prefixes without a user hold, too: they are evicted when their space is needed.
"""

from __future__ import annotations

from meritorder.compiled import inlined
from meritorder.dispatch.state import FleetState
from meritorder.simulate.kernel.cache import evict_oldest, find, insert, leave, spill_oldest, use
from meritorder.simulate.kernel.memory import DECODING, SimState


@inlined
def unit_blocks(fleet: FleetState, sim: SimState, pool: int) -> int:
    """KV blocks per prefix block of the trace; 0 where the pool does not cache prefixes."""
    p = fleet.pools[pool]
    return int(sim.clock[0].unit_tokens // p.block_tokens) if p.prefix_caching != 0 else 0


@inlined
def blocks_for(tokens: int, block: int) -> int:
    """KV blocks that hold `tokens` tokens."""
    return (tokens + block - 1) // block


@inlined
def tokens_held(sim: SimState, replica: int, request: int) -> int:
    """Tokens of a running request in the KV cache."""
    q = sim.requests[request]
    if q.status != DECODING:
        return int(q.computed)
    # all but the newest token
    made = sim.output[request] - (q.finish_it - sim.engines[replica].iteration)
    return int(sim.prompt[request] + made - 1)


@inlined
def take(sim: SimState, replica: int, blocks: int, unit_blocks: int) -> None:
    """Take `blocks` of the free blocks (there must be so many), evicting cached prefixes where it must be."""
    e = sim.engines[replica]
    e.free -= blocks
    if unit_blocks > 0:
        cache = sim.caches[replica]
        while e.free < cache.evictable * unit_blocks:
            if cache.below >= 0:
                spill_oldest(sim, replica)
            evict_oldest(sim, replica)


@inlined
def give_back(sim: SimState, replica: int, request: int, tokens: int, block: int, unit_blocks: int) -> None:
    """Free what a request with `tokens` tokens holds; its prefix blocks stay in the cache, the deepest to go first."""
    e = sim.engines[replica]
    q = sim.requests[request]
    e.free += blocks_for(tokens, block) - q.units * unit_blocks
    first = sim.block_start[request]
    for unit in range(q.units - 1, -1, -1):
        if leave(sim, replica, find(sim, replica, sim.blocks[first + unit])):
            e.free += unit_blocks
    q.units = 0


@inlined
def cached_units(sim: SimState, replica: int, request: int, target: int) -> int:
    """Leading prefix blocks of a prompt that are in the cache; at least one token is left to compute."""
    unit_tokens = sim.clock[0].unit_tokens
    first = sim.block_start[request]
    most = min(sim.block_start[request + 1] - first, sim.prompt[request] // unit_tokens, (target - 1) // unit_tokens)
    units = 0
    while units < most and find(sim, replica, sim.blocks[first + units]) >= 0:
        units += 1
    return int(units)


@inlined
def share(sim: SimState, replica: int, request: int, units: int, unit_blocks: int) -> None:
    """Use the first `units` prefix blocks of the prompt from the cache."""
    e = sim.engines[replica]
    first = sim.block_start[request]
    for unit in range(units):
        if use(sim, replica, find(sim, replica, sim.blocks[first + unit])):
            e.free -= unit_blocks
    sim.requests[request].units = units


@inlined
def unused_units(sim: SimState, replica: int, request: int, units: int) -> int:
    """How many of the first `units` prefix blocks nobody uses: they count as free now."""
    cache = sim.caches[replica]
    first = sim.block_start[request]
    unused = 0
    for unit in range(units):
        slot = find(sim, replica, sim.blocks[first + unit])
        if sim.slots[cache.first + slot].users == 0:
            unused += 1
    return unused


@inlined
def publish(sim: SimState, replica: int, request: int, tokens: int, unit_blocks: int) -> None:
    """Put the prefix blocks that are full with `tokens` tokens into the cache, as soon as they are scheduled.

    Where another request has put the same block there before, that one is shared and the copy freed.
    """
    e = sim.engines[replica]
    q = sim.requests[request]
    unit_tokens = sim.clock[0].unit_tokens
    first = sim.block_start[request]
    full = min(sim.block_start[request + 1] - first, min(tokens, sim.prompt[request]) // unit_tokens)
    for unit in range(q.units, full):
        slot = find(sim, replica, sim.blocks[first + unit])
        if slot < 0:
            insert(sim, replica, sim.blocks[first + unit])
        else:
            e.free += unit_blocks
            if use(sim, replica, slot):
                e.free -= unit_blocks
    q.units = max(full, q.units)
