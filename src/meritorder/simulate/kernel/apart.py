"""A request between two replicas: one computes its prompt, then its KV cache goes to the one that decodes it.

Rare or not at all in most fleets, so all of it is kept out of the hot path's code. A replica that is touched in the
books of dispatch must be settled before another one is (`about`).
"""

from __future__ import annotations

from meritorder.compiled import compiled, inlined
from meritorder.dispatch.choose import choose
from meritorder.dispatch.state import FleetState
from meritorder.dispatch.update import answered, ended, learn, observe, room_for, sent_on, settle
from meritorder.simulate.kernel.blocks import blocks_for, give_back, unit_blocks
from meritorder.simulate.kernel.egress import wait_for_wire
from meritorder.simulate.kernel.event_heap import add_event, send_follow_ups
from meritorder.simulate.kernel.interrupt import interrupt
from meritorder.simulate.kernel.landing import start_transfer
from meritorder.simulate.kernel.lists import link, remove_running, unlink
from meritorder.simulate.kernel.memory import (
    ASK,
    CAME,
    COMPLETED,
    HELD,
    LAND,
    LANDED,
    MOVING,
    NOBODY,
    RELEASE,
    WANTING,
    SimState,
)
from meritorder.simulate.kernel.returned import came


@inlined
def about(fleet: FleetState, replica: int) -> None:
    """The books of `replica` are going to change: first settle those of another one that have."""
    if fleet.settings[0].touched != replica:
        settle(fleet)


@compiled
def set_aside(fleet: FleetState, sim: SimState, replica: int, request: int, time: float) -> None:
    """A request has its first token: it leaves its seat, and its KV cache waits to be sent on."""
    q, h = sim.requests[request], sim.handed[request]
    pool = fleet.replicas[replica].pool
    p = fleet.pools[pool]
    service = sim.service[request]
    q.awaits = 0
    q.first = time + p.output_token_s + 0.5 * fleet.rtt_s[sim.region[request], p.site]
    remove_running(sim, replica, request)
    about(fleet, replica)
    observe(fleet, replica, sim.engines[replica].stretch)
    if sim.output[request] == 1:
        ended(fleet, replica, service, q.new, q.room, 1, False)
        give_back(sim, replica, request, q.computed, p.block_tokens, unit_blocks(fleet, sim, pool))
        q.finish = q.first
        if p.egress_s > 0.0:
            q.finish += wait_for_wire(sim.egress, p.site, p.egress_s, time)
        q.status = COMPLETED
        sim.clock[0].unfinished -= 1
        if h.decoder >= 0:
            let_go(fleet, sim, request, COMPLETED, time)
        send_follow_ups(sim, request, q.finish)
        return
    ended(fleet, replica, service, q.new, q.room, 0, False)
    h.ready = time
    if h.decoder >= 0:
        start_transfer(fleet, sim, request, time)
    else:
        q.status = HELD
        add_event(sim.events, sim.clock, time, request, ASK)


@compiled
def ask(fleet: FleetState, sim: SimState, request: int, time: float) -> int:
    """Choose who decodes a request, and queue it there for room. Returns the engine if it has to be scheduled now."""
    q, h = sim.requests[request], sim.handed[request]
    if q.status != HELD:
        return NOBODY
    service, prompt, output = sim.service[request], sim.prompt[request], sim.output[request]
    h.leg = fleet.choices[fleet.choice_of[service, fleet.replicas[q.replica].pool]].leg
    h.decoder, _, _ = choose(fleet, h.leg, sim.region[request], prompt, output, sim.blocks, 0, 0)
    h.room = room_for(fleet, h.leg, prompt, output)
    sent_on(fleet, h.decoder, h.leg, prompt, h.room)
    q.status = WANTING
    link(sim, sim.wanting[h.decoder], request, NOBODY)
    return wake(fleet, sim, h.decoder, time)


@inlined
def wake(fleet: FleetState, sim: SimState, replica: int, time: float) -> int:
    """Something has come to a decode replica. Returns it if it idles, else it looks up after the present iteration."""
    e = sim.engines[replica]
    if e.n == 0:
        e.now = time
        return replica
    interrupt(fleet, sim, replica, time)
    return NOBODY


