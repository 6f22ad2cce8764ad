"""The event loop of a fleet amid buildings and faults. Only fleets that have any need it, and its compilation."""

from __future__ import annotations

from meritorder.compiled import compiled
from meritorder.dispatch.state import FleetState
from meritorder.simulate.faults.outage import DOWN, UP
from meritorder.simulate.kernel.event_heap import add_event
from meritorder.simulate.kernel.health import let_in
from meritorder.simulate.kernel.loop import MORE, NOTHING, run
from meritorder.simulate.kernel.memory import TICK, SimState, Site
from meritorder.simulate.kernel.outages import begin_outage
from meritorder.simulate.kernel.parking import release_parked
from meritorder.simulate.kernel.rows import heed_rows, recover, trip
from meritorder.simulate.kernel.strike import strike
from meritorder.simulate.kernel.tick import begin_tick


@compiled
def run_amid(fleet: FleetState, sim: SimState, site: Site, most: int) -> int:
    """Handle about `most` events. Returns NOTHING or MORE, as `run`.

    Outages and ticks end with the last request: those that are to come then are left out.
    """
    c = sim.clock[0]
    stop = c.handled + most
    while c.handled < stop:
        kind = run(fleet, sim, stop - c.handled)
        if kind in (NOTHING, MORE):
            return kind
        time = c.at
        if c.unfinished == c.unsent:
            continue
        if kind != TICK:
            outage = begin_outage(fleet, sim, site, time)
            if outage == DOWN:
                strike(fleet, sim, time)
            elif outage == UP:
                let_in(fleet, sim, time)
            continue
        begin_tick(fleet, sim, site, time)
        if heed_rows(fleet, sim, site, time):
            if trip(fleet, sim, site, time):
                strike(fleet, sim, time)
            if recover(fleet, sim, site, time):
                let_in(fleet, sim, time)
        release_parked(fleet, sim, site, time)
        add_event(sim.events, sim.clock, c.next_tick, 0, TICK)
    return MORE
