"""Keeping parts of a service's requests from the pools of a zone, and letting them back."""

from __future__ import annotations

from meritorder.compiled import compiled, inlined
from meritorder.control.state import MOVE, PARTS, ControlState
from meritorder.dispatch.state import FleetState


@inlined
def takes(fleet: FleetState, service: int, pool: int) -> bool:
    """Whether new requests of a service may go to a pool; to decode pools they come from those that compute prompts."""
    return bool(fleet.choice_of[service, pool] >= 0)


@inlined
def within(control: ControlState, zone: int, pool: int) -> bool:
    """Whether any part of a pool stands in a zone."""
    z = control.zones[zone]
    found = False
    for member in range(z.first, z.first + z.count):
        found = found or control.members[member].pool == pool
    return found


@inlined
def present(control: ControlState, service: int, zone: int) -> float:
    """A service's requests in the pools of a zone, in flight or coming, as far as they stand in it."""
    z = control.zones[zone]
    requests = 0.0
    for member in range(z.first, z.first + z.count):
        m = control.members[member]
        closure = control.closures[service, m.pool]
        requests += m.share * max(closure.requests + closure.coming, 0.0)
    return requests


@compiled
def left(control: ControlState, fleet: FleetState, service: int, zone: int) -> int:
    """Parts of a service's requests that the zone's pools still take."""
    z = control.zones[zone]
    most = 0
    for member in range(z.first, z.first + z.count):
        pool = control.members[member].pool
        if takes(fleet, service, pool):
            closure = control.closures[service, pool]
            most = max(most, PARTS - closure.moved - closure.shed)
    return int(most)


@compiled
def closed_parts(control: ControlState, service: int, zone: int, lever: int) -> int:
    """Parts of a service's requests that a lever keeps from the zone's pools."""
    z = control.zones[zone]
    most = 0
    for member in range(z.first, z.first + z.count):
        closure = control.closures[service, control.members[member].pool]
        most = max(most, closure.moved if lever == MOVE else closure.shed)
    return int(most)


@compiled
def close_part(control: ControlState, fleet: FleetState, service: int, zone: int, lever: int) -> None:
    """Keep one more part of a service's requests from the zone's pools; pools behind them get as much less."""
    z = control.zones[zone]
    for member in range(z.first, z.first + z.count):
        pool = control.members[member].pool
        closure = control.closures[service, pool]
        if takes(fleet, service, pool):
            if closure.moved + closure.shed == PARTS:
                continue
            if lever == MOVE:
                closure.moved += 1
            else:
                closure.shed += 1
        come(control, service, pool, -closure.demand / PARTS)


@compiled
def open_part(control: ControlState, fleet: FleetState, service: int, zone: int, lever: int) -> None:
    """Take one more part again."""
    z = control.zones[zone]
    for member in range(z.first, z.first + z.count):
        pool = control.members[member].pool
        closure = control.closures[service, pool]
        if takes(fleet, service, pool):
            if (closure.moved if lever == MOVE else closure.shed) == 0:
                continue
            if lever == MOVE:
                closure.moved -= 1
            else:
                closure.shed -= 1
        come(control, service, pool, closure.demand / PARTS)


@inlined
def come(control: ControlState, service: int, pool: int, requests: float) -> None:
    """Expect so many more of a service's requests in flight in a pool."""
    control.closures[service, pool].coming += requests
    control.pools[pool].coming += requests
