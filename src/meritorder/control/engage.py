"""Using levers: what is done where a zone draws too much, in the fleet's order, the least important first.

Slow levers (move, hold, shed) are used until what they will have taken off in the end is enough; caps, which act at
once, bridge what has not come yet when the limit has to be kept (docs/control.md).
"""

from __future__ import annotations

import numpy as np

from meritorder.compiled import compiled, inlined
from meritorder.control.deeds import note
from meritorder.control.expect import cap_w, drop_w, look
from meritorder.control.state import CAP, HOLD, HOLD_POWER, MOVE, PARTS, SHED, ControlState
from meritorder.control.zones import at_once, excess_at_end, excess_by_then, in_time, room_of, to_come
from meritorder.dispatch.state import FleetState

ENOUGH_W = 1e-6  # an excess below this is rounding
PATIENCE = 16.0  # times the fleet's `release` that it waits at most where letting go was too early before


@compiled
def engage(control: ControlState, fleet: FleetState, zone: int, time: float, dt: float) -> None:
    """Use as many levers as it takes to bring a zone under its limit."""
    z = control.zones[zone]
    if max(excess_at_end(z), excess_by_then(z, time, dt)) <= ENOUGH_W:
        return
    for member in range(z.first, z.first + z.count):
        look(control, fleet, control.members[member].pool)
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
    while excess_by_then(z, time, dt) > ENOUGH_W:
        best, best_level, best_weight, best_price = -1, 0, np.inf, np.inf
        for member in range(z.first, z.first + z.count):
            pool = control.members[member].pool
            c = control.pools[pool]
            level = c.level + 1
            while level < c.levels and cap_w(control, pool, level) <= ENOUGH_W:
                level += 1  # it would not bind on what the pool does now
            if level >= c.levels:
                continue
            more = control.options[c.option + level].harm - control.options[c.option + c.level].harm
            price = max(more, 0.0) / control.options[c.option].watts / cap_w(control, pool, level)
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


@inlined
def under(control: ControlState, fleet: FleetState, service: int, zone: int) -> float:
    """Watts that one part of a service's requests draws in a zone's pools, in the zone's own watts."""
    z = control.zones[zone]
    watts = 0.0
    for member in range(z.first, z.first + z.count):
        m = control.members[member]
        closure = control.closures[service, m.pool]
        if closure.moved + closure.shed == 0:
            closure.part_w = drop_w(control, service, m.pool) / PARTS
        watts += m.share * closure.part_w
    return watts


@inlined
def takes(fleet: FleetState, service: int, pool: int) -> bool:
    """Whether new requests of a service may go to a pool; to decode pools they come from those that compute prompts."""
    return bool(fleet.choice_of[service, pool] >= 0)


@inlined
def left(control: ControlState, fleet: FleetState, service: int, zone: int) -> int:
    """Parts of a service's requests that the zone's pools still take."""
    z = control.zones[zone]
    most = 0
    for member in range(z.first, z.first + z.count):
        pool = control.members[member].pool
        if takes(fleet, service, pool):
            closure = control.closures[service, pool]
            most = max(most, PARTS - closure.moved - closure.shed)
    return most


@compiled
def close(control: ControlState, fleet: FleetState, zone: int, time: float, lever: int) -> None:
    """Send parts of services' requests elsewhere (`move`: as far as others have room), or refuse them (`shed`).

    The most important service is refused requests only above what is allowed, not within the margin.
    """
    z = control.zones[zone]
    for index in range(len(control.least_first)):
        excess = excess_at_end(z)
        last = index == len(control.least_first) - 1
        if lever == SHED and last:
            excess -= z.allowed_w - z.limit_w
        if excess <= ENOUGH_W:
            break
        service = control.least_first[index]
        parts = left(control, fleet, service, zone)
        part_w = under(control, fleet, service, zone)
        if parts <= 0 or part_w <= ENOUGH_W / PARTS:
            continue
        parts = min(parts, int(np.ceil(excess / part_w)))
        if lever == MOVE:
            parts = min(parts, room_elsewhere(control, fleet, service, zone, part_w))
            if parts <= 0:
                continue
            expect_elsewhere(control, fleet, service, zone, parts * part_w)
        for member in range(z.first, z.first + z.count):
            pool = control.members[member].pool
            closure = control.closures[service, pool]
            in_time(control, pool, parts * closure.part_w, control.pools[pool].residence_s)
            if takes(fleet, service, pool):
                more = min(parts, PARTS - closure.moved - closure.shed)
                if lever == MOVE:
                    closure.moved += more
                else:
                    closure.shed += more
        note(
            control,
            z.site,
            z.row,
            z.binding,
            time,
            lever,
            service,
            closed_parts(control, fleet, service, zone, lever),
            parts * part_w,
        )
        z.acted = time


