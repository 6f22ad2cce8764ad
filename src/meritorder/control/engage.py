"""Using levers: what is done where a zone draws too much, in the fleet's order, the least important first.

Slow levers (move, hold, shed) are used until what they will have taken off in the end is enough; caps, which act at
once, bridge what has not come yet when the limit has to be kept (docs/control.md).
"""

from __future__ import annotations

import numpy as np

from meritorder.compiled import compiled
from meritorder.control.closing import close_part, closed_parts, left, present
from meritorder.control.deeds import note
from meritorder.control.expect import cap_w, look
from meritorder.control.refuge import expect_elsewhere, fits_elsewhere
from meritorder.control.state import CAP, HOLD, HOLD_POWER, MOVE, SHED, ControlState
from meritorder.control.zones import at_once, end_w, excess_at_end, excess_by_then
from meritorder.dispatch.state import FleetState

ENOUGH_W = 1e-6  # an excess below this is rounding
PATIENCE = 16.0  # times the fleet's `release` that it waits at most where letting go was too early before


@compiled
def engage(control: ControlState, fleet: FleetState, zone: int, time: float, dt: float) -> None:
    """Use as many levers as it takes to bring a zone under its limit."""
    z = control.zones[zone]
    if max(excess_at_end(control, zone), excess_by_then(control, zone, time, dt)) <= ENOUGH_W:
        return
    for lever in control.order:
        if lever == CAP:
            cap_down(control, zone, time, dt)
        elif lever == HOLD:
            hold_back(control, fleet, zone, time)
        else:
            close(control, fleet, zone, time, lever)
    z.calm_s = 0.0
    if time - z.let_go <= z.wait_s:  # letting go was too early
        z.wait_s = min(2.0 * z.wait_s, PATIENCE * control.settings[0].release_s)
        z.let_go = -np.inf


@compiled
def cap_down(control: ControlState, zone: int, time: float, dt: float) -> None:
    """Lower power limits of the zone's pools: those of less important services first, then by harm per watt."""
    z = control.zones[zone]
    used = False
    while excess_by_then(control, zone, time, dt) > ENOUGH_W:
        best, best_level, best_weight, best_price = -1, 0, np.inf, np.inf
        for member in range(z.first, z.first + z.count):
            pool = control.members[member].pool
            c = control.pools[pool]
            level = c.level + 1
            while level < c.levels and cap_w(control, pool, level) <= ENOUGH_W:
                level += 1  # it would not bind on what the pool does now
            if level >= c.levels:
                continue
            now, then = control.options[c.option + c.level], control.options[c.option + level]
            price = max(then.harm - now.harm, 0.0) / (now.watts - then.watts)
            if c.weight < best_weight or (c.weight == best_weight and price < best_price):
                best, best_level, best_weight, best_price = pool, level, c.weight, price
        if best < 0:
            break
        watts = cap_w(control, best, best_level)
        at_once(control, best, watts)
        control.pools[best].level = best_level
        note(control, z.site, z.row, z.binding, time, CAP, best, best_level, watts)
        used = True
    if used:
        z.acted = time


@compiled
def close(control: ControlState, fleet: FleetState, zone: int, time: float, lever: int) -> None:
    """Send parts of services' requests elsewhere (`move`: as far as others have room), or refuse them (`shed`).

    The most important service is refused requests only above what is allowed, not within the margin.
    """
    z = control.zones[zone]
    for index in range(len(control.least_first)):
        service = control.least_first[index]
        last = index == len(control.least_first) - 1
        spare = z.allowed_w - z.limit_w if lever == SHED and last else 0.0
        if excess_at_end(control, zone) <= ENOUGH_W:
            return
        if present(control, service, zone) <= 0.0:
            continue
        used, before = False, end_w(control, zone)
        while excess_at_end(control, zone) - spare > ENOUGH_W and left(control, fleet, service, zone) > 0:
            if lever == MOVE:
                if not fits_elsewhere(control, fleet, service, zone):
                    break
                expect_elsewhere(control, fleet, service, zone)
            close_part(control, fleet, service, zone, lever)
            used = True
        if used:
            watts = before - end_w(control, zone)
            level = closed_parts(control, service, z.site, lever)  # zones begin with the sites
            note(control, z.site, z.row, z.binding, time, lever, service, level, watts)
            z.acted = time


@compiled
def hold_back(control: ControlState, fleet: FleetState, zone: int, time: float) -> None:
    """Keep requests of flexible services waiting; how many may go nevertheless: control/hold.py."""
    z = control.zones[zone]
    for index in range(len(control.least_first)):
        if excess_at_end(control, zone) <= ENOUGH_W:
            return
        service = control.least_first[index]
        s = control.services[service]
        if s.flexible_s <= 0.0 or s.hold & HOLD_POWER != 0 or present(control, service, zone) <= 0.0:
            continue
        before = end_w(control, zone)
        s.hold |= HOLD_POWER
        s.idle_s = 0.0
        for pool in range(len(control.pools)):
            look(control, fleet, pool)
            closure = control.closures[service, pool]
            control.pools[pool].coming -= closure.requests + closure.coming
            closure.coming = -closure.requests
        watts = before - end_w(control, zone)
        note(control, z.site, z.row, z.binding, time, HOLD, service, 1, watts)
        z.acted = time
