"""`control_step`: the one controller that simulator and gateway ask what to do about power (docs/control.md)."""

from __future__ import annotations

import numpy as np

from meritorder.compiled import compiled, inlined
from meritorder.control.engage import engage
from meritorder.control.expect import look
from meritorder.control.hold import admit, shift, shut
from meritorder.control.prices import price_energy
from meritorder.control.release import release
from meritorder.control.state import HOLD_POWER, ControlState
from meritorder.control.wishes import heed
from meritorder.control.zones import measure
from meritorder.dispatch.state import FleetState
from meritorder.facility.state import FacilityState

NEAR = 0.8  # of a limit, from where on pools are looked at


@compiled
def control_step(control: ControlState, facility: FacilityState, fleet: FleetState, time: float, dt: float) -> None:
    """Look at the sites as they are at `time`, `dt` seconds after the last look, and write orders into `control`.

    Nothing is changed in `fleet`: who calls carries the orders out. Of `facility` only `sites.asked_w` is written.
    """
    price_energy(control, facility)
    heed(control, facility, time, dt)
    measure(control, facility, fleet, dt)
    shift(control, facility, fleet, time)
    # rows first: what is done for them helps their site
    for zone in range(len(control.zones) - 1, -1, -1):
        if is_near(control, zone):
            for member in range(control.zones[zone].first, control.zones[zone].first + control.zones[zone].count):
                look(control, fleet, control.members[member].pool)
            engage(control, fleet, zone, time, dt)
    for zone in range(len(control.zones) - 1, -1, -1):
        release(control, fleet, zone, time)
    admit(control, fleet, dt)
    shut(control, facility, fleet)
    count(control)
    control.settings[0].tick += 1


@inlined
def is_near(control: ControlState, zone: int) -> bool:
    """Whether a zone is near its limit, or a lever is in use at its site."""
    z = control.zones[zone]
    near = max(z.smooth_w, z.last_w) > NEAR * z.limit_w
    return bool(z.allowed_w < np.inf and (near or control.sites[z.site].pressed > 0))


@inlined
def count(control: ControlState) -> None:
    """Tell of each site what it may draw, and how many levers are in use there."""
    for site in range(len(control.sites)):
        c, z = control.sites[site], control.zones[site]
        c.allowed_it_w, c.it_w, c.binding = z.limit_w, z.smooth_w, z.binding
        c.pressed = 0
    for pool in range(len(control.pools)):
        c = control.sites[control.pools[pool].site]
        if control.pools[pool].level > 0:
            c.pressed += 1
        for service in range(len(control.services)):
            closure = control.closures[service, pool]
            if closure.moved + closure.shed > 0 or control.services[service].hold & HOLD_POWER != 0:
                c.pressed += 1
