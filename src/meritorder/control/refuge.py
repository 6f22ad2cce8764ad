"""Where requests can go that a zone has no power for: pools outside it with seats and watts to spare."""

from __future__ import annotations

from meritorder.compiled import compiled, inlined
from meritorder.control.closing import come, takes, within
from meritorder.control.expect import look
from meritorder.control.state import PARTS, ControlState
from meritorder.control.zones import tried_room
from meritorder.dispatch.state import FleetState


@inlined
def is_refuge(control: ControlState, fleet: FleetState, service: int, zone: int, pool: int) -> bool:
    """Whether a pool outside a zone may take what the zone can't."""
    if not takes(fleet, service, pool) or within(control, zone, pool):
        return False
    closure = control.closures[service, pool]
    return bool(fleet.pools[pool].open > 0 and closure.moved + closure.shed == 0)


@inlined
def moving(control: ControlState, service: int, zone: int) -> float:
    """Requests in flight that one part of a service's requests makes in the zone's pools."""
    z = control.zones[zone]
    requests = 0.0
    for member in range(z.first, z.first + z.count):
        requests += control.closures[service, control.members[member].pool].demand
    return requests / PARTS


@inlined
def free_seats(control: ControlState, fleet: FleetState, pool: int) -> float:
    """Requests that a pool has seats for beside those in flight and coming."""
    p, c = fleet.pools[pool], control.pools[pool]
    return float(max(p.open * p.max_sequences - c.requests - max(c.coming, 0.0), 0.0))


@compiled
def refuge_seats(control: ControlState, fleet: FleetState, service: int, zone: int) -> float:
    """Free seats of all pools that may take a service's requests instead of the zone's."""
    seats = 0.0
    for pool in range(len(control.pools)):
        if is_refuge(control, fleet, service, zone, pool):
            seats += free_seats(control, fleet, pool)
    return seats


@compiled
def fits_elsewhere(control: ControlState, fleet: FleetState, service: int, zone: int) -> bool:
    """Whether pools outside the zone have seats and power for one more part of a service's requests."""
    requests = moving(control, service, zone)
    seats = refuge_seats(control, fleet, service, zone)
    if seats <= 0.0 or requests > seats:
        return False
    for pool in range(len(control.pools)):
        if is_refuge(control, fleet, service, zone, pool):
            look(control, fleet, pool)
            control.pools[pool].extra = requests * free_seats(control, fleet, pool) / seats
    room = tried_room(control)
    for pool in range(len(control.pools)):
        control.pools[pool].extra = 0.0
    return room >= 0.0


@compiled
def expect_elsewhere(control: ControlState, fleet: FleetState, service: int, zone: int) -> None:
    """Count one more part as coming to the other pools, by their free seats."""
    requests = moving(control, service, zone)
    seats = refuge_seats(control, fleet, service, zone)
    for pool in range(len(control.pools)):
        if is_refuge(control, fleet, service, zone, pool):
            come(control, service, pool, requests * free_seats(control, fleet, pool) / seats)