@inlined
def closed_parts(control: ControlState, fleet: FleetState, service: int, zone: int, lever: int) -> int:
    """Parts of a service's requests that a lever keeps from the zone's pools."""
    z = control.zones[zone]
    most = 0
    for member in range(z.first, z.first + z.count):
        closure = control.closures[service, control.members[member].pool]
        most = max(most, closure.moved if lever == MOVE else closure.shed)
    return most


@inlined
def within(control: ControlState, zone: int, pool: int) -> bool:
    """Whether any part of a pool stands in a zone."""
    z = control.zones[zone]
    found = False
    for member in range(z.first, z.first + z.count):
        found = found or control.members[member].pool == pool
    return found


@inlined
def is_refuge(control: ControlState, fleet: FleetState, service: int, zone: int, pool: int) -> bool:
    """Whether a pool outside a zone may take what the zone can't."""
    if not takes(fleet, service, pool) or within(control, zone, pool):
        return False
    closure = control.closures[service, pool]
    return bool(fleet.pools[pool].open > 0 and closure.moved + closure.shed == 0)


@compiled
def room_elsewhere(control: ControlState, fleet: FleetState, service: int, zone: int, part_w: float) -> int:
    """Parts of a service's requests that pools outside a zone have watts and seats for."""
    z = control.zones[zone]
    moving = 0.0
    for member in range(z.first, z.first + z.count):
        moving += control.closures[service, control.members[member].pool].requests
    watts = seats = 0.0
    for pool in range(len(control.pools)):
        if is_refuge(control, fleet, service, zone, pool):
            p = fleet.pools[pool]
            watts += max(room_of(control, pool), 0.0)
            seats += max(p.open * p.max_sequences - p.in_flight, 0)
    by_seats = PARTS if moving <= seats else int(PARTS * seats / moving)
    return by_seats if watts == np.inf else min(by_seats, int(watts / part_w))


@compiled
def expect_elsewhere(control: ControlState, fleet: FleetState, service: int, zone: int, watts: float) -> None:
    """Count what is moved as coming to the pools that have room for it, by their seats."""
    seats = 0.0
    for pool in range(len(control.pools)):
        if is_refuge(control, fleet, service, zone, pool):
            seats += fleet.pools[pool].open * fleet.pools[pool].max_sequences
    for pool in range(len(control.pools)):
        if is_refuge(control, fleet, service, zone, pool):
            p = fleet.pools[pool]
            to_come(control, pool, watts * p.open * p.max_sequences / seats)


@compiled
def hold_back(control: ControlState, fleet: FleetState, zone: int, time: float) -> None:
    """Keep requests of flexible services waiting; how many may go nevertheless: control/hold.py."""
    z = control.zones[zone]
    for index in range(len(control.least_first)):
        if excess_at_end(z) <= ENOUGH_W:
            break
        service = control.least_first[index]
        s = control.services[service]
        if s.flexible_s <= 0.0 or s.hold & HOLD_POWER != 0:
            continue
        watts = under(control, fleet, service, zone) * PARTS
        if watts <= ENOUGH_W:
            continue
        for pool in range(len(control.pools)):
            look(control, fleet, pool)
            in_time(control, pool, drop_w(control, service, pool), control.pools[pool].residence_s)
        s.hold |= HOLD_POWER
        s.idle_s = 0.0
        note(control, z.site, z.row, z.binding, time, HOLD, service, 1, watts)
        z.acted = time
