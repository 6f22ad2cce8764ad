"""Lists of requests: an engine's running ones (in order of admission), its waiting ones (one list per priority)."""

from __future__ import annotations

from meritorder.compiled import inlined
from meritorder.records import Records
from meritorder.simulate.kernel.memory import NOBODY, SimState


@inlined
def unlink(sim: SimState, ends: Records, request: int) -> None:
    """Take a request out of the list between `ends.head` and `ends.tail`."""
    q = sim.requests[request]
    if q.previous >= 0:
        sim.requests[q.previous].next = q.next
    else:
        ends.head = q.next
    if q.next >= 0:
        sim.requests[q.next].previous = q.previous
    else:
        ends.tail = q.previous


@inlined
def link(sim: SimState, ends: Records, request: int, before: int) -> None:
    """Put a request into the list between `ends.head` and `ends.tail`, in front of `before`; NOBODY: at the end."""
    q = sim.requests[request]
    q.next = before
    if before >= 0:
        q.previous = sim.requests[before].previous
        sim.requests[before].previous = request
    else:
        q.previous = ends.tail
        ends.tail = request
    if q.previous >= 0:
        sim.requests[q.previous].next = request
    else:
        ends.head = request


@inlined
def append_running(sim: SimState, replica: int, request: int) -> None:
    """Admit a request behind those that run. The hottest of these, so not by `link`."""
    e = sim.engines[replica]
    q = sim.requests[request]
    q.next = NOBODY
    q.previous = e.tail
    if e.tail >= 0:
        sim.requests[e.tail].next = request
    else:
        e.head = request
    e.tail = request
    e.running += 1


@inlined
def remove_running(sim: SimState, replica: int, request: int) -> None:
    """Take a request out of those that run."""
    e = sim.engines[replica]
    unlink(sim, e, request)
    e.running -= 1


@inlined
def rank_of(by_priority: int, sim: SimState, request: int) -> int:
    """Which waiting list a request belongs to: by its service's priority, or the only one."""
    return int(sim.rank[sim.service[request]]) if by_priority != 0 else 0


@inlined
def wait_before(sim: SimState, replica: int, rank: int, request: int, before: int) -> None:
    """Put a waiting request in front of `before`, which waits in the same list; NOBODY: at the end."""
    link(sim, sim.waiting[replica * sim.clock[0].classes + rank], request, before)
    sim.engines[replica].waiting += 1


@inlined
def last_of_equals(sim: SimState, replica: int, rank: int, request: int, by_priority: int) -> int:
    """Who stands behind a request that has just come: by priority those of the same time but later in the trace."""
    before = NOBODY
    if by_priority != 0:
        last = sim.waiting[replica * sim.clock[0].classes + rank].tail
        while last >= 0 and sim.requests[last].queued == sim.requests[request].queued and last > request:
            before = last
            last = sim.requests[last].previous
    return before


@inlined
def wait_again(sim: SimState, replica: int, rank: int, request: int, by_priority: int) -> None:
    """A preempted request waits: at the very front, or by priority where it stood by its arrival."""
    before = sim.waiting[replica * sim.clock[0].classes + rank].head
    if by_priority != 0:
        queued = sim.requests[request].queued
        while before >= 0:
            other = sim.requests[before].queued
            if other > queued or (other == queued and before > request):
                break
            before = sim.requests[before].next
    wait_before(sim, replica, rank, request, before)


@inlined
def stop_waiting(sim: SimState, replica: int, rank: int, request: int) -> None:
    """Take a request out of its waiting list."""
    queue = sim.waiting[replica * sim.clock[0].classes + rank]
    unlink(sim, queue, request)
    sim.engines[replica].waiting -= 1


@inlined
def first_waiting(sim: SimState, replica: int) -> int:
    """The waiting request that is next, or NOBODY."""
    first = replica * sim.clock[0].classes
    for rank in range(sim.clock[0].classes):
        head = sim.waiting[first + rank].head
        if head >= 0:
            return int(head)
    return NOBODY
