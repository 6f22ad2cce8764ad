"""The buildings of a live fleet and its controller, fed from the books; what it orders goes back into them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from meritorder.control.build import build_control
from meritorder.control.state import OVER, TO_COME, ControlState
from meritorder.control.step import control_step
from meritorder.dispatch.build import build_state
from meritorder.facility.build import build_facility, wanted
from meritorder.facility.state import FacilityState
from meritorder.facility.step import facility_step
from meritorder.fleet.control import DemandResponse
from meritorder.fleet.schema import Fleet
from meritorder.perf.replica import Replica
from meritorder.serve.books.books import Books
from meritorder.serve.books.place import limit_power
from meritorder.serve.books.state import BLOCK_TOKENS, regions_of

SPARE_EVENTS = 16  # load targets that may be under way at a time, beside those of the fleet file
_ANY_W = 1e15  # a limit that never binds: a site that has none may still be given a load target
_COPIED = ("pools", "replicas", "services", "choices", "mix")


class LiveSites:
    """Sites of one generation. Its `step` is for one thread at a time."""

    def __init__(self, fleet: Fleet, replicas: Sequence[Replica], books: Books) -> None:
        self.fleet, self.books = fleet, books
        # a pool is capped only where its endpoint says how
        mine = [
            replica if pool.endpoint is not None and pool.endpoint.power is not None else replace(replica, capped=())
            for pool, replica in zip(fleet.pools.values(), replicas, strict=True)
        ]
        self.state = build_state(fleet, replicas, fleet.dispatch, regions=regions_of(fleet), prefix_tokens=BLOCK_TOKENS)
        now = fleet.model_copy(update={"start": datetime.now(UTC)})
        self.facility: FacilityState = build_facility(now if wanted(fleet) else _bounded(now), replicas, bins=64)
        self.control: ControlState = build_control(fleet, mine, self.facility, spare_events=SPARE_EVENTS)
        self._seats = self._seats_of_pools()
        self.time = 0.0

    def step(self, measured: Mapping[int, float], waiting: Sequence[int], dt: float) -> list[tuple[int, int]]:
        """Look, and put orders into the books; returns (pool, level) of the power limits that are wanted otherwise.

        `measured`: IT watts of pools whose drivers tell; others are predicted. `waiting`: queued requests by service.
        """
        live = self.books.live
        with self.books.lock:
            for name in _COPIED:
                getattr(self.state, name)[:] = getattr(live.fleet, name)
            watts = live.watts.copy()
            limits = live.sites.limit_w.copy()
        for p, pool in enumerate(self.state.pools):
            predicted = float(watts[pool.first : pool.first + pool.count].sum())
            idle = float(self.facility.pools[p].idle_w)
            self._tell(p, max(measured[p] - idle, 0.0) * dt if p in measured else predicted * dt)
        self.facility.sites.it_limit_w[:] = limits
        self.time += dt
        facility_step(self.facility, self.time, dt)
        use = self.facility.pools
        use.it_total_j += use.idle_w * dt + use.it_j
        use.it_j[:] = 0.0
        self.control.services.parked[:] = waiting
        control_step(self.control, self.facility, self.state, self.time, dt)
        self._order()
        return [
            (p, int(pool.level)) for p, pool in enumerate(self.control.pools) if pool.level != self.state.pools[p].cap
        ]

    def capped(self, pool: int, level: int) -> None:
        """The driver has set a power limit: predictions go by it from now on."""
        with self.books.lock:
            limit_power(self.books.block, pool, level)

    def ask(self, site: int, wish: DemandResponse) -> bool:
        """Take on a load target from now on; False: too many are under way."""
        free = np.flatnonzero(self.control.events.state == OVER)
        if len(free) == 0:
            return False
        event = self.control.events[free[0]]
        event.site, event.start, event.stop = site, self.time, self.time + wish.duration
        event.kept_by, event.reduce, event.limit_w = self.time + wish.within, wish.reduce or 0.0, wish.limit or 0.0
        event.state = TO_COME
        return True

    def _order(self) -> None:
        """Shut pools, held services and prices of energy, into the books."""
        fleet = self.books.live.fleet
        with self.books.lock:
            for p, pool in enumerate(fleet.pools):
                pool.usd_per_j = self.control.sites[self.control.pools[p].site].usd_per_j
            for s, order in enumerate(self.control.services):
                service = fleet.services[s]
                service.hold = 0 if order.hold == 0 else 1 + min(int(order.release), 1 << 20)
                for c in range(service.first, service.first + service.count):
                    fleet.choices[c].shut = self.control.shut[s, fleet.choices[c].pool]

    def _tell(self, pool: int, joules: float) -> None:
        rows, shares = self._seats[pool]
        self.facility.pools[pool].it_j += joules
        np.add.at(self.facility.rows.it_j, rows, joules * shares)

    def _seats_of_pools(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each pool the rows that it stands in, and the shares of its power drawn there."""
        found = []
        for pool in self.state.pools:
            first, stop = self.facility.seat_of[pool.first], self.facility.seat_of[pool.first + pool.count]
            seats = self.facility.seats[first:stop]
            found.append((np.array(seats.row), np.array(seats.share) / pool.count))
        return found


def _bounded(fleet: Fleet) -> Fleet:
    sites = {name: site.model_copy(update={"power_limit": _ANY_W}) for name, site in fleet.sites.items()}
    return fleet.model_copy(update={"sites": sites})
