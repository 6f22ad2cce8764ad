"""The buildings and their controller, once a step: what they are told, and what comes of it.

`facility_step` and `control_step` are the kernel's own; how energy is told and orders are carried out is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from meritorder.control.step import control_step
from meritorder.dispatch.caps import set_cap
from meritorder.facility.parts import dim_feed, set_part
from meritorder.facility.state import TOO_HOT
from meritorder.facility.step import facility_step
from meritorder.simulate.around import Around
from meritorder.simulate.faults.causes import OVERHEATED, UNPOWERED

if TYPE_CHECKING:
    from meritorder.simulate.oracle.run import Oracle


class Site:
    """All buildings of a fleet, and what controls them."""

    def __init__(self, run: Oracle, about: Around) -> None:
        self.run, self.facility, self.control = run, about.facility, about.control
        self.weights = [float(weight) for weight in about.weights]  # by pool: machines that a simulated one stands for
        self.tables = [[replica.table, *(table for table, _ in replica.capped)] for replica in run.replicas]
        self.levels = [0] * len(run.replicas)
        self.reload_s = about.reload_s
        # replicas that are off for their rows, and when each will have loaded its weights again; infinity: not known
        self.back_at: dict[int, float] = {}
        self.up = [True] * len(run.engines)

    def _seats(self, replica: int) -> list[tuple[int, float]]:
        start, stop = self.facility.seat_of[replica], self.facility.seat_of[replica + 1]
        return [(int(seat.row), float(seat.share)) for seat in self.facility.seats[start:stop]]

    def _pool(self, replica: int) -> int:
        return int(self.run.state.replicas[replica].pool)

    def tell(self, replica: int, joules: float) -> None:
        """A replica has drawn so much above idle, and so have those that it stands for."""
        joules *= self.weights[self._pool(replica)]
        for row, share in self._seats(replica):
            self.facility.rows[row].it_j += joules * share
        self.facility.pools[self._pool(replica)].it_j += joules

    def _idle(self) -> None:
        """Machines draw idle power where they are up: add it up anew after some have failed or come back."""
        up = [down == 0 for down in self.run.faults.down]
        if up == self.up:
            return
        self.up = up
        self.facility.rows.idle_w[:] = 0.0
        self.facility.pools.idle_w[:] = 0.0
        for replica in map(int, np.flatnonzero(up)):
            pool = self._pool(replica)
            idle_w = self.run.replicas[pool].table.idle_w * self.weights[pool]
            self.facility.pools[pool].idle_w += idle_w
            for row, share in self._seats(replica):
                self.facility.rows[row].idle_w += idle_w * share

    def stretch(self, replica: int) -> float:
        """How much longer the iterations of a replica take for warmth."""
        return max((float(self.facility.rows[row].stretch) for row, _ in self._seats(replica)), default=1.0)

    def set_part(self, part: int, up: bool) -> None:
        """A part of a building fails or comes back."""
        set_part(self.facility, part, up)

    def dim_feed(self, part: int, left: float) -> None:
        """A feed carries only a part of what it did, or again all of it."""
        dim_feed(self.facility, part, left)

    def tick(self, now: float, dt: float) -> None:
        """One step of the buildings and of their controller."""
        for index, engine in enumerate(self.run.engines):
            self.tell(index, engine.tell(now))
        self._idle()
        for service, waiting in zip(self.control.services, self.run.parking.lists, strict=True):
            service.parked = len(waiting)
        facility_step(self.facility, now, dt)
        control_step(self.control, self.facility, self.run.state, now, dt)
        self._obey()
        for replica in range(len(self.run.engines)):
            self.run.faults.set_pace(replica)
        self._trip(now)

    def end(self, now: float) -> None:
        """The run is over: the buildings take what was drawn since the last tick."""
        left = now - float(self.facility.clock[0].now_s)
        if left > 0.0:
            facility_step(self.facility, now, left)

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
            state.services[service].hold = self.control.services[service].hold
            s = state.services[service]
            for c in range(s.first, s.first + s.count):
                state.choices[c].shut = self.control.shut[service, state.choices[c].pool] != 0

    def _trip(self, now: float) -> None:
        """Rows that are too hot or without power take their replicas with them, which come back later than they."""
        bits = [0] * len(self.run.engines)
        for replica in range(len(bits)):
            for row, _ in self._seats(replica):
                bits[replica] |= int(self.facility.rows[row].tripped)
        tripped = [replica for replica, why in enumerate(bits) if why]
        fall = {r: OVERHEATED if bits[r] & TOO_HOT else UNPOWERED for r in tripped if r not in self.back_at}
        self.back_at |= dict.fromkeys(tripped, np.inf)
        if fall:
            self.run.faults.fail(fall, now)
        for replica, back_at in self.back_at.items():
            if not bits[replica] and back_at == np.inf:
                self.back_at[replica] = now + float(self.reload_s[self._pool(replica)])
        back = sorted(replica for replica, back_at in self.back_at.items() if back_at <= now)
        for replica in back:
            del self.back_at[replica]
        self.run.faults.recover(back, now)
