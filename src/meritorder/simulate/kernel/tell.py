"""Telling the buildings what their machines have drawn."""

from __future__ import annotations

from meritorder.compiled import compiled, inlined
from meritorder.dispatch.state import FleetState
from meritorder.simulate.kernel.jump import iterations_until, total
from meritorder.simulate.kernel.memory import SimState, Site
from meritorder.simulate.kernel.schedule import decode_joules, decode_terms


@inlined
def progress(fleet: FleetState, sim: SimState, replica: int, time: float) -> tuple[int, float]:
    """Of an engine's interval under way: iterations that ended before `time`, and joules up to then.

    The present iteration counts by its part of the time.
    """
    e = sim.engines[replica]
    seconds = time - e.now
    if e.single != 0:
        return 0, e.joules * min(seconds / e.seconds, 1.0)
    base, slope = decode_terms(fleet, sim, replica)
    whole = 0
    if seconds > 0.0:
        whole = min(iterations_until(base, slope, e.kv, e.decoding, seconds), e.n) - 1
    kv = e.kv + e.decoding * whole
    part = min((seconds - total(base, slope, e.kv, e.decoding, whole)) / (base + slope * kv), 1.0)
    base_j, slope_j = decode_joules(fleet, sim, replica)
    return whole, total(base_j, slope_j, e.kv, e.decoding, whole) + part * (base_j + slope_j * kv)


@compiled
def tell_energy(fleet: FleetState, sim: SimState, site: Site, time: float) -> None:
    """Tell rows and pools all joules above idle up to `time` that they were not told yet, engine by engine."""
    f = site.facility
    if len(f.pools) == 0:
        return
    for replica in range(len(sim.engines)):
        e, h = sim.engines[replica], sim.health[replica]
        joules = e.spent - h.told
        e.spent = h.told = 0.0
        if e.n > 0:
            _, h.told = progress(fleet, sim, replica, time)
            joules += h.told
        if joules == 0.0:
            continue
        pool = fleet.replicas[replica].pool
        joules *= sim.machines[pool].weight
        f.pools[pool].it_j += joules
        for seat in range(f.seat_of[replica], f.seat_of[replica + 1]):
            f.rows[f.seats[seat].row].it_j += joules * f.seats[seat].share


@compiled
def tell_idle(fleet: FleetState, sim: SimState, site: Site) -> None:
    """Tell rows and pools what their machines draw that are up, without work."""
    f = site.facility
    if len(f.pools) == 0:
        return
    f.rows.idle_w[:] = 0.0
    f.pools.idle_w[:] = 0.0
    for replica in range(len(sim.engines)):
        if sim.health[replica].down > 0:
            continue
        pool = fleet.replicas[replica].pool
        watts = sim.machines[pool].idle_w * sim.machines[pool].weight
        f.pools[pool].idle_w += watts
        for seat in range(f.seat_of[replica], f.seat_of[replica + 1]):
            f.rows[f.seats[seat].row].idle_w += watts * f.seats[seat].share