@compiled
def release(fleet: FleetState, sim: SimState, request: int, time: float) -> int:
    """The KV cache of a prompt has left the replica that computed it; returns that one if somebody waits for room."""
    q = sim.requests[request]
    e = sim.engines[q.replica]
    pool = fleet.replicas[q.replica].pool
    give_back(sim, q.replica, request, q.computed, fleet.pools[pool].block_tokens, unit_blocks(fleet, sim, pool))
    if e.n == 0 and e.waiting > 0:
        e.now = time
        return int(q.replica)
    return NOBODY


@compiled
def land(fleet: FleetState, sim: SimState, request: int, time: float) -> int:
    """The KV cache of a prompt has come to its decode replica, or the room there is not wanted any more.

    Returns the replica if it has to be scheduled now.
    """
    q, h = sim.requests[request], sim.handed[request]
    if q.status == MOVING:
        h.prefiller = q.replica
        q.replica = h.decoder
        q.queued = time
        answered(fleet, h.decoder, 0)
        q.status = LANDED
        link(sim, sim.landed[h.decoder], request, NOBODY)
    else:
        give_up_room(fleet, sim, request)
    return wake(fleet, sim, h.decoder, time)


@inlined
def give_up_room(fleet: FleetState, sim: SimState, request: int) -> None:
    """Free the room that a decode replica has kept for a KV cache."""
    replica = sim.handed[request].decoder
    block = fleet.pools[fleet.replicas[replica].pool].block_tokens
    sim.engines[replica].free += blocks_for(sim.prompt[request], block)
    sim.apart[replica].reserved -= 1


@compiled
def let_go(fleet: FleetState, sim: SimState, request: int, was: int, time: float) -> None:
    """A request of status `was` has ended before its decode replica began with it: that one need not wait for it."""
    h = sim.handed[request]
    about(fleet, h.decoder)
    ended(fleet, h.decoder, h.leg, 0, h.room, 0, was == LANDED)
    if was == WANTING:
        unlink(sim, sim.wanting[h.decoder], request)
        interrupt(fleet, sim, h.decoder, time)
    elif was == LANDED:
        unlink(sim, sim.landed[h.decoder], request)
        give_up_room(fleet, sim, request)
        interrupt(fleet, sim, h.decoder, time)
    elif was != MOVING:
        add_event(sim.events, sim.clock, time, request, LAND)


@compiled
def cancel_apart(fleet: FleetState, sim: SimState, request: int, was: int, time: float) -> None:
    """The books of a cancelled request in a fleet with roles, and what it holds; `was`: its status before."""
    q, h = sim.requests[request], sim.handed[request]
    if h.prefiller >= 0 and was != LANDED:
        about(fleet, q.replica)
        ended(fleet, q.replica, h.leg, 0, h.room, 0, True)
        return
    if q.generated == 0:
        about(fleet, q.replica)
        ended(fleet, q.replica, sim.service[request], q.new, q.room, 0, False)
    elif was in (HELD, WANTING):
        add_event(sim.events, sim.clock, time, request, RELEASE)
    if h.decoder >= 0:
        let_go(fleet, sim, request, was, time)


@compiled
def finish_apart(fleet: FleetState, sim: SimState, replica: int, request: int) -> None:
    """A request has its last token on a decode replica. The client has it after the first, which came another way."""
    q, h = sim.requests[request], sim.handed[request]
    output = sim.output[request]
    q.finish = max(q.finish, q.first)
    ended(fleet, replica, h.leg, 0, h.room, output, True)
    learn(fleet.services[sim.service[request]], output)


@compiled
def handle_apart(fleet: FleetState, sim: SimState, request: int, kind: int, time: float) -> int:
    """An event of a request between two replicas, or two memories.

    Returns the engine that has to be scheduled now, or NOBODY.
    """
    if kind == ASK:
        return ask(fleet, sim, request, time)
    if kind == CAME:
        return came(fleet, sim, request, time)
    if kind == RELEASE:
        return release(fleet, sim, request, time)
    return land(fleet, sim, request, time)
