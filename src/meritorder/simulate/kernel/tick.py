"""A tick of virtual time: buildings take what was drawn and move on, the controller looks, its orders are done."""

from __future__ import annotations

from meritorder.compiled import compiled
from meritorder.control.step import control_step
from meritorder.dispatch.state import FleetState
from meritorder.facility.step import facility_step
from meritorder.simulate.kernel.memory import SimState, Site
from meritorder.simulate.kernel.orders import cap_pools, price_pools, shut_choices
from meritorder.simulate.kernel.tell import tell_energy, tell_idle


@compiled
def begin_tick(fleet: FleetState, sim: SimState, site: Site, time: float) -> None:
    """All of a tick up to the orders; then come rows (rows.py) and those who wait (parking.py)."""
    c = sim.clock[0]
    c.ticks += 1
    c.next_tick = (c.ticks + 1) * c.step_s
    if len(site.facility.sites) == 0:
        return
    tell_energy(fleet, sim, site, time)
    if c.changed != 0:
        tell_idle(fleet, sim, site)
        c.changed = 0
    for service in range(len(sim.parking)):
        site.control.services[service].parked = sim.parking[service].count
    facility_step(site.facility, time, c.step_s)
    control_step(site.control, site.facility, fleet, time, c.step_s)
    cap_pools(fleet, sim, site, time)
    price_pools(fleet, sim, site)
    shut_choices(fleet, sim, site)


@compiled
def end(fleet: FleetState, sim: SimState, site: Site, time: float) -> None:
    """The run is over: buildings take what was drawn since the last tick."""
    if len(site.facility.sites) > 0 and time > site.facility.clock[0].now_s:
        tell_energy(fleet, sim, site, time)
        facility_step(site.facility, time, time - site.facility.clock[0].now_s)
