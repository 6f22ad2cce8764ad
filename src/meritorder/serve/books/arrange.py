"""Putting replicas and pools where they belong: open ones in their order, down and full ones out of it."""

from __future__ import annotations

from meritorder.compiled import compiled, inlined
from meritorder.dispatch.update import renew, reorder, withdraw
from meritorder.serve.books.power import weigh
from meritorder.serve.books.state import LiveState


@compiled
def arrange(live: LiveState, replica: int) -> None:
    """Put a replica where it belongs, after any change of it or of its gate (which is for requests of ours)."""
    state = live.fleet
    r, gate = state.replicas[replica], live.gates[replica]
    closed = int(gate.barred != 0 or r.in_flight - live.foreign[replica].in_flight >= gate.most)
    state.pools[r.pool].open += r.closed - closed
    r.closed = closed
    if closed != 0:
        withdraw(state, replica)
    else:
        reorder(state, replica)
    renew(state, r.pool)
    state.settings[0].touched = -1
    weigh(live, replica)


@inlined
def has_place(live: LiveState, pool: int) -> bool:
    """Whether a pool has an open replica and may have a further request."""
    p, cap = live.fleet.pools[pool], live.caps[pool]
    return bool(p.open > 0 and p.in_flight - cap.foreign < cap.most)


@inlined
def open_pools(live: LiveState, service: int) -> None:
    """Open the pools of a service that have a place, and close the others."""
    state = live.fleet
    s = state.services[service]
    for c in range(s.first, s.first + s.count):
        choice = state.choices[c]
        is_open = choice.shut == 0 and has_place(live, choice.pool)
        choice.max_context = state.pools[choice.pool].max_context if is_open else 0
