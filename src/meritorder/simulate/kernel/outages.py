"""The next of the outages: replicas fail and come back, slow down and speed up, parts of buildings break."""

from __future__ import annotations

from meritorder.compiled import compiled
from meritorder.dispatch.state import FleetState
from meritorder.facility.parts import dim_feed, set_part
from meritorder.simulate.faults.outage import DOWN, NORMAL, PART_DOWN, PART_UP, SLOW, UP
from meritorder.simulate.kernel.event_heap import add_event
from meritorder.simulate.kernel.health import fall, rise, slow_down, speed_up
from meritorder.simulate.kernel.memory import FAULT, SimState, Site


@compiled
def begin_outage(fleet: FleetState, sim: SimState, site: Site, time: float) -> int:
    """The next outage happens. Returns its kind: after DOWN `strike` has to follow, after UP `let_in`."""
    c = sim.clock[0]
    o = site.outages[c.outage]
    c.outage += 1
    if c.outage < len(site.outages):
        add_event(sim.events, sim.clock, site.outages[c.outage].time, 0, FAULT)
    if o.kind == PART_DOWN or o.kind == PART_UP:
        if o.factor > 0.0:
            dim_feed(site.facility, o.part, o.factor if o.kind == PART_DOWN else 1.0 / o.factor)
        else:
            set_part(site.facility, o.part, int(o.kind == PART_UP))
    for k in range(o.first, o.first + o.count):
        replica = site.hit[k]
        if o.kind == DOWN:
            fall(fleet, sim, replica, o.cause, time)
        elif o.kind == UP:
            sim.health[replica].marked = rise(fleet, sim, replica, time)
        elif o.kind == SLOW:
            slow_down(fleet, sim, replica, o.factor, time)
        elif o.kind == NORMAL:
            speed_up(fleet, sim, replica, o.factor, time)
    return int(o.kind)
