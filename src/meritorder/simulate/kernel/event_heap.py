"""Events at a time of their own (arrivals at an engine, next turns, clients that give up): a binary heap.

Earliest first; of equal times the one that was added first.
"""

from __future__ import annotations

from meritorder.compiled import compiled, inlined
from meritorder.dispatch.predict import upload_s
from meritorder.dispatch.state import FleetState
from meritorder.records import Records
from meritorder.simulate.kernel.memory import AT_ENGINE, CAME, COMING, IN_TRANSIT, NEXT_TURN, SimState


@inlined
def earlier(events: Records, a: int, b: int) -> bool:
    """Whether the event at `a` comes before the one at `b`."""
    x, y = events[a], events[b]
    return bool(x.time < y.time or (x.time == y.time and x.order < y.order))


@inlined
def swap(events: Records, a: int, b: int) -> None:
    """Exchange two events."""
    x, y = events[a], events[b]
    x.time, y.time = y.time, x.time
    x.order, y.order = y.order, x.order
    x.request, y.request = y.request, x.request
    x.kind, y.kind = y.kind, x.kind


@inlined
def add_event(events: Records, clock: Records, time: float, request: int, kind: int) -> None:
    """Add an event."""
    c = clock[0]
    at = c.pending
    c.pending += 1
    c.order += 1
    e = events[at]
    e.time, e.order, e.request, e.kind = time, c.order, request, kind
    while at > 0 and earlier(events, at, (at - 1) >> 1):
        swap(events, at, (at - 1) >> 1)
        at = (at - 1) >> 1


@inlined
def drop_first(events: Records, clock: Records) -> None:
    """Remove the first event."""
    c = clock[0]
    c.pending -= 1
    size = c.pending
    swap(events, 0, size)
    sink(events, 0, size)


@inlined
def sink(events: Records, at: int, size: int) -> None:
    """Let the event at `at` sink to where it belongs among the first `size`."""
    while True:
        child = 2 * at + 1
        if child >= size:
            return
        if child + 1 < size and earlier(events, child + 1, child):
            child += 1
        if not earlier(events, child, at):
            return
        swap(events, child, at)
        at = child


@compiled
def drop_where_marked(events: Records, clock: Records, requests: Records, health: Records, found: Records) -> int:
    """Remove the events of requests on their way to replicas that are marked, by network or from the slow tier.

    Writes into `found` which requests these are, but for those whose client has left, and returns how many.
    """
    c = clock[0]
    kept = count = 0
    for k in range(c.pending):
        e = events[k]
        if e.kind == AT_ENGINE or e.kind == CAME:
            q = requests[e.request]
            if q.replica >= 0 and health[q.replica].marked != 0:
                if q.status == IN_TRANSIT or q.status == COMING:
                    found[count] = e.request
                    count += 1
                if e.kind == CAME or q.status == IN_TRANSIT:
                    continue
        if kept < k:
            swap(events, kept, k)
        kept += 1
    c.pending = kept
    for at in range(kept // 2 - 1, -1, -1):
        sink(events, at, kept)
    return count


@inlined
def send_follow_ups(sim: SimState, request: int, time: float) -> None:
    """A request has ended: those that wait for it come after their think time."""
    if len(sim.follower) == 0:
        return
    i = sim.follower[request]
    while i >= 0:
        add_event(sim.events, sim.clock, time + sim.think_s[i], i, NEXT_TURN)
        sim.clock[0].unsent -= 1
        i = sim.sibling[i]


@inlined
def way_in_s(fleet: FleetState, sim: SimState, replica: int, request: int) -> float:
    """Seconds from the gateway to an engine: front end, the way of the prompt's bytes, and half a round trip."""
    p = fleet.pools[fleet.replicas[replica].pool]
    region = sim.region[request]
    tokens = sim.prompt[request] + sim.requests[request].generated
    delay = p.request_s + p.prompt_token_s * tokens + upload_s(fleet, region) * tokens
    return float(delay + 0.5 * fleet.rtt_s[region, p.site])
