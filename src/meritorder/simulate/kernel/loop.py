"""The event kernel: runs a fleet in virtual time, from boundary to boundary.

Three sources of events are merged by time: arrivals of the trace, events with a time of their own, and the next
boundary of each engine. Of equal times arrivals come first, boundaries last, engines in their order.
"""

from __future__ import annotations

import numpy as np

from meritorder.compiled import compiled, inlined
from meritorder.dispatch.choose import choose
from meritorder.dispatch.prefixes import own
from meritorder.dispatch.state import WHOLE, FleetState
from meritorder.dispatch.tournament import set_key, smallest
from meritorder.dispatch.update import room_for, sent, settle
from meritorder.simulate.kernel.apart import handle_apart
from meritorder.simulate.kernel.engine import arrive, give_up, pass_boundary, pass_boundary_apart, send
from meritorder.simulate.kernel.event_heap import add_event, drop_first
from meritorder.simulate.kernel.memory import (
    AGAIN,
    ASK,
    GIVE_UP,
    HELD,
    IN_TRANSIT,
    NEXT_TURN,
    NOBODY,
    RETRYING,
    SimState,
)
from meritorder.simulate.kernel.parking import park, refuse
from meritorder.simulate.kernel.schedule import schedule, schedule_apart

# What `run` returns beside kinds of events.
NOTHING, MORE = -1, -2


@inlined
def dispatch(fleet: FleetState, sim: SimState, request: int, time: float) -> bool:
    """A request comes to the gateway: choose its replica and send it there, or refuse it.

    Returns whether it is at its engine at once.
    """
    q = sim.requests[request]
    service = sim.service[request]
    fresh = q.arrival < 0.0
    if fresh:
        q.arrival = time
        if fleet.services[service].hold != 0 and park(fleet, sim, request, time, True):
            return False
    start, stop = sim.block_start[request], sim.block_start[request + 1]
    # what was made before a failure is computed anew
    prompt, output = sim.prompt[request] + q.generated, sim.output[request] - q.generated
    if fleet.settings[0].uses_prefix == 0:
        stop = start
    replica, cached, reason = choose(fleet, service, sim.region[request], prompt, output, sim.blocks, start, stop)
    if replica < 0:
        refuse(fleet, sim, request, reason, time, fresh)
        return False
    q.reason = reason
    q.awaits = 1
    q.new = prompt - cached
    q.room = room_for(fleet, service, prompt, output)
    apart = len(sim.handed) > 0 and fleet.pools[fleet.replicas[replica].pool].role != WHOLE
    if apart:
        q.room = prompt
    sent(fleet, replica, service, q.new, q.room)
    own(fleet, sim.blocks, start, stop, replica)
    if not fresh:
        q.start, q.hit = -1.0, 0
    elif sim.cancel_s[request] < np.inf:
        add_event(sim.events, sim.clock, time + sim.cancel_s[request], request, GIVE_UP)
    if apart and fleet.choices[fleet.choice_of[service, fleet.replicas[replica].pool]].layerwise != 0:
        # its decode replica makes room first, so that layers can be sent while others are computed
        q.replica, q.status = replica, HELD
        add_event(sim.events, sim.clock, time, request, ASK)
        return False
    return send(fleet, sim, replica, request, time)


@compiled
def run(fleet: FleetState, sim: SimState, most: int) -> int:
    """Handle up to `most` events, but none of what stands around the machines.

    Returns NOTHING: no events are left; MORE: some are; TICK or FAULT: one came at `clock.at`, and is to be handled.
    """
    c = sim.clock[0]
    closed_loop = len(sim.follower) > 0
    by_clock = len(sim.starts) if closed_loop else len(sim.arrival_s)
    for _ in range(most):
        arrival = np.inf
        born = NOBODY  # comes to the gateway now
        there = NOBODY  # reaches its engine now
        engine = NOBODY  # has to be scheduled now
        if c.arrived < by_clock:
            born = sim.starts[c.arrived] if closed_loop else c.arrived
            arrival = sim.arrival_s[born]
        event = sim.events[0].time if c.pending > 0 else np.inf
        time = sim.timeline[1]
        if arrival <= event and arrival <= time:
            if born < 0:
                return NOTHING
            time = arrival
            c.arrived += 1
        elif event <= time:
            time = event
            born = NOBODY
            i = sim.events[0].request
            kind = sim.events[0].kind
            drop_first(sim.events, sim.clock)
            if kind == GIVE_UP:
                give_up(fleet, sim, i, time)
            elif kind == NEXT_TURN:
                born = i
            elif kind > AGAIN:
                c.at = time
                c.handled += 1
                return int(kind)
            elif kind == AGAIN:
                if sim.requests[i].status == RETRYING:
                    born = i
            elif kind > GIVE_UP:
                engine = handle_apart(fleet, sim, i, kind, time)
            elif sim.requests[i].status == IN_TRANSIT:
                there = i
        else:
            born = NOBODY
            engine = smallest(sim.timeline, 0, len(sim.timeline) >> 1)
            if sim.engines[engine].apart == 0:
                pass_boundary(fleet, sim, engine, time, False)
            else:
                pass_boundary_apart(fleet, sim, engine, time)
        if born >= 0 and dispatch(fleet, sim, born, time):
            there = born
        if there >= 0 and arrive(fleet, sim, there, time):
            engine = sim.requests[there].replica
        if engine >= 0:
            if sim.engines[engine].apart == 0:
                boundary = schedule(fleet, sim, engine, False)
            else:
                boundary = schedule_apart(fleet, sim, engine)
            set_key(sim.timeline, 0, len(sim.timeline) >> 1, engine, boundary)
        if born >= 0 or there >= 0 or engine >= 0:
            c.now = time
        settle(fleet)
        c.handled += 1
    return MORE
