"""Carrying out what the controller wants, and what the building does to its machines."""

from __future__ import annotations

from meritorder.compiled import compiled
from meritorder.dispatch.caps import set_cap
from meritorder.dispatch.shutting import arrange_choices
from meritorder.dispatch.state import FleetState
from meritorder.simulate.kernel.interrupt import interrupt
from meritorder.simulate.kernel.memory import SimState, Site


@compiled
def cap_pools(fleet: FleetState, sim: SimState, site: Site, time: float) -> None:
    """Set power limits. The iteration under way goes on as it is, the next one is by the new tables."""
    for pool in range(len(fleet.pools)):
        p = fleet.pools[pool]
        level = site.control.pools[pool].level
        if level != p.cap:
            set_cap(fleet, pool, level)
            for replica in range(p.first, p.first + p.count):
                if sim.engines[replica].n > 0:
                    interrupt(fleet, sim, replica, time)


@compiled
def price_pools(fleet: FleetState, sim: SimState, site: Site) -> None:
    """Dispatch goes by the present price of a joule at the machines."""
    for pool in range(len(fleet.pools)):
        p = fleet.pools[pool]
        p.usd_per_j = site.control.sites[p.site].usd_per_j


@compiled
def shut_choices(fleet: FleetState, sim: SimState, site: Site) -> None:
    """Shut pools for services and open them again, and hold services."""
    changed = False
    for service in range(len(site.control.services)):
        s = fleet.services[service]
        s.hold = site.control.services[service].hold
        for c in range(s.first, s.first + s.count):
            choice = fleet.choices[c]
            shut = int(site.control.shut[service, choice.pool] != 0)
            if shut != choice.shut:
                choice.shut = shut
                changed = True
    if changed:
        arrange_choices(fleet)
