"""Rows of a worker, one for each request that it has in flight; free ones are kept in a list."""

from __future__ import annotations

from meritorder.compiled import inlined
from meritorder.serve.books.state import FREE, SENT, LiveState


@inlined
def has_row(live: LiveState, worker: int) -> bool:
    """Whether a worker has a free row."""
    w = live.workers[worker]
    return bool(w.free > 0 or w.used < live.rows.shape[1])


@inlined
def take_row(live: LiveState, worker: int, replica: int, service: int, new: int, room: int) -> int:
    """Write a request into a free row (there must be one) and return its number."""
    w = live.workers[worker]
    if w.free > 0:
        number = w.free - 1
        w.free = live.rows[worker, number].next
    else:
        number = w.used
        w.used += 1
    row = live.rows[worker, number]
    row.replica, row.service, row.new, row.room = replica, service, new, room
    row.status = SENT
    return int(number)


@inlined
def free_row(live: LiveState, worker: int, number: int) -> None:
    """Give a row back."""
    w = live.workers[worker]
    row = live.rows[worker, number]
    row.status = FREE
    row.next = w.free
    w.free = number + 1
