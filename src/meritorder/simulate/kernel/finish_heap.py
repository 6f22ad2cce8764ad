"""Which decoding sequence of an engine finishes next: a binary heap by (finish_it, request)."""

from __future__ import annotations

from meritorder.compiled import inlined
from meritorder.dispatch.records import Records


@inlined
def before(requests: Records, a: int, b: int) -> bool:
    """Whether request `a` finishes before `b`; the earlier in the trace on a draw."""
    left, right = requests[a].finish_it, requests[b].finish_it
    return bool(left < right or (left == right and a < b))


@inlined
def sift_up(heap: Records, requests: Records, first: int, at: int) -> None:
    """Move the entry at `at` up to where it belongs."""
    request = heap[first + at]
    while at > 0:
        parent = (at - 1) >> 1
        above = heap[first + parent]
        if not before(requests, request, above):
            break
        heap[first + at] = above
        requests[above].heap_at = at
        at = parent
    heap[first + at] = request
    requests[request].heap_at = at


@inlined
def sift_down(heap: Records, requests: Records, first: int, size: int, at: int) -> None:
    """Move the entry at `at` down to where it belongs."""
    request = heap[first + at]
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and before(requests, heap[first + child + 1], heap[first + child]):
            child += 1
        below = heap[first + child]
        if not before(requests, below, request):
            break
        heap[first + at] = below
        requests[below].heap_at = at
        at = child
    heap[first + at] = request
    requests[request].heap_at = at


@inlined
def push(heap: Records, requests: Records, first: int, size: int, request: int) -> None:
    """Add `request` to a heap of `size` entries."""
    heap[first + size] = request
    sift_up(heap, requests, first, size)


@inlined
def remove(heap: Records, requests: Records, first: int, size: int, request: int) -> None:
    """Take `request` out of a heap of `size` entries, wherever it stands."""
    at = requests[request].heap_at
    last = heap[first + size - 1]
    if last == request:
        return
    heap[first + at] = last
    requests[last].heap_at = at
    sift_up(heap, requests, first, at)
    sift_down(heap, requests, first, size - 1, requests[last].heap_at)
