"""Letting levers go: in the reverse order, the most important first, once power has sufficed for long enough."""

from __future__ import annotations

import numpy as np

from meritorder.compiled import compiled, inlined
from meritorder.control.closing import closed_parts, open_part, takes
from meritorder.control.deeds import note
from meritorder.control.expect import cap_w, look
from meritorder.control.state import CAP, HOLD, HOLD_POWER, PARTS, ControlState
from meritorder.control.zones import at_once, end_w, is_calm, room_of, tried_room
from meritorder.dispatch.state import FleetState

STEP = 0.5  # part of the room that is given back in one step
AGAIN = 0.25  # part of the waiting time until the next one


@compiled
def release(control: ControlState, fleet: FleetState, zone: int, time: float) -> None:
    """Let go of what a calm zone has room for."""
    z = control.zones[zone]
    if z.calm_s < z.wait_s:
        return
    for index in range(len(control.order) - 1, -1, -1):
        lever = control.order[index]
        if lever == CAP:
            used, let_go = raise_caps(control, fleet, zone, time)
        elif lever == HOLD:
            used, let_go = let_in(control, fleet, zone, time)
        else:
            used, let_go = reopen(control, fleet, zone, time, lever)
        if let_go:
            z.calm_s = (1.0 - AGAIN) * z.wait_s
            for other in range(len(control.zones)):
                if control.zones[other].site == z.site:
                    control.zones[other].let_go = time
        if used:
            return
    z.wait_s = control.settings[0].release_s


@compiled
def raise_caps(control: ControlState, fleet: FleetState, zone: int, time: float) -> tuple[bool, bool]:
    """Raise power limits of the zone's pools, those of important services first.

    Returns whether any was in use, and whether any was let go.
    """
    z = control.zones[zone]
    used = let_go = False
    while True:
        best, best_weight = -1, -1.0
        for member in range(z.first, z.first + z.count):
            pool = control.members[member].pool
            c = control.pools[pool]
            if c.level > 0:
                used = True
                look(control, fleet, pool)
                if c.weight > best_weight:
                    best, best_weight = pool, c.weight
        if best < 0 or not is_calm(control, best):
            return used, let_go
        watts = -cap_w(control, best, control.pools[best].level - 1)
        room = room_of(control, best)
        if watts > room or (let_go and watts > STEP * room):
            return used, let_go
        at_once(control, best, -watts)
        control.pools[best].level -= 1
        note(control, z.site, z.row, z.binding, time, CAP, best, control.pools[best].level, -watts)
        let_go = True


@compiled
def let_in(control: ControlState, fleet: FleetState, zone: int, time: float) -> tuple[bool, bool]:
    """Stop holding services nobody of whom has been waiting for long enough; the most important first."""
    z = control.zones[zone]
    used = False
    for index in range(len(control.least_first) - 1, -1, -1):
        service = control.least_first[index]
        s = control.services[service]
        if s.hold & HOLD_POWER == 0 or not served_in(control, fleet, service, zone):
            continue
        used = True
        if s.idle_s >= z.wait_s:
            s.hold &= ~HOLD_POWER
            note(control, z.site, z.row, z.binding, time, HOLD, service, 0, 0.0)
            return True, True
    return used, False


@inlined
def served_in(control: ControlState, fleet: FleetState, service: int, zone: int) -> bool:
    """Whether a service may use any of a zone's pools."""
    z = control.zones[zone]
    found = False
    for member in range(z.first, z.first + z.count):
        found = found or takes(fleet, service, control.members[member].pool)
    return found


@compiled
def reopen(control: ControlState, fleet: FleetState, zone: int, time: float, lever: int) -> tuple[bool, bool]:
    """Take parts of services' requests again that were moved or refused; the most important first."""
    z = control.zones[zone]
    for index in range(len(control.least_first) - 1, -1, -1):
        service = control.least_first[index]
        before = closed_parts(control, service, zone, lever)
        if before == 0:
            continue
        room, power = np.inf, end_w(control, zone)
        let_go = False
        while closed_parts(control, service, zone, lever) > 0:
            most = room_for_part(control, service, zone)
            if most < 0.0 or (let_go and most < (1.0 - STEP) * room):
                break
            room = min(room, most)
            open_part(control, fleet, service, zone, lever)
            let_go = True
        if let_go:
            watts = power - end_w(control, zone)
            level = closed_parts(control, service, z.site, lever)  # zones begin with the sites
            note(control, z.site, z.row, z.binding, time, lever, service, level, watts)
        return True, let_go
    return False, False


@compiled
def room_for_part(control: ControlState, service: int, zone: int) -> float:
    """Watts left in all zones that one more part of a service's requests touches; < 0: it does not fit yet."""
    z = control.zones[zone]
    calm = True
    for member in range(z.first, z.first + z.count):
        pool = control.members[member].pool
        control.pools[pool].extra = control.closures[service, pool].demand / PARTS
        calm = calm and is_calm(control, pool)
    room = tried_room(control) if calm else -1.0
    for member in range(z.first, z.first + z.count):
        control.pools[control.members[member].pool].extra = 0.0
    return room
