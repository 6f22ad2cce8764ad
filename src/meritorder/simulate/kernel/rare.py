"""Events that most fleets never see: ticks, outages, and requests between two replicas or two memories."""

from __future__ import annotations

from meritorder.compiled import compiled
from meritorder.dispatch.state import FleetState
from meritorder.simulate.kernel.apart import handle_apart
from meritorder.simulate.kernel.memory import FAULT, NOBODY, TICK, SimState, Site
from meritorder.simulate.kernel.outages import next_outage
from meritorder.simulate.kernel.tick import tick


@compiled
def handle_rare(fleet: FleetState, sim: SimState, site: Site, request: int, kind: int, time: float) -> int:
    """Returns the engine that has to be scheduled now, or NOBODY."""
    if kind == TICK:
        tick(fleet, sim, site, time)
        return NOBODY
    if kind == FAULT:
        next_outage(fleet, sim, site, time)
        return NOBODY
    return handle_apart(fleet, sim, request, kind, time)
