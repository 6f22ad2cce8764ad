"""Demand response: what the grid asks for, in grid watts, and by when."""

from __future__ import annotations

import numpy as np

from meritorder.compiled import compiled
from meritorder.control.state import OVER, TO_COME, UNDER_WAY, ControlState
from meritorder.facility.state import FacilityState

BASE_S = 300.0  # a reduction is from the mean grid power of so long before


@compiled
def heed(control: ControlState, facility: FacilityState, time: float, dt: float) -> None:
    """Begin and end the grid's events, and pass on to the building what they ask for now."""
    for site in range(len(control.sites)):
        facility.sites[site].asked_w = np.inf
    for event in range(len(control.events)):
        e = control.events[event]
        c = control.sites[e.site]
        if e.state == TO_COME and time >= e.start:
            e.state = UNDER_WAY
            if e.reduce > 0.0:
                e.limit_w = (1.0 - e.reduce) * c.base_w
            for zone in range(len(control.zones)):
                if control.zones[zone].site == e.site:
                    control.zones[zone].kept_by = max(control.zones[zone].kept_by, e.kept_by)
        if e.state == UNDER_WAY and time >= e.stop:
            e.state = OVER
        if e.state == UNDER_WAY:
            f = facility.sites[e.site]
            f.asked_w = min(f.asked_w, e.limit_w)
    for site in range(len(control.sites)):
        f, c = facility.sites[site], control.sites[site]
        if f.asked_w == np.inf:
            c.base_s = min(c.base_s + dt, BASE_S)
            c.base_w += (f.grid_w - c.base_w) * min(dt / c.base_s, 1.0)
