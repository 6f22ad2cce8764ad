"""What rows of racks do to the replicas that stand in them: warm ones slow them down, tripped ones take them away."""

from __future__ import annotations

from meritorder.compiled import compiled
from meritorder.dispatch.shutting import arrange_choices
from meritorder.dispatch.state import FleetState
from meritorder.facility.state import TOO_HOT
from meritorder.simulate.faults.causes import OVERHEATED, UNPOWERED
from meritorder.simulate.kernel.health import fall, let_in, rise, stretch
from meritorder.simulate.kernel.memory import SimState, Site
from meritorder.simulate.kernel.strike import strike


@compiled
def heed_rows(fleet: FleetState, sim: SimState, site: Site, time: float) -> None:
    """Look at the rows after a step, and at replicas where any row has changed or a replica is loading."""
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
    if tripped:
        trip(fleet, sim, site, time)


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


@compiled
def trip(fleet: FleetState, sim: SimState, site: Site, time: float) -> None:
    """Replicas fall with any of their rows; those whose rows are all back load their weights and come back."""
    f, c = site.facility, sim.clock[0]
    fallen = risen = False
    for replica in range(len(sim.engines)):
        h = sim.health[replica]
        bits = 0
        for seat in range(f.seat_of[replica], f.seat_of[replica + 1]):
            bits |= f.rows[f.seats[seat].row].tripped
        if bits == 0:
            continue
        h.back_at = -1.0
        if h.tripped == 0:
            h.tripped = 1
            c.tripped += 1
            fall(fleet, sim, replica, OVERHEATED if bits & TOO_HOT else UNPOWERED, time)
            fallen = True
    if fallen:
        strike(fleet, sim, time)
    for replica in range(len(sim.engines)):
        h = sim.health[replica]
        if h.tripped == 0:
            continue
        bits = 0
        for seat in range(f.seat_of[replica], f.seat_of[replica + 1]):
            bits |= f.rows[f.seats[seat].row].tripped
        if bits != 0:
            continue
        if h.back_at < 0.0:
            h.back_at = time + sim.machines[fleet.replicas[replica].pool].reload_s
        if time >= h.back_at:
            h.tripped = 0
            c.tripped -= 1
            h.fallen = rise(fleet, sim, replica, time)
            risen = True
    if risen:
        arrange_choices(fleet)
        let_in(fleet, sim, time)
        sim.health.fallen[:] = 0
