"""`control_step`: the one controller that simulator and gateway ask what to do about power (docs/control.md)."""

from __future__ import annotations

import numpy as np

from meritorder.compiled import compiled, inlined
from meritorder.control.engage import engage
from meritorder.control.hold import admit, shift, shut
from meritorder.control.prices import price_energy
from meritorder.control.release import release
from meritorder.control.state import HOLD_POWER, ControlState
from meritorder.control.wishes import heed
from meritorder.control.zones import measure
from meritorder.dispatch.state import FleetState
from meritorder.facility.state import FacilityState


@compiled
def control_step(control: ControlState, facility: FacilityState, fleet: FleetState, time: float, dt: float) -> None:
    """Look at the sites as they are at `time`, `dt` seconds after the last look, and write orders into `control`.

    Nothing is changed in `fleet`: who calls carries the orders out. Of `facility` only `sites.asked_w` is written.
    """
    price_energy(control, facility)
    heed(control, facility, time, dt)
    measure(control, facility, time, dt)
    shift(control, facility, fleet, time)
    # rows first: what is done for them helps their site
    for zone in range(len(control.zones) - 1, -1, -1):
        if control.zones[zone].allowed_w < np.inf:
            engage(control, fleet, zone, time, dt)
    for zone in range(len(control.zones) - 1, -1, -1):
        release(control, fleet, zone, time)
    admit(control, fleet, dt)
    shut(control, facility, fleet)
    count(control)
    control.settings[0].tick += 1


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
