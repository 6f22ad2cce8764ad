"""One engine between two boundaries: what has ended, what came in meanwhile, what it does next."""

from __future__ import annotations

from meritorder.compiled import compiled, inlined
from meritorder.dispatch.state import PREFILL, WHOLE, FleetState
from meritorder.dispatch.update import answered, ended, observe
from meritorder.simulate.kernel import finish_heap
from meritorder.simulate.kernel.apart import cancel_apart, finish_apart, set_aside
from meritorder.simulate.kernel.blocks import take, unit_blocks
from meritorder.simulate.kernel.egress import wait_for_wire
from meritorder.simulate.kernel.event_heap import add_event, send_follow_ups, way_in_s
from meritorder.simulate.kernel.interrupt import interrupt
from meritorder.simulate.kernel.jump import total
from meritorder.simulate.kernel.lists import last_of_equals, rank_of, stop_waiting, wait_before
from meritorder.simulate.kernel.memory import (
    AT_ENGINE,
    BACK,
    CANCELLED,
    COMPLETED,
    DECODING,
    HELD,
    IN_TRANSIT,
    NOBODY,
    PARKED,
    PREFILLING,
    WAITING,
    SimState,
)
from meritorder.simulate.kernel.meter import meter
from meritorder.simulate.kernel.parking import leave_gateway
from meritorder.simulate.kernel.phases import due_after, needed
from meritorder.simulate.kernel.returned import drop_back, give_up_return
from meritorder.simulate.kernel.schedule import decode_joules, stop_running


@inlined
def finish(fleet: FleetState, sim: SimState, replica: int, request: int, apart: bool) -> None:
    """A request has its last token."""
    e = sim.engines[replica]
    q = sim.requests[request]
    p = fleet.pools[fleet.replicas[replica].pool]
    stop_running(fleet, sim, replica, request)
    output = sim.output[request]
    back = 0.5 * fleet.rtt_s[sim.region[request], p.site]
    q.finish = e.now + output * p.output_token_s + back
    if p.egress_s > 0.0:
        q.finish += wait_for_wire(sim.egress, p.site, p.egress_s * output, e.now)
    q.status = COMPLETED
    sim.clock[0].unfinished -= 1
    observe(fleet, replica, e.stretch)
    if apart:
        finish_apart(fleet, sim, replica, request)
    else:
        ended(fleet, replica, sim.service[request], q.new, q.room, output, True)
    send_follow_ups(sim, request, q.finish)


@compiled
def cancel(fleet: FleetState, sim: SimState, request: int, was: int, time: float) -> None:
    """A request ends at `time` because its client has given up; `finish` holds when. Its engine has let go of it.

    `was`: its status before.
    """
    q = sim.requests[request]
    q.status = CANCELLED
    sim.clock[0].unfinished -= 1
    if fleet.pools[fleet.replicas[q.replica].pool].role != WHOLE:
        cancel_apart(fleet, sim, request, was, time)
    else:
        ended(fleet, q.replica, sim.service[request], q.new, q.room, 0, q.awaits == 0)


@compiled
def cancel_running(fleet: FleetState, sim: SimState, replica: int, request: int) -> None:
    """The same for a request that still runs. Rare, so kept out of the hot path's code.

    One that was cancelled before has waited for its prefix from the slow tier, which is there now.
    """
    was = sim.requests[request].status
    if was == CANCELLED:
        give_up_return(fleet, sim, request)
        return
    if was in (PREFILLING, DECODING):
        stop_running(fleet, sim, replica, request)
    elif was == BACK:
        drop_back(fleet, sim, request)
    cancel(fleet, sim, request, was, sim.engines[replica].now)


