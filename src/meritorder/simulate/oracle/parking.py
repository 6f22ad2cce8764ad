"""Requests that wait in the gateway, a list per service: for power, for cheaper hours, or for a replica that is up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from meritorder.simulate.oracle.request import Request

if TYPE_CHECKING:
    from meritorder.simulate.oracle.run import Oracle

DAY_S = 86400.0  # longest wait of a request that is not flexible


class Parking:
    """The lists, by arrival."""

    def __init__(self, run: Oracle) -> None:
        self.run = run
        self.lists: list[list[Request]] = [[] for _ in run.fleet.services]
        self.wait_s = [
            service.flexible.within if service.flexible else DAY_S if service.overload == "queue" else 0.0
            for service in run.fleet.services.values()
        ]

    def _waits_until(self, r: Request) -> float:
        return r.arrival + self.wait_s[r.service]

    def may_wait(self, r: Request) -> bool:
        """Whether its time does not end before those who wait are looked at again."""
        return self.wait_s[r.service] > 0.0 and self._waits_until(r) >= self.run.next_tick

    def enter(self, r: Request, now: float) -> None:
        """A request waits from now on."""
        r.place, r.parked = "parked", now
        self.run.gateway.mind_patience(r, now)
        self.lists[r.service].append(r)
        self.lists[r.service].sort(key=lambda w: (w.arrival, w.index))

    def leave(self, r: Request, now: float) -> None:
        """It waits no longer."""
        self.lists[r.service].remove(r)
        r.place, r.parked, r.parked_s = "", np.nan, r.parked_s + (now - r.parked)

    def _send(self, r: Request, now: float) -> None:
        self.leave(r, now)
        r.place = "retrying"
        self.run.add(now, "again", r)

    def _open(self, service: int, quota: int, now: float) -> None:
        """Let the first ones of a service go: as many as the controller says, everybody if none is held."""
        if not self.run.dispatcher.takes(service, 1):
            return
        held = bool(self.run.state.services[service].hold)
        for r in self.lists[service][: quota if held else None]:
            self._send(r, now)

    def release(self, now: float) -> None:
        """A tick: some may go, and in any case those whose time ends before the next one."""
        for index, waiting in enumerate(self.lists):
            site = self.run.site
            self._open(index, int(site.control.services[index].release) if site is not None else 0, now)
            for r in list(waiting):
                if self._waits_until(r) < self.run.next_tick:
                    self._send(r, now)

    def reopened(self, now: float) -> None:
        """A replica has become usable: everybody who is not held tries once."""
        for index in range(len(self.lists)):
            self._open(index, 0, now)
