"""Which decoding sequence of an engine finishes next: a binary heap by (finish_it, request)."""

from __future__ import annotations

from meritorder.compiled import inlined
from meritorder.records import Records


@inlined
def before(finish_it: int, request: int, other: Records) -> bool:
    """Whether a request finishes before that of another entry; the earlier in the trace on a draw."""
    return bool(finish_it < other.finish_it or (finish_it == other.finish_it and request < other.request))


@inlined
def place(heap: Records, at: int, finish_it: int, request: int) -> None:
    """Write an entry."""
    heap[at].finish_it = finish_it
    heap[at].request = request


@inlined
def sift_up(heap: Records, first: int, at: int, finish_it: int, request: int) -> int:
    """Move the hole at `at` up to where this entry belongs; returns where that is."""
    while at > 0:
        above = heap[first + ((at - 1) >> 1)]
        if not before(finish_it, request, above):
            break
        place(heap, first + at, above.finish_it, above.request)
        at = (at - 1) >> 1
    return at


@inlined
def sift_down(heap: Records, first: int, size: int, at: int, finish_it: int, request: int) -> int:
    """Move the hole at `at` down to where this entry belongs; returns where that is."""
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        below = heap[first + child]
        if child + 1 < size and before(heap[first + child + 1].finish_it, heap[first + child + 1].request, below):
            child += 1
            below = heap[first + child]
        if before(finish_it, request, below):
            break
        place(heap, first + at, below.finish_it, below.request)
        at = child
    return at


@inlined
def push(heap: Records, first: int, size: int, finish_it: int, request: int) -> None:
    """Add an entry to a heap of `size` entries."""
    place(heap, first + sift_up(heap, first, size, finish_it, request), finish_it, request)


@inlined
def remove(heap: Records, first: int, size: int, request: int) -> None:
    """Take `request` out of a heap of `size` entries: at once if it is the next to finish, else by looking for it."""
    at = 0
    while heap[first + at].request != request:
        at += 1
    last = heap[first + size - 1]
    finish_it, moved = last.finish_it, last.request
    if at == size - 1:
        return
    at = sift_up(heap, first, at, finish_it, moved)
    place(heap, first + sift_down(heap, first, size - 1, at, finish_it, moved), finish_it, moved)
