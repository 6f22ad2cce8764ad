"""On the decode side, where prompts are computed apart: room for a KV cache, its way there, a place in the batch."""

from __future__ import annotations

from meritorder.compiled import compiled
from meritorder.dispatch.state import FleetState
from meritorder.simulate.kernel import finish_heap
from meritorder.simulate.kernel.blocks import blocks_for, take, unit_blocks
from meritorder.simulate.kernel.event_heap import add_event, way_in_s
from meritorder.simulate.kernel.lists import link, unlink
from meritorder.simulate.kernel.memory import (
    AT_ENGINE,
    DECODING,
    IN_TRANSIT,
    LAND,
    MOVING,
    RELEASE,
    SimState,
)


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
    e, a, wanting = sim.engines[replica], sim.apart[replica], sim.wanting[replica]
    pool = fleet.replicas[replica].pool
    p = fleet.pools[pool]
    ahead = -taken
    if e.decoding > 0:
        ahead += sim.phases[replica * sim.clock[0].phases + e.due]
    while wanting.head >= 0 and e.waiting == 0 and e.running + a.reserved < p.max_sequences:
        i = wanting.head
        q = sim.requests[i]
        blocks = blocks_for(sim.prompt[i], p.block_tokens)
        if blocks > e.free - ahead:
            break
        unlink(sim, wanting, i)
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
    e, a, landed = sim.engines[replica], sim.apart[replica], sim.landed[replica]
    p = fleet.pools[fleet.replicas[replica].pool]
    while landed.head >= 0 and e.running < p.max_sequences:
        i = landed.head
        q = sim.requests[i]
        unlink(sim, landed, i)
        a.reserved -= 1
        q.status = DECODING
        q.finish_it = e.iteration + sim.output[i] - q.generated
        finish_heap.push(sim.heap, e.heap, e.decoding, q.finish_it, i)
        e.decoding += 1
        e.kv += q.computed
        sim.phases[replica * sim.clock[0].phases + (q.computed + e.due) % p.block_tokens] += 1
        link(sim, e, i, e.prefilling)  # whose prompt is half computed stays the last of those that run
        e.running += 1
