"""Zones: a limit and what is drawn under it, a site's or a row's."""

from __future__ import annotations

import numpy as np

from meritorder.compiled import compiled, inlined
from meritorder.control.curve import follow, shift_w
from meritorder.control.state import CURVE_POINTS, ControlState
from meritorder.dispatch.state import FleetState
from meritorder.facility.state import ROW_LIMIT, FacilityState

SMOOTH_S = 5.0  # measured power is smoothed over so long


@compiled
def measure(control: ControlState, facility: FacilityState, fleet: FleetState, dt: float) -> None:
    """Take in what pools, sites and rows drew in the last step, and what they may draw."""
    weight = 1.0 if control.settings[0].tick == 0 else 1.0 - np.exp(-dt / SMOOTH_S)
    for pool in range(len(control.pools)):
        c, used = control.pools[pool], facility.pools[pool]
        watts = max((used.it_total_j - c.last_j) / dt - used.idle_w, 0.0)
        c.busy_w += weight * (watts - c.busy_w)
        c.last_j = used.it_total_j
        c.requests = fleet.pools[pool].in_flight
        follow(control, pool, weight)
        c.coming = 0.0
        for service in range(len(control.services)):
            closure = control.closures[service, pool]
            if closure.coming != 0.0:
                closure.coming *= np.exp(-dt / max(c.residence_s, dt))
                c.coming += closure.coming
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
        calm = excess_at_end(control, zone) <= 0.0 and z.last_w <= z.allowed_w
        z.calm_s = z.calm_s + dt if calm else 0.0


@compiled
def end_w(control: ControlState, zone: int) -> float:
    """Watts that a zone will draw once all that was done has come to pass."""
    z = control.zones[zone]
    watts = float(z.smooth_w)
    for member in range(z.first, z.first + z.count):
        m = control.members[member]
        c = control.pools[m.pool]
        watts += m.share * shift_w(control, m.pool, c.requests + c.coming + c.extra)
    return watts


@inlined
def excess_at_end(control: ControlState, zone: int) -> float:
    """The same above its limit."""
    return float(end_w(control, zone) - control.zones[zone].limit_w)


@compiled
def excess_by_then(control: ControlState, zone: int, time: float, dt: float) -> float:
    """Watts above the limit at the moment when it has to be kept; a burst counts at once.

    Half of the time left is kept in reserve, for what is not as expected.
    """
    z = control.zones[zone]
    left = max(0.5 * (z.kept_by - time) - dt, 0.0)
    watts = float(z.smooth_w)
    if z.last_w > z.allowed_w and time - z.acted > 1.5 * dt and left == 0.0:
        watts = max(watts, float(z.last_w))
    watts = float(watts - z.limit_w)
    for member in range(z.first, z.first + z.count):
        m = control.members[member]
        c = control.pools[m.pool]
        come = 1.0 - np.exp(-left / max(c.residence_s, dt))
        watts += m.share * shift_w(control, m.pool, c.requests + come * c.coming)
    return watts


@compiled
def at_once(control: ControlState, pool: int, watts: float) -> None:
    """A pool draws so many watts less from now on, whatever its requests."""
    c = control.pools[pool]
    rest = max(1.0 - watts / c.busy_w, 0.0)
    c.busy_w *= rest
    c.model_w *= rest
    for k in range(CURVE_POINTS):
        control.curves[pool, k] *= rest
    for member in range(len(control.members)):
        m = control.members[member]
        if m.pool == pool:
            control.zones[m.zone].smooth_w -= m.share * watts


@compiled
def room_of(control: ControlState, pool: int) -> float:
    """Watts that a pool may draw more, by all of its limits; infinity: no limit."""
    room = np.inf
    for member in range(len(control.members)):
        m = control.members[member]
        if m.pool == pool and control.zones[m.zone].allowed_w < np.inf:
            room = min(room, -excess_at_end(control, m.zone) / m.share)
    return room


@compiled
def tried_room(control: ControlState) -> float:
    """Least room, in watts, of the zones that would get `extra` requests of any pool; infinity: no limit."""
    room = np.inf
    for zone in range(len(control.zones)):
        z = control.zones[zone]
        if z.allowed_w == np.inf:
            continue
        more = False
        for member in range(z.first, z.first + z.count):
            more = more or control.pools[control.members[member].pool].extra > 0.0
        if more:
            room = min(room, -excess_at_end(control, zone))
    return room


@compiled
def is_calm(control: ControlState, pool: int) -> bool:
    """Whether power has sufficed for long enough in all zones of a pool."""
    calm = True
    for member in range(len(control.members)):
        m = control.members[member]
        z = control.zones[m.zone]
        calm = calm and (m.pool != pool or z.calm_s >= z.wait_s)
    return calm
