"""Flexible services: waiting for cheaper or cleaner hours, and how many may go while power is short."""

from __future__ import annotations

import numpy as np

from meritorder.compiled import compiled, inlined
from meritorder.control.deeds import note
from meritorder.control.engage import takes
from meritorder.control.expect import drop_w, look
from meritorder.control.state import (
    ALL,
    CARBON,
    HOLD,
    HOLD_PRICE,
    PARTS,
    PRICE,
    ControlState,
)
from meritorder.control.zones import excess_at_end, to_come
from meritorder.dispatch.merit_order import keeps_rate
from meritorder.dispatch.power import busy_w
from meritorder.dispatch.state import FleetState
from meritorder.facility.state import FacilityState

PACE = 0.5  # part of the room that is filled in one step


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
        s.idle_s = s.idle_s + dt if s.parked == 0 else 0.0
        s.release = 0
        if s.hold & HOLD_PRICE == 0 and s.parked > 0:
            watts = request_w(control, fleet, service)
            most = min(seats(control, fleet, service), PACE * requests_for(control, fleet, service, watts))
            s.release = int(min(most, float(s.parked)))
            expect(control, fleet, service, s.release * watts)


@compiled
def request_w(control: ControlState, fleet: FleetState, service: int) -> float:
    """Watts of one of a service's requests in flight; of the first one, by the tables."""
    watts = requests = alone = 0.0
    for pool in range(len(control.pools)):
        if takes(fleet, service, pool):
            look(control, fleet, pool)
            p = fleet.pools[pool]
            alone = max(alone, busy_w(fleet, pool, 1, p.mean_new + p.mean_landed + p.mean_output))
        watts += drop_w(control, service, pool)
        requests += control.closures[service, pool].requests
    return watts / requests if requests >= 1.0 and watts > 0.0 else alone


@compiled
def requests_for(control: ControlState, fleet: FleetState, service: int, watts: float) -> float:
    """Further requests that all zones have room for, if they spread over the service's pools by their seats."""
    seats = 0.0
    for pool in range(len(control.pools)):
        if takes(fleet, service, pool):
            seats += fleet.pools[pool].open * fleet.pools[pool].max_sequences
    most = np.inf
    for zone in range(len(control.zones)):
        z = control.zones[zone]
        if z.allowed_w < np.inf and watts > 0.0 and seats > 0.0:
            here = 0.0
            for member in range(z.first, z.first + z.count):
                m = control.members[member]
                if takes(fleet, service, m.pool):
                    here += m.share * fleet.pools[m.pool].open * fleet.pools[m.pool].max_sequences
            if here > 0.0:
                most = min(most, max(-excess_at_end(z), 0.0) / (watts * here / seats))
    return most


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


@compiled
def expect(control: ControlState, fleet: FleetState, service: int, watts: float) -> None:
    """Count the power of requests let go as coming to the service's pools, by their seats."""
    total = 0.0
    for pool in range(len(control.pools)):
        if takes(fleet, service, pool):
            total += fleet.pools[pool].open * fleet.pools[pool].max_sequences
    for pool in range(len(control.pools)):
        if takes(fleet, service, pool) and total > 0.0:
            to_come(control, pool, watts * fleet.pools[pool].open * fleet.pools[pool].max_sequences / total)
