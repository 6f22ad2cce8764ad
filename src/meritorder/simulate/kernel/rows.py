"""What rows of racks do to the replicas that stand in them: warm ones slow them down, tripped ones take them away."""

from __future__ import annotations

from meritorder.compiled import compiled, inlined
from meritorder.dispatch.state import FleetState
from meritorder.facility.state import TOO_HOT
from meritorder.simulate.faults.causes import OVERHEATED, UNPOWERED
from meritorder.simulate.kernel.health import fall, rise, stretch
from meritorder.simulate.kernel.memory import SimState, Site


@compiled
def heed_rows(fleet: FleetState, sim: SimState, site: Site, time: float) -> bool:
    """Look at the rows after a step, and at all replicas where a row has become warmer or cooler.

    Returns whether a row has tripped or come back, or a replica is loading since: then `trip` and `recover` have to
    follow.
    """
    warmed = False
    tripped = sim.clock[0].tripped > 0
    for row in range(len(site.rows_seen)):
        seen, now = site.rows_seen[row], site.facility.rows[row]
        if now.stretch != seen.stretch:
            seen.stretch = now.stretch
            warmed = True
        if now.tripped != seen.tripped:
            seen.tripped = now.tripped
            tripped = True
    if warmed:
        for replica in range(len(sim.engines)):
            warm(fleet, sim, site, replica, time)
    return tripped


@compiled
def warm(fleet: FleetState, sim: SimState, site: Site, replica: int, time: float) -> None:
    """A replica is as slow as the warmest of its rows makes it."""
    f = site.facility
    most = 1.0
    for seat in range(f.seat_of[replica], f.seat_of[replica + 1]):
        most = max(most, f.rows[f.seats[seat].row].stretch)
    if most != sim.health[replica].warm:
        sim.health[replica].warm = most
        stretch(fleet, sim, replica, time)


@inlined
def bits_of(site: Site, replica: int) -> int:
    """Why the rows of a replica are tripped; 0: none is."""
    f = site.facility
    bits = 0
    for seat in range(f.seat_of[replica], f.seat_of[replica + 1]):
        bits |= f.rows[f.seats[seat].row].tripped
    return bits


@compiled
def trip(fleet: FleetState, sim: SimState, site: Site, time: float) -> bool:
    """Replicas fall with any of their rows. Returns whether any has: `strike` has to follow."""
    fallen = False
    for replica in range(len(sim.engines)):
        h = sim.health[replica]
        bits = bits_of(site, replica)
        if bits == 0:
            continue
        h.back_at = -1.0
        if h.tripped == 0:
            h.tripped = 1
            sim.clock[0].tripped += 1
            fall(fleet, sim, replica, OVERHEATED if bits & TOO_HOT else UNPOWERED, time)
            fallen = True
    return fallen


@compiled
def recover(fleet: FleetState, sim: SimState, site: Site, time: float) -> bool:
    """Replicas whose rows are all back load their weights and come back. Returns whether any has: `let_in` follows."""
    risen = False
    for replica in range(len(sim.engines)):
        h = sim.health[replica]
        if h.tripped == 0 or bits_of(site, replica) != 0:
            continue
        if h.back_at < 0.0:
            h.back_at = time + sim.machines[fleet.replicas[replica].pool].reload_s
        if time >= h.back_at:
            h.tripped = 0
            sim.clock[0].tripped -= 1
            h.marked = rise(fleet, sim, replica, time)
            risen = True
    return risen
