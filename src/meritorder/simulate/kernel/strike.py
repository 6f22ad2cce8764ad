"""What becomes of the requests on machines that fail."""

from __future__ import annotations

from meritorder.compiled import compiled, inlined
from meritorder.dispatch.prefixes import forget_closed
from meritorder.dispatch.shutting import arrange_choices
from meritorder.dispatch.state import FleetState
from meritorder.dispatch.update import ended
from meritorder.records import Records
from meritorder.simulate.kernel.event_heap import add_event, drop_where_marked
from meritorder.simulate.kernel.health import empty
from meritorder.simulate.kernel.memory import (
    AGAIN,
    CANCELLED,
    DECODING,
    LEFT,
    LOSE,
    LOST,
    PREFILLING,
    RETRY,
    RETRYING,
    SimState,
)


@compiled
def strike(fleet: FleetState, sim: SimState, time: float) -> None:
    """The replicas that are marked have just failed: all that was on them, in the order of the trace."""
    count = drop_where_marked(sim.events, sim.clock, sim.requests, sim.health, sim.struck)
    for replica in range(len(sim.engines)):
        if sim.health[replica].marked != 0:
            count = gather(sim, replica, count)
            empty(fleet, sim, replica)
    arrange_choices(fleet)
    forget_closed(fleet)
    sort(sim.struck, count)
    for k in range(count):
        strike_one(fleet, sim, sim.struck[k], time)
    fleet.settings[0].touched = -1
    sim.health.marked[:] = 0


@compiled
def gather(sim: SimState, replica: int, count: int) -> int:
    """Note all requests that stand in an engine's lists behind the first `count`; returns how many there are then."""
    e = sim.engines[replica]
    i = e.head
    while i >= 0:
        q = sim.requests[i]
        if q.status == DECODING:
            q.generated = sim.output[i] - (q.finish_it - e.iteration)
        count = note(sim, i, count)
        i = q.next
    classes = sim.clock[0].classes
    for rank in range(replica * classes, (replica + 1) * classes):
        i = sim.waiting[rank].head
        while i >= 0:
            count = note(sim, i, count)
            i = sim.requests[i].next
    if len(sim.tiers) > 0:
        i = sim.tiers[replica].head
        while i >= 0:
            count = note(sim, i, count)
            i = sim.requests[i].next
    i = e.cancels
    while i >= 0:
        if sim.requests[i].status >= PREFILLING:
            sim.requests[i].status = LEFT
        i = sim.requests[i].next_cancel
    return count


@inlined
def note(sim: SimState, request: int, count: int) -> int:
    """Put a request behind the first `count` that are struck."""
    sim.struck[count] = request
    return count + 1


@compiled
def strike_one(fleet: FleetState, sim: SimState, request: int, time: float) -> None:
    """A request was on a machine that has failed: its client left, or it is lost, or it is sent anew a little later."""
    c, q = sim.clock[0], sim.requests[request]
    service = sim.service[request]
    ended(fleet, q.replica, service, q.new, q.room, 0, q.awaits == 0)
    q.computed = q.chunk = q.units = 0
    if q.status == LEFT:
        q.status = CANCELLED
        c.unfinished -= 1
        return
    q.cause = sim.health[q.replica].cause
    policy = sim.parking[service].on_failure
    if policy == LOSE or (policy == RETRY and q.generated > 0) or q.attempts >= c.retries:
        q.status = LOST
        q.finish = time
        c.unfinished -= 1
        return
    q.attempts += 1
    q.status = RETRYING
    add_event(sim.events, sim.clock, time + c.detection_s, request, AGAIN)


@compiled
def sort(numbers: Records, count: int) -> None:
    """Sort the first `count` numbers, rising: a heap sort, which needs no memory."""
    for start in range(count // 2 - 1, -1, -1):
        sift(numbers, start, count)
    for end in range(count - 1, 0, -1):
        numbers[0], numbers[end] = numbers[end], numbers[0]
        sift(numbers, 0, end)


@inlined
def sift(numbers: Records, at: int, count: int) -> None:
    """Let the number at `at` sink among the first `count` until none below it is larger."""
    while True:
        child = 2 * at + 1
        if child >= count:
            return
        if child + 1 < count and numbers[child + 1] > numbers[child]:
            child += 1
        if numbers[at] >= numbers[child]:
            return
        numbers[at], numbers[child] = numbers[child], numbers[at]
        at = child