@inlined
def pass_boundary(fleet: FleetState, sim: SimState, replica: int, time: float, apart: bool) -> None:
    """The iterations under way have ended at `time`: hand out tokens, end requests. `apart`: as in `schedule`."""
    e = sim.engines[replica]
    pool = fleet.replicas[replica].pool
    p = fleet.pools[pool]
    n = e.n
    joules = e.joules
    free = e.free
    if e.single == 0:
        base, slope = decode_joules(fleet, sim, replica)
        joules = total(base, slope, e.kv, e.decoding, n)
        first_phase = replica * sim.clock[0].phases
        blocks = needed(sim.phases, first_phase, p.block_tokens, e.due, e.decoding, n)
        take(sim, replica, blocks, unit_blocks(fleet, sim, pool))
    e.spent += joules
    made = float(n * e.decoding)
    sim.clock[0].iterations += n
    e.iteration += n
    e.due = due_after(e.due, p.block_tokens, n)
    e.kv += e.decoding * n
    started = e.now
    kv = (p.kv_blocks - 0.5 * (free + e.free)) * p.block_tokens
    running = float(e.running)
    e.now = time
    # prompts of this iteration
    i = e.prefilling
    e.prefilling = NOBODY
    while i >= 0:
        q = sim.requests[i]
        following = q.next
        q.computed += q.chunk
        if q.computed < sim.prompt[i] + q.generated:
            e.prefilling = i
        else:
            made += 1.0
            q.generated += 1
            if apart and p.role == PREFILL:
                set_aside(fleet, sim, replica, i, time)
                i = following
                continue
            if q.awaits != 0:
                q.awaits = 0
                answered(fleet, replica, q.new)
                if q.first < 0.0:
                    q.first = time + p.output_token_s + 0.5 * fleet.rtt_s[sim.region[i], p.site]
            q.status = DECODING
            q.finish_it = e.iteration + sim.output[i] - q.generated
            finish_heap.push(sim.heap, e.heap, e.decoding, q.finish_it, i)
            e.decoding += 1
            e.kv += q.computed
            phase = (q.computed + e.due) % p.block_tokens
            sim.phases[replica * sim.clock[0].phases + phase] += 1
        i = following
    meter(sim, pool, started, time, joules, running, kv, float(e.chunk), made, float(n))
    while e.decoding > 0 and sim.heap[e.heap].finish_it <= e.iteration:
        finish(fleet, sim, replica, sim.heap[e.heap].request, apart)
    i = e.cancels
    e.cancels = NOBODY
    while i >= 0:
        q = sim.requests[i]
        if q.status >= PREFILLING or q.status == CANCELLED:
            cancel_running(fleet, sim, replica, i)
        i = q.next_cancel


@compiled
def pass_boundary_apart(fleet: FleetState, sim: SimState, replica: int, time: float) -> None:
    """`pass_boundary` for an engine that works with others."""
    pass_boundary(fleet, sim, replica, time, True)


@inlined
def arrive(fleet: FleetState, sim: SimState, request: int, time: float) -> bool:
    """A request reaches its engine. Returns whether the engine was idle, i.e. has to be scheduled now."""
    replica = sim.requests[request].replica
    e = sim.engines[replica]
    q = sim.requests[request]
    p = fleet.pools[fleet.replicas[replica].pool]
    q.status = WAITING
    q.queued = time
    blocked = e.waiting > 0 and p.by_priority == 0
    rank = rank_of(p.by_priority, sim, request)
    wait_before(sim, replica, rank, request, last_of_equals(sim, replica, rank, request, p.by_priority))
    if e.n == 0:
        e.now = time
        return True
    if not blocked and e.running < p.max_sequences:
        # else nobody can be admitted before somebody ends, which is a boundary anyway
        interrupt(fleet, sim, replica, time)
    return False


@compiled
def give_up(fleet: FleetState, sim: SimState, request: int, time: float) -> None:
    """A client cancels its request, wherever it is: between two iterations at the earliest where it runs."""
    q = sim.requests[request]
    if q.status >= PARKED:
        leave_gateway(sim, request, time)
    elif q.status == IN_TRANSIT or q.status >= HELD:
        q.finish = time
        cancel(fleet, sim, request, q.status, time)
    elif q.status == WAITING:
        q.finish = time
        by_priority = fleet.pools[fleet.replicas[q.replica].pool].by_priority
        stop_waiting(sim, q.replica, rank_of(by_priority, sim, request), request)
        cancel(fleet, sim, request, WAITING, time)
        interrupt(fleet, sim, q.replica, time)
    elif q.status == PREFILLING or q.status == DECODING or q.status == BACK:
        e = sim.engines[q.replica]
        q.finish = time
        q.next_cancel = e.cancels
        e.cancels = request
        interrupt(fleet, sim, q.replica, time)


@inlined
def send(fleet: FleetState, sim: SimState, replica: int, request: int, time: float) -> bool:
    """A request leaves the gateway for a replica. Returns whether it is there at once, without any delay."""
    q = sim.requests[request]
    q.replica = replica
    delay = way_in_s(fleet, sim, replica, request)
    if delay > 0.0:
        q.status = IN_TRANSIT
        add_event(sim.events, sim.clock, time + delay, request, AT_ENGINE)
        return False
    return True
