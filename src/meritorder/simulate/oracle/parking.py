"""Requests that wait in the gateway, a list per service: for power, for cheaper hours, or for a replica that is up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from meritorder.dispatch.reasons import NONE_USABLE, POWER_SHORT
from meritorder.simulate.oracle.request import Request

if TYPE_CHECKING:
    from meritorder.simulate.oracle.run import Oracle


class Parking:
    """The lists, first come first served."""

    def __init__(self, run: Oracle) -> None:
        self.run = run
        self.services = list(run.fleet.services.values())
        self.lists: list[list[Request]] = [[] for _ in self.services]

    def may_wait(self, r: Request, reason: int) -> bool:
        """Whether a request that was refused for this reason waits instead."""
        service = self.services[r.service]
        return reason in (NONE_USABLE, POWER_SHORT) and (service.flexible is not None or service.overload == "queue")

    def holds(self, r: Request) -> bool:
        """Whether the controller keeps new requests of its service waiting."""
        return self.run.site is not None and bool(self.run.site.control.services[r.service].hold)

    def enter(self, r: Request, now: float) -> None:
        """A request waits from now on, behind the others."""
        r.place, r.parked = "parked", now
        self.run.mind_patience(r, now)
        self.lists[r.service].append(r)

    def leave(self, r: Request, now: float) -> None:
        """It waits no longer."""
        self.lists[r.service].remove(r)
        r.place, r.parked, r.parked_s = "", np.nan, r.parked_s + (now - r.parked)

    def release(self, now: float, dt: float) -> None:
        """A tick: those may go whose time ends before the next one, and of the others as many as the controller says."""
        assert self.run.site is not None
        for index, service in enumerate(self.services):
            quota = int(self.run.site.control.services[index].release)
            for r in list(self.lists[index]):
                due = service.flexible is not None and r.arrival + service.flexible.within < now + dt
                if due or quota > 0:
                    quota -= not due
                    self.leave(r, now)
                    self.run.dispatch(r, now, may_wait=not due)

    def reopened(self, now: float) -> None:
        """A replica has become usable: everybody who is not held tries once."""
        for waiting in self.lists:
            if waiting and not self.holds(waiting[0]):
                for r in list(waiting):
                    self.leave(r, now)
                    self.run.dispatch(r, now)

    def close(self, now: float) -> None:
        """Nothing will happen any more: those who wait are refused."""
        for waiting in self.lists:
            for r in list(waiting):
                self.leave(r, now)
                self.run.refuse(r, self.run.dispatcher.why_none(r.service, r.prompt + r.output), now)
