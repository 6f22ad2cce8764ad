"""The buildings and their controller, once a step: what they are told, and what comes of it.

`facility_step` and `control_step` are the kernel's own; how energy is told and orders are carried out is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING


from meritorder.control.build import build_control
from meritorder.control.step import control_step
from meritorder.dispatch.caps import set_cap
from meritorder.facility.build import build_facility, wanted
from meritorder.facility.parts import set_part
from meritorder.facility.step import facility_step
from meritorder.simulate.faults.causes import OVERHEATED, UNPOWERED
from meritorder.simulate.faults.reload import reload_s

if TYPE_CHECKING:
    from meritorder.simulate.oracle.run import Oracle

TOO_HOT = 1  # bit of `rows.tripped`


def site_of(run: Oracle) -> Site | None:
    """The buildings of a fleet; None where nothing is to be known of them."""
    return Site(run) if wanted(run.fleet) else None


class Site:
    """All buildings of a fleet, and what controls them."""

    def __init__(self, run: Oracle) -> None:
        self.run = run
        self.facility = build_facility(run.fleet, run.replicas, span_s=run.trace.duration_s)
        self.control = build_control(run.fleet, run.replicas, self.facility)
        self.dt = run.fleet.control.step
        self.ticks = 0
        self.tables = [
            [replica.table, *(table for table, _ in replica.capped)] for replica in run.replicas
        ]
        self.levels = [0] * len(run.replicas)
        self.reload_s = reload_s(run.fleet, run.replicas)
        self.tripped: dict[int, int] = {}  # what trips each replica that has no power or is too hot
        self.back_at: dict[int, float] = {}  # when it will have loaded its weights again

    def start(self) -> None:
        """Look forward to the first step."""
        self.run.events.add(self.dt, "tick")

    def _seats(self, replica: int) -> list[tuple[int, float]]:
        start, stop = self.facility.seat_of[replica], self.facility.seat_of[replica + 1]
        return [(int(seat.row), float(seat.share)) for seat in self.facility.seats[start:stop]]

    def _pool(self, replica: int) -> int:
        return int(self.run.state.replicas[replica].pool)

    def tell(self, replica: int, joules: float) -> None:
        """A replica has drawn so much above idle."""
        for row, share in self._seats(replica):
            self.facility.rows[row].it_j += joules * share
        self.facility.pools[self._pool(replica)].it_j += joules

    def switch(self, replica: int, *, on: bool) -> None:
        """The machines of a replica draw idle power from now on, or none."""
        idle_w = self.run.replicas[self._pool(replica)].table.idle_w * (1.0 if on else -1.0)
        for row, share in self._seats(replica):
            self.facility.rows[row].idle_w += idle_w * share
        self.facility.pools[self._pool(replica)].idle_w += idle_w

    def stretch(self, replica: int) -> float:
        """How much longer the iterations of a replica take for warmth."""
        return max((float(self.facility.rows[row].stretch) for row, _ in self._seats(replica)), default=1.0)

    def set_part(self, part: int, up: bool) -> None:
        """A part of a building fails or comes back."""
        set_part(self.facility, part, up)

    def tick(self, now: float) -> None:
        """One step of the buildings and of their controller."""
        self.ticks += 1
        for index, engine in enumerate(self.run.engines):
            self.tell(index, engine.tell(now))
        for service, waiting in zip(self.control.services, self.run.parking.lists, strict=True):
            service.parked = len(waiting)
        facility_step(self.facility, now, self.dt)
        control_step(self.control, self.facility, self.run.state, now, self.dt)
        self._obey()
        for replica in range(len(self.run.engines)):
            self.run.faults.set_pace(replica)
        self._trip(now)
        self.run.parking.release(now)
        if self.run.alive:
            self.run.events.add((self.ticks + 1) * self.dt, "tick")

    def next_tick(self) -> float:
        """When the next step is due."""
        return (self.ticks + 1) * self.dt

    def _obey(self) -> None:
        """Carry out what the controller wants, but for the release of requests."""
        run, state = self.run, self.run.state
        for pool, wanted_level in enumerate(self.control.pools.level):
            if wanted_level != self.levels[pool]:
                self.levels[pool] = int(wanted_level)
                set_cap(state, pool, self.levels[pool])
                for replica in range(len(run.engines)):
                    if self._pool(replica) == pool:
                        run.engines[replica].table = self.tables[pool][self.levels[pool]]
                        if not state.replicas[replica].closed:
                            run.dispatcher.changed(replica)
        for pool in range(len(state.pools)):
            state.pools[pool].usd_per_j = self.control.sites[state.pools[pool].site].usd_per_j
        for service in range(len(run.fleet.services)):
            s = state.services[service]
            for c in range(s.first, s.first + s.count):
                state.choices[c].shut = self.control.shut[service, state.choices[c].pool] != 0

    def _trip(self, now: float) -> None:
        """Rows that are too hot or without power take their replicas with them."""
        for replica in range(len(self.run.engines)):
            why = 0
            for row, _ in self._seats(replica):
                why |= int(self.facility.rows[row].tripped)
            if why and replica not in self.tripped:
                if replica in self.back_at:
                    del self.back_at[replica]
                else:
                    self.run.faults.fail([replica], OVERHEATED if why & TOO_HOT else UNPOWERED, now)
                self.tripped[replica] = why
            elif not why and replica in self.tripped:
                del self.tripped[replica]
                self.back_at[replica] = now + float(self.reload_s[self._pool(replica)])
            if replica in self.back_at and self.back_at[replica] <= now:
                del self.back_at[replica]
                self.run.faults.recover([replica], now)
