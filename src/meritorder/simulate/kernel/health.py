"""Replicas that fall, come back, slow down: what changes at the machine and in the books of dispatch."""

from __future__ import annotations

import numpy as np

from meritorder.compiled import compiled
from meritorder.dispatch.shutting import any_choice, arrange_choices, close_replica, open_replica
from meritorder.dispatch.state import FleetState
from meritorder.dispatch.tournament import set_key
from meritorder.simulate.kernel.interrupt import interrupt
from meritorder.simulate.kernel.memory import NOBODY, SimState
from meritorder.simulate.kernel.meter import meter
from meritorder.simulate.kernel.parking import release_first
from meritorder.simulate.kernel.phases import due_after
from meritorder.simulate.kernel.tell import progress


@compiled
def fall(fleet: FleetState, sim: SimState, replica: int, cause: int, time: float) -> None:
    """One more outage of a replica. Its first one closes it and ends its iteration under way; see strike.py."""
    h = sim.health[replica]
    h.down += 1
    if h.down > 1:
        return
    h.cause = cause
    h.marked = 1
    h.since = time
    sim.clock[0].changed = 1
    close_replica(fleet, replica)
    cut(fleet, sim, replica, time)


@compiled
def cut(fleet: FleetState, sim: SimState, replica: int, time: float) -> None:
    """End what an engine does at `time`: iterations that ended before count, the one under way made nothing."""
    e = sim.engines[replica]
    if e.n == 0:
        return
    sim.clock[0].now = time  # it has drawn power until now, whoever may still wait for it
    pool = fleet.replicas[replica].pool
    p = fleet.pools[pool]
    whole, joules = progress(fleet, sim, replica, time)
    e.spent += joules
    e.iteration += whole
    e.due = due_after(e.due, p.block_tokens, whole)
    sim.clock[0].iterations += whole
    kv = (p.kv_blocks - e.free) * p.block_tokens
    made = float(whole * e.decoding)
    if time > e.now:
        meter(sim, pool, e.now, time, joules, float(e.running), float(kv), 0.0, made, float(whole))
    e.n = e.single = e.chunk = 0
    e.now = time
    set_key(sim.timeline, 0, len(sim.timeline) >> 1, replica, np.inf)


@compiled
def rise(fleet: FleetState, sim: SimState, replica: int, time: float) -> bool:
    """One outage of a replica is over. Returns whether it is up again, and open."""
    h = sim.health[replica]
    h.down -= 1
    if h.down > 0:
        return False
    h.down_s += time - h.since
    sim.clock[0].changed = 1
    open_replica(fleet, replica)
    return True


@compiled
def empty(fleet: FleetState, sim: SimState, replica: int) -> None:
    """Leave nothing in an engine that has fallen; those who were there are known elsewhere."""
    e = sim.engines[replica]
    p = fleet.pools[fleet.replicas[replica].pool]
    e.kv = e.decoding = e.running = e.waiting = 0
    e.free = p.kv_blocks
    e.head = e.tail = e.prefilling = e.cancels = NOBODY
    classes, phases = sim.clock[0].classes, sim.clock[0].phases
    for rank in range(replica * classes, (replica + 1) * classes):
        sim.waiting[rank].head = sim.waiting[rank].tail = NOBODY
    sim.phases[replica * phases : (replica + 1) * phases] = 0
    below = sim.caches[replica].below
    forget(sim, replica)
    if below >= 0:
        forget(sim, below)
        tier = sim.tiers[replica]
        tier.head = tier.tail = NOBODY
        tier.reserved = 0
        tier.port = 0.0


@compiled
def forget(sim: SimState, number: int) -> None:
    """Empty a prefix cache."""
    cache = sim.caches[number]
    cache.fresh = cache.evictable = 0
    cache.vacant = cache.oldest = cache.newest = NOBODY
    sim.table[cache.table : cache.table + cache.mask + 1] = 0


@compiled
def stretch(fleet: FleetState, sim: SimState, replica: int, time: float) -> None:
    """Iterations of a replica take as long as its faults and its rows make them, from the next one on."""
    e, h = sim.engines[replica], sim.health[replica]
    wanted = h.slow * h.warm
    if wanted != e.wanted:
        e.wanted = wanted
        if e.n > 0:
            interrupt(fleet, sim, replica, time)


@compiled
def slow_down(fleet: FleetState, sim: SimState, replica: int, factor: float, time: float) -> None:
    """A replica becomes slow, `factor` times as slow as it was."""
    h = sim.health[replica]
    h.slows += 1
    h.slow *= factor
    stretch(fleet, sim, replica, time)


@compiled
def speed_up(fleet: FleetState, sim: SimState, replica: int, factor: float, time: float) -> None:
    """One of these is over."""
    h = sim.health[replica]
    h.slows -= 1
    h.slow = h.slow / factor if h.slows > 0 else 1.0
    stretch(fleet, sim, replica, time)


@compiled
def let_in(fleet: FleetState, sim: SimState, time: float) -> None:
    """Replicas have come back, those marked: who waits for their pools tries again."""
    arrange_choices(fleet)
    for service in range(len(sim.parking)):
        if sim.parking[service].count == 0 or fleet.services[service].hold != 0 or not any_choice(fleet, service):
            continue
        if served_again(fleet, sim, service):
            for _ in range(sim.parking[service].count):
                release_first(sim, service, time)
    sim.health.marked[:] = 0


@compiled
def served_again(fleet: FleetState, sim: SimState, service: int) -> bool:
    """Whether a pool that takes requests of the service has a replica that has just come back."""
    s = fleet.services[service]
    for c in range(s.first, s.first + s.count):
        choice = fleet.choices[c]
        p = fleet.pools[choice.pool]
        if choice.max_context > 0:
            for replica in range(p.first, p.first + p.count):
                if sim.health[replica].marked != 0:
                    return True
    return False
