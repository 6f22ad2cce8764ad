"""Flexible services: waiting for cheaper or cleaner hours, and how many may go while power is short."""

from __future__ import annotations

import numpy as np

from meritorder.compiled import compiled, inlined
from meritorder.control.closing import takes
from meritorder.control.deeds import note
from meritorder.control.expect import look
from meritorder.control.state import (
    ALL,
    CARBON,
    HOLD,
    HOLD_PRICE,
    PARTS,
    PRICE,
    ControlState,
)
from meritorder.control.zones import tried_room
from meritorder.dispatch.merit_order import keeps_rate
from meritorder.dispatch.state import FleetState
from meritorder.facility.state import FacilityState

PACE = 0.5  # part of the room that is filled in one step
HALVINGS = 16


@inlined
def dear(control: ControlState, facility: FacilityState, service: int, site: int) -> int:
    """Why a service does not want a site's electricity now: PRICE, CARBON, or 0."""
    s, f = control.services[service], facility.sites[site]
    if f.usd_per_kwh >= s.price_below:
        return PRICE
    return CARBON if f.kg_per_kwh >= s.carbon_below else 0


@compiled
def shift(control: ControlState, facility: FacilityState, fleet: FleetState, time: float) -> None:
    """Hold services while every site of theirs is too dear or too dirty."""
    for service in range(len(control.services)):
        s = control.services[service]
        if s.price_below == np.inf and s.carbon_below == np.inf:
            continue
        why, first = 0, -1
        for pool in range(len(control.pools)):
            if takes(fleet, service, pool):
                site = control.pools[pool].site
                first = site if first < 0 else first
                reason = dear(control, facility, service, site)
                why = reason
                if reason == 0:
                    break
        before = s.hold & HOLD_PRICE
        s.hold = (s.hold & ~HOLD_PRICE) | (HOLD_PRICE if why != 0 else 0)
        if (s.hold & HOLD_PRICE) != before:
            note(control, first, -1, why, time, HOLD, service, 1 if why != 0 else 0, 0.0)


@compiled
def shut(control: ControlState, facility: FacilityState, fleet: FleetState) -> None:
    """Which pools take no new requests of which services until the next step.

    Of PARTS steps as many are shut as parts are closed, evenly spread; a flexible service that finds one site cheap
    (or clean) enough does not go to the others.
    """
    tick = control.settings[0].tick
    for service in range(len(control.services)):
        s = control.services[service]
        choosy = s.hold & HOLD_PRICE == 0 and (s.price_below < np.inf or s.carbon_below < np.inf)
        for pool in range(len(control.pools)):
            closure = control.closures[service, pool]
            parts = closure.moved + closure.shed
            is_shut = (tick + 1) * parts // PARTS > tick * parts // PARTS
            if choosy and dear(control, facility, service, control.pools[pool].site) != 0:
                is_shut = True
            control.shut[service, pool] = 1 if is_shut else 0


@compiled
def admit(control: ControlState, fleet: FleetState, dt: float) -> None:
    """How many of those waiting may go in this step: as many as power and seats have room for."""
    for service in range(len(control.services)):
        s = control.services[service]
        if s.hold == 0 and s.parked == 0:
            s.release = ALL
            continue
        s.release = 0
        if s.hold & HOLD_PRICE == 0:
            wanted = float(s.parked)
            room = room_for(control, fleet, service, min(wanted, seats(control, fleet, service)))
            s.release = s.parked if room >= wanted else int(PACE * room)
        s.idle_s = s.idle_s + dt if s.release == s.parked else 0.0


@compiled
def room_for(control: ControlState, fleet: FleetState, service: int, most: float) -> float:
    """Further requests, up to `most`, that all zones have power for, spread over the service's pools by their seats."""
    total = 0.0
    for pool in range(len(control.pools)):
        if takes(fleet, service, pool):
            look(control, fleet, pool)
            total += fleet.pools[pool].open * fleet.pools[pool].max_sequences
    low, high = 0.0, most
    for attempt in range(HALVINGS):
        number = most if attempt == 0 else 0.5 * (low + high)
        for pool in range(len(control.pools)):
            if takes(fleet, service, pool) and total > 0.0:
                control.pools[pool].extra = number * fleet.pools[pool].open * fleet.pools[pool].max_sequences / total
        if tried_room(control) >= 0.0:
            low = number
            if attempt == 0:
                break
        else:
            high = number
    for pool in range(len(control.pools)):
        control.pools[pool].extra = 0.0
    return low


@compiled
def seats(control: ControlState, fleet: FleetState, service: int) -> float:
    """Further requests that its pools take without anybody's token rate falling below its target."""
    free = 0.0
    for pool in range(len(control.pools)):
        if takes(fleet, service, pool) and fleet.pools[pool].open > 0:
            p = fleet.pools[pool]
            most = int(p.max_sequences)
            for other in range(len(control.services)):
                if fleet.choice_of[other, pool] >= 0:
                    limit = keeps_rate(fleet, other, pool)
                    most = min(most, limit) if limit > 0 else most
            free += max(p.open * most - p.in_flight, 0)
    return free
