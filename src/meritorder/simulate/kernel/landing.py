"""On the decode side, where prompts are computed apart: room for a KV cache, its way there, a place in the batch."""

from __future__ import annotations

from meritorder.compiled import compiled, inlined
from meritorder.dispatch.state import FleetState
from meritorder.simulate.kernel import finish_heap
from meritorder.simulate.kernel.blocks import blocks_for, take, unit_blocks
from meritorder.simulate.kernel.event_heap import add_event, way_in_s
from meritorder.simulate.kernel.lists import append_running
from meritorder.simulate.kernel.memory import (
    AT_ENGINE,
    DECODING,
    IN_TRANSIT,
    LAND,
    MOVING,
    NOBODY,
    RELEASE,
    SimState,
)


@inlined
def want(sim: SimState, replica: int, request: int) -> None:
    """Queue a request that wants room for its KV cache."""
    a = sim.apart[replica]
    q = sim.requests[request]
    q.next, q.previous = NOBODY, a.last_wanting
    if a.last_wanting >= 0:
        sim.requests[a.last_wanting].next = request
    else:
        a.wanting = request
    a.last_wanting = request


@inlined
def stop_wanting(sim: SimState, replica: int, request: int) -> None:
    """Take a request out of that queue."""
    a = sim.apart[replica]
    q = sim.requests[request]
    if q.previous >= 0:
        sim.requests[q.previous].next = q.next
    else:
        a.wanting = q.next
    if q.next >= 0:
        sim.requests[q.next].previous = q.previous
    else:
        a.last_wanting = q.previous


@inlined
def put_down(sim: SimState, replica: int, request: int) -> None:
    """Queue a request whose KV cache has come."""
    a = sim.apart[replica]
    q = sim.requests[request]
    q.next, q.previous = NOBODY, a.last_landed
    if a.last_landed >= 0:
        sim.requests[a.last_landed].next = request
    else:
        a.landed = request
    a.last_landed = request


@inlined
def pick_up(sim: SimState, replica: int, request: int) -> None:
    """Take a request out of that queue."""
    a = sim.apart[replica]
    q = sim.requests[request]
    if q.previous >= 0:
        sim.requests[q.previous].next = q.next
    else:
        a.landed = q.next
    if q.next >= 0:
        sim.requests[q.next].previous = q.previous
    else:
        a.last_landed = q.previous


@compiled
def start_transfer(fleet: FleetState, sim: SimState, request: int, now: float) -> None:
    """Send the KV cache of a prompt that is computed to its decode replica, which has room for it.

    A transfer has the ports of both replicas for itself, and its part of a shared link, in the order in which transfers
    become possible. Layer by layer it began while the prompt was computed; the last layer is sent when it is there.
    """
    q, h = sim.requests[request], sim.handed[request]
    sender, taker = sim.apart[q.replica], sim.apart[h.decoder]
    way = fleet.choices[fleet.choice_of[h.leg, fleet.replicas[h.decoder].pool]]
    wire = way.request_s + way.token_s * sim.prompt[request]
    begin = max(q.start if way.layerwise != 0 else now, sender.port, taker.port)
    if way.pipe >= 0:
        begin = max(begin, sim.pipes[way.pipe])
        sim.pipes[way.pipe] = begin + wire * way.of_pipe
    end = begin + wire
    sender.port = taker.port = end
    if way.layerwise != 0:
        end = max(end, now + wire * way.last_layer)
    end += way.latency_s
    q.status = MOVING
    h.transfer = end - h.ready
    add_event(sim.events, sim.clock, end, request, RELEASE)
    add_event(sim.events, sim.clock, end, request, LAND)


@compiled
def give_room(fleet: FleetState, sim: SimState, replica: int, taken: int) -> None:
    """Reserve KV blocks for requests that want room, first come first served, while blocks and seats last.

    Nobody gets any while a preempted request waits. Whose prompt is not computed yet is sent to where it will be.
    `taken`: blocks that those who decode have already taken for the coming iteration.
    """
    e, a = sim.engines[replica], sim.apart[replica]
    pool = fleet.replicas[replica].pool
    p = fleet.pools[pool]
    ahead = -taken
    if e.decoding > 0:
        ahead += sim.phases[replica * sim.clock[0].phases + e.due]
    while a.wanting >= 0 and e.waiting == 0 and e.running + a.reserved < p.max_sequences:
        i = a.wanting
        q = sim.requests[i]
        blocks = blocks_for(sim.prompt[i], p.block_tokens)
        if blocks > e.free - ahead:
            break
        stop_wanting(sim, replica, i)
        take(sim, replica, blocks, unit_blocks(fleet, sim, pool))
        a.reserved += 1
        if q.generated == 0:
            q.status = IN_TRANSIT
            add_event(sim.events, sim.clock, e.now + way_in_s(fleet, sim, q.replica, i), i, AT_ENGINE)
        else:
            start_transfer(fleet, sim, i, e.now)


@compiled
def seat_landed(fleet: FleetState, sim: SimState, replica: int) -> None:
    """Let requests whose KV cache has come decode, while there are seats."""
    e, a = sim.engines[replica], sim.apart[replica]
    p = fleet.pools[fleet.replicas[replica].pool]
    while a.landed >= 0 and e.running < p.max_sequences:
        i = a.landed
        q = sim.requests[i]
        pick_up(sim, replica, i)
        a.reserved -= 1
        q.status = DECODING
        q.finish_it = e.iteration + sim.output[i] - q.generated
        finish_heap.push(sim.heap, e.heap, e.decoding, q.finish_it, i)
        e.decoding += 1
        e.kv += q.computed
        sim.phases[replica * sim.clock[0].phases + (q.computed + e.due) % p.block_tokens] += 1
        if e.prefilling < 0:
            append_running(sim, replica, i)
        else:
            run_before(sim, replica, i, e.prefilling)


@inlined
def run_before(sim: SimState, replica: int, request: int, other: int) -> None:
    """Put a request in front of the one whose prompt is half computed, which stays the last of those that run."""
    e = sim.engines[replica]
    q, after = sim.requests[request], sim.requests[other]
    q.next, q.previous = other, after.previous
    if after.previous >= 0:
        sim.requests[after.previous].next = request
    else:
        e.head = request
    after.previous = request
    e.running += 1
