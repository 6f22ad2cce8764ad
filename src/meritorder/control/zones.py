"""Zones: a limit and what is drawn under it, a site's or a row's."""

from __future__ import annotations

import numpy as np

from meritorder.compiled import compiled, inlined
from meritorder.control.state import ControlState
from meritorder.facility.state import ROW_LIMIT, FacilityState
from meritorder.records import Records

SMOOTH_S = 5.0  # measured power is smoothed over so long
SETTLE_S = 10.0  # requests let in draw their power after about so long


@compiled
def measure(control: ControlState, facility: FacilityState, time: float, dt: float) -> None:
    """Take in what pools, sites and rows drew in the last step, and what they may draw."""
    first = control.settings[0].tick == 0
    weight = 1.0 if first else 1.0 - np.exp(-dt / SMOOTH_S)
    for pool in range(len(control.pools)):
        c, used = control.pools[pool], facility.pools[pool]
        watts = max((used.it_total_j - c.last_j) / dt - used.idle_w, 0.0)
        c.busy_w += weight * (watts - c.busy_w)
        c.last_j = used.it_total_j
    for zone in range(len(control.zones)):
        z = control.zones[zone]
        if z.row < 0:
            site = facility.sites[z.site]
            z.last_w, z.allowed_w, z.binding = site.it_w, site.allowed_it_w, site.binding
            if z.binding == ROW_LIMIT:  # rows are zones of their own
                z.allowed_w = np.inf
        else:
            z.last_w, z.allowed_w, z.binding = facility.rows[z.row].it_w, facility.rows[z.row].limit_w, ROW_LIMIT
        z.limit_w = z.allowed_w * (1.0 - control.settings[0].margin)
        z.smooth_w += weight * (z.last_w - z.smooth_w)
        z.pending_w *= np.exp(-dt / max(z.pending_s, dt))
        z.coming_w *= np.exp(-dt / SETTLE_S)
        calm = excess_at_end(z) <= 0.0 and z.last_w <= z.allowed_w
        z.calm_s = z.calm_s + dt if calm else 0.0


@inlined
def excess_at_end(z: Records) -> float:
    """Watts above the limit once all that was done has come to pass."""
    return float(z.smooth_w + z.coming_w - z.limit_w - z.pending_w)


@inlined
def excess_by_then(z: Records, time: float, dt: float) -> float:
    """Watts above the limit at the moment when it has to be kept, two steps to spare; a burst counts at once."""
    left = max(z.kept_by - time - 2.0 * dt, 0.0)
    drawn = z.smooth_w
    if z.last_w > z.allowed_w and time - z.acted > 1.5 * dt and left == 0.0:
        drawn = max(drawn, z.last_w)
    return float(drawn + z.coming_w - z.limit_w - z.pending_w * (1.0 - np.exp(-left / max(z.pending_s, dt))))


@inlined
def at_once(control: ControlState, pool: int, watts: float) -> None:
    """A pool draws so many watts less from now on."""
    control.pools[pool].busy_w -= watts
    for member in range(len(control.members)):
        m = control.members[member]
        if m.pool == pool:
            control.zones[m.zone].smooth_w -= m.share * watts


@inlined
def in_time(control: ControlState, pool: int, watts: float, seconds: float) -> None:
    """A pool will draw so many watts less as its requests end, with this time constant."""
    for member in range(len(control.members)):
        m = control.members[member]
        if m.pool == pool:
            z = control.zones[m.zone]
            more = m.share * watts
            if more > 0.0:
                z.pending_s = (z.pending_w * z.pending_s + more * seconds) / (z.pending_w + more)
                z.pending_w += more


@inlined
def to_come(control: ControlState, pool: int, watts: float) -> None:
    """A pool will soon draw so many watts more."""
    for member in range(len(control.members)):
        m = control.members[member]
        if m.pool == pool:
            control.zones[m.zone].coming_w += m.share * watts


@compiled
def room_of(control: ControlState, pool: int) -> float:
    """Watts that a pool may draw more, by all of its limits; infinity: no limit."""
    room = np.inf
    for member in range(len(control.members)):
        m = control.members[member]
        z = control.zones[m.zone]
        if m.pool == pool and z.allowed_w < np.inf:
            room = min(room, -excess_at_end(z) / m.share)
    return room


@compiled
def is_calm(control: ControlState, pool: int) -> bool:
    """Whether power has sufficed for long enough in all zones of a pool."""
    for member in range(len(control.members)):
        m = control.members[member]
        z = control.zones[m.zone]
        if m.pool == pool and z.calm_s < z.wait_s:
            return False
    return True
