"""Setting a pool's power limit: its predictions, choice and prices then go by the tables of that limit."""

from __future__ import annotations

from meritorder.compiled import compiled, inlined
from meritorder.dispatch.state import FleetState
from meritorder.dispatch.update import reorder


@inlined
def use_level(state: FleetState, pool: int, level: int) -> None:
    """Point a pool to its tables of a power limit; `level` 0: full power. Nothing else changes."""
    p = state.pools[pool]
    told = state.levels_of_power[p.cap_first + level]
    p.cap = level
    p.tokens, p.batches = told.tokens, told.batches
    p.pair_s, p.pair_j, p.mixed_kv_s = told.pair_s, told.pair_j, told.mixed_kv_s


@compiled
def set_cap(state: FleetState, pool: int, level: int) -> None:
    """Set the power limit of a pool, and put its replicas into the order that it makes."""
    use_level(state, pool, level)
    p = state.pools[pool]
    for replica in range(p.first, p.first + p.count):
        if state.replicas[replica].closed == 0:
            reorder(state, replica)
    # what is kept of the pool's limits was found with the other tables
    for c in range(len(state.choices)):
        if state.choices[c].pool == pool:
            state.choices[c].fresh_until = 0
