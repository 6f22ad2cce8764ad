"""The kernel's memory of what stands around the machines, before the first event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from meritorder.dispatch.state import FleetState
from meritorder.fleet.schema import Fleet
from meritorder.perf.replica import Replica
from meritorder.records import Records, records
from meritorder.simulate.around import Around
from meritorder.simulate.kernel.event_heap import add_event
from meritorder.simulate.kernel.memory import (
    CONTINUE,
    FAULT,
    HEALTH,
    LOSE,
    MACHINE,
    NOBODY,
    PARKING,
    RETRY,
    ROW_SEEN,
    TICK,
    Site,
)

# Requests that queue wait for a machine to come back, but not longer than this.
LONGEST_WAIT_S = 86_400.0

_ON_FAILURE = {"lose": LOSE, "retry": RETRY, "continue": CONTINUE}


def surround(
    fleet: Fleet, state: FleetState, replicas: Sequence[Replica], about: Around, requests: int
) -> dict[str, Any]:
    """The fields of `SimState` that surroundings have, for `requests` requests."""
    health = records(len(state.replicas), HEALTH)
    health.slow[:] = health.warm[:] = 1.0
    health.back_at[:] = -1.0
    machines = records(len(fleet.pools), MACHINE)
    machines.idle_w[:] = [replica.table.idle_w for replica in replicas]
    machines.reload_s[:] = about.reload_s
    machines.weight[:] = about.weights
    return {
        "health": health,
        "machines": machines,
        "parking": _parking(fleet),
        "parked_s": np.zeros(requests * about.ticks),
        "struck": np.zeros(requests * about.ticks, np.int32),
    }


def site_of(about: Around) -> Site:
    """What the kernel sees of the surroundings."""
    rows_seen = records(len(about.facility.rows), ROW_SEEN)
    rows_seen.stretch[:] = 1.0
    return Site(about.outages.outages, about.outages.hit, rows_seen, about.facility, about.control)


def set_out(fleet: Fleet, about: Around, clock: Records, events: Records) -> None:
    """The first tick and the first outage."""
    c = clock[0]
    c.detection_s, c.retries = fleet.faults.detection, fleet.faults.retries
    add = getattr(add_event, "py_func", add_event)
    if about.ticks:
        c.step_s = c.next_tick = fleet.control.step
        add(events, clock, float(c.next_tick), 0, TICK)
    if len(about.outages.outages):
        add(events, clock, float(about.outages.outages[0].time), 0, FAULT)


def _parking(fleet: Fleet) -> Records:
    parking = records(len(fleet.services), PARKING)
    parking.head[:] = parking.tail[:] = NOBODY
    for queue, service in zip(parking, fleet.services.values(), strict=True):
        if service.flexible is not None:
            queue.wait_s = service.flexible.within
        elif service.overload == "queue":
            queue.wait_s = LONGEST_WAIT_S
        queue.on_failure = _ON_FAILURE[service.on_failure]
    return parking
