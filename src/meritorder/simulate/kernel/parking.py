"""Requests that wait in the gateway, since nobody may or can take them now. Rare, so out of the hot path's code.

A request may be parked only if its time is not over before the next tick, at which it can be let go.
"""

from __future__ import annotations

import numpy as np

from meritorder.compiled import compiled
from meritorder.dispatch.reasons import NONE_USABLE, POWER_SHORT, TOO_LONG
from meritorder.dispatch.reasons import SHED as TOO_SLOW
from meritorder.dispatch.shutting import any_choice, why_none
from meritorder.dispatch.state import FleetState
from meritorder.simulate.faults.causes import NONE_USABLE as ALL_DOWN
from meritorder.simulate.faults.causes import OVERLOADED, SHORT_OF_POWER
from meritorder.simulate.kernel.event_heap import add_event
from meritorder.simulate.kernel.lists import link, unlink
from meritorder.simulate.kernel.memory import (
    AGAIN,
    CANCELLED,
    GIVE_UP,
    LOST,
    NOBODY,
    PARKED,
    REJECTED,
    RETRYING,
    SHED,
    SimState,
    Site,
)


@compiled
def park(fleet: FleetState, sim: SimState, request: int, time: float, fresh: bool) -> bool:
    """Keep a request waiting behind those of its service that came before it. Returns whether it may wait.

    `fresh`: it has just come, so that its client's patience begins.
    """
    c, q = sim.clock[0], sim.requests[request]
    queue = sim.parking[sim.service[request]]
    if c.step_s == 0.0 or q.arrival + queue.wait_s < c.next_tick:
        return False
    behind, before = queue.tail, NOBODY
    while behind >= 0 and (
        sim.requests[behind].arrival > q.arrival or (sim.requests[behind].arrival == q.arrival and behind > request)
    ):
        before = behind
        behind = sim.requests[behind].previous
    link(sim, queue, request, before)
    queue.count += 1
    q.status = PARKED
    q.queued = time
    if fresh and sim.cancel_s[request] < np.inf:
        add_event(sim.events, sim.clock, time + sim.cancel_s[request], request, GIVE_UP)
    return True


@compiled
def refuse(fleet: FleetState, sim: SimState, request: int, reason: int, time: float, fresh: bool) -> None:
    """The policy sends a request nowhere: it waits, or this is its end."""
    q, service = sim.requests[request], sim.service[request]
    if reason == TOO_LONG:
        reason = why_none(fleet, service, sim.prompt[request] + sim.output[request])
        if reason != TOO_LONG and park(fleet, sim, request, time, fresh):
            return
    q.reason = reason
    q.finish = time
    sim.clock[0].unfinished -= 1
    if q.attempts > 0:
        q.status = LOST
    elif reason == TOO_LONG:
        q.status = REJECTED
    else:
        q.status = SHED
        q.cause = cause_of(reason)


@compiled
def cause_of(reason: int) -> int:
    """The cause that stands for a refusal's reason."""
    if reason == POWER_SHORT:
        return SHORT_OF_POWER
    return ALL_DOWN if reason == NONE_USABLE else OVERLOADED if reason == TOO_SLOW else 0


@compiled
def stop_parking(sim: SimState, request: int, time: float) -> None:
    """Take a request out of those that wait."""
    queue = sim.parking[sim.service[request]]
    unlink(sim, queue, request)
    queue.count -= 1
    sim.parked_s[request] += time - sim.requests[request].queued


@compiled
def release_first(sim: SimState, service: int, time: float) -> None:
    """Let the first one that waits try again, at once."""
    request = sim.parking[service].head
    stop_parking(sim, request, time)
    sim.requests[request].status = RETRYING
    add_event(sim.events, sim.clock, time, request, AGAIN)


@compiled
def release_parked(fleet: FleetState, sim: SimState, site: Site, time: float) -> None:
    """At a tick: let go as many as the controller says, or all where it holds nobody, and those whose time is over."""
    for service in range(len(sim.parking)):
        queue = sim.parking[service]
        if queue.count == 0:
            continue
        number = 0
        if any_choice(fleet, service):
            held = fleet.services[service].hold != 0
            number = min(site.control.services[service].release, queue.count) if held else queue.count
        for _ in range(number):
            release_first(sim, service, time)
        while queue.head >= 0 and sim.requests[queue.head].arrival + queue.wait_s < sim.clock[0].next_tick:
            release_first(sim, service, time)


@compiled
def leave_gateway(sim: SimState, request: int, time: float) -> None:
    """The client of a request gives up that waits in the gateway, or is to be sent anew."""
    q = sim.requests[request]
    if q.status == PARKED:
        stop_parking(sim, request, time)
    q.status = CANCELLED
    q.finish = time
    sim.clock[0].unfinished -= 1
