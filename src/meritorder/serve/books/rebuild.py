"""Making the counts anew from the rows, after a worker has died: perhaps in the middle of a change."""

from __future__ import annotations

import numpy as np

from meritorder.compiled import compiled, inlined
from meritorder.serve.books.arrange import arrange
from meritorder.serve.books.state import ANSWERED, AVOIDED, FREE, SENT, LiveState
from meritorder.serve.books.view import Block, view_of


@compiled
def forget(block: Block, worker: int) -> int:
    """Free all rows of a worker. Returns how many were in use; the counts still have to be made anew."""
    live = view_of(block)
    requests = 0
    for number in range(live.workers[worker].used):
        if live.rows[worker, number].status != FREE:
            live.rows[worker, number].status = FREE
            requests += 1
    live.workers[worker].used = 0
    live.workers[worker].free = 0
    return requests


@compiled
def rebuild(block: Block) -> None:
    """Count everything that is in flight again. Nothing is believed but the rows, and these only if they make sense."""
    live = view_of(block)
    state = live.fleet
    clear(live)
    for worker in range(len(live.workers)):
        for number in range(live.workers[worker].used):
            row = live.rows[worker, number]
            if row.status != SENT and row.status != ANSWERED:
                continue
            if not (0 <= row.replica < len(state.replicas) and 0 <= row.service < len(state.services)):
                continue
            if row.new < 1 or row.room < 1:
                continue
            r = state.replicas[row.replica]
            state.pools[r.pool].in_flight += 1
            r.in_flight += 1
            r.context += row.room
            if row.status == SENT:
                r.waiting += 1
                r.backlog += row.new
            state.mix[row.replica, row.service] += 1
            r.tpot_s = min(r.tpot_s, state.services[row.service].tpot_s)
    for replica in range(len(state.replicas)):
        arrange(live, replica)


@inlined
def clear(live: LiveState) -> None:
    """Nothing of ours in flight, and no replica in any order; loads of others stay."""
    state = live.fleet
    state.keys[:] = np.inf
    state.level_words[:] = 0
    for i in range(len(state.levels)):
        state.levels[i].head = state.levels[i].tail = -1
    for i in range(len(state.pools)):
        p = state.pools[i]
        p.in_flight = p.open = 0
        live.caps[i].foreign = 0
    for i in range(len(live.sites)):
        live.sites[i].busy_w = 0.0
    state.settings[0].touched = -1
    for replica in range(len(state.replicas)):
        r, f = state.replicas[replica], live.foreign[replica]
        r.in_flight, r.waiting, r.backlog, r.context = f.in_flight, f.waiting, f.backlog, f.context
        live.gates[replica].barred &= ~AVOIDED
        r.closed = 1
        r.level = r.previous = r.next = -1
        r.tpot_s = np.inf
        state.pools[r.pool].in_flight += f.in_flight
        live.caps[r.pool].foreign += f.in_flight
        live.watts[replica] = 0.0
        for service in range(len(state.services)):
            state.mix[replica, service] = 0
