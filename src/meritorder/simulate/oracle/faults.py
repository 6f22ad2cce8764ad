"""Failures, step by step: what falls, what that does to requests, and what comes back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from meritorder.dispatch.update import ended
from meritorder.simulate.faults.outage import (
    DOWN,
    LINK_DOWN,
    LINK_UP,
    PART_DOWN,
    PART_UP,
    SLOW,
    UP,
    Outages,
)
from meritorder.simulate.oracle.request import Request
from meritorder.simulate.result import Status

if TYPE_CHECKING:
    from meritorder.simulate.oracle.run import Oracle


class Faults:
    """What is broken, and what will break."""

    def __init__(self, run: Oracle, outages: Outages) -> None:
        self.run, self.outages = run, outages
        self.to_come = len(outages.outages)
        self.next = 0
        count = len(run.engines)
        self.down = [0] * count  # failures of each replica that are not over
        self.failures = [0] * count  # times that it has fallen
        self.cause = [0] * count  # of its last failure
        self.slowed: list[list[float]] = [[] for _ in range(count)]

    def start(self) -> None:
        """Look forward to the first one."""
        if self.to_come:
            self.run.events.add(float(self.outages.outages[0].time), "fault")

    def happen(self, now: float) -> None:
        """The next one happens, if anybody is left to whom it matters."""
        if self.run.gateway.alive == 0:
            return
        o = self.outages.outages[self.next]
        self.next += 1
        if self.next < self.to_come:
            self.run.events.add(float(self.outages.outages[self.next].time), "fault")
        hit = [int(r) for r in self.outages.hit[o.first : o.first + o.count]]
        if o.kind == DOWN:
            self.fail(dict.fromkeys(hit, int(o.cause)), now)
        elif o.kind == UP:
            self.recover(hit, now)
        elif o.kind in (PART_DOWN, PART_UP):
            assert self.run.site is not None
            if o.factor > 0.0:
                self.run.site.dim_feed(int(o.part), float(o.factor) if o.kind == PART_DOWN else 1.0 / float(o.factor))
            else:
                self.run.site.set_part(int(o.part), o.kind == PART_UP)
        elif o.kind == LINK_DOWN:
            self.run.apart.link_down(int(o.part), int(o.cause))
        elif o.kind == LINK_UP:
            self.run.apart.link_up(int(o.part), now)
        else:
            for replica in hit:
                if o.kind == SLOW:
                    self.slowed[replica].append(float(o.factor))
                else:
                    self.slowed[replica].remove(float(o.factor))
                self.set_pace(replica)

    def set_pace(self, replica: int) -> None:
        """How much longer its coming iterations take: what slows it itself, and a warm row."""
        slow = float(np.prod(self.slowed[replica])) if self.slowed[replica] else 1.0
        warm = self.run.site.stretch(replica) if self.run.site is not None else 1.0
        self.run.engines[replica].stretch = slow * warm

    def fail(self, hit: Mapping[int, int], now: float) -> None:
        """Replicas fall for these causes, all at once: nobody chooses them any more, and their requests are struck."""
        run = self.run
        fallen = []
        for replica, cause in hit.items():
            self.down[replica] += 1
            if self.down[replica] == 1:
                self.cause[replica] = cause
                self.failures[replica] += 1
                run.dispatcher.close(replica)
                if run.site is not None:
                    run.site.tell(replica, run.engines[replica].tell(now))
                fallen.append(replica)
        woken = set()
        for r in run.requests:
            if r.status == 0 and r.place not in ("", "parked", "retrying"):
                if r.replica in fallen:
                    woken.add(self._torn(r, now))
                    if r in run.engines[r.replica].cancels:
                        run.gateway.over(r, Status.CANCELLED, r.finish)
                    else:
                        self.strike(r, self.cause[r.replica], now)
                elif r.decoder in fallen:
                    run.apart.loses_decoder(r, now)
        for replica in fallen:
            if run.engines[replica].boundary < np.inf:
                run.span_s = now
            run.engines[replica].fail(now)
        run.settle()
        for replica in sorted(woken - {-1} - set(fallen)):
            run.wake(replica, now)

    def _torn(self, r: Request, now: float) -> int:
        if self.run.pool(r).role != "both":
            return self.run.apart.torn(r, now)
        self.run.about(r.replica)
        ended(self.run.state, r.replica, r.service, r.new, r.room, 0, r.answered)
        return -1

    def strike(self, r: Request, cause: int, now: float) -> None:
        """A request has lost its replica: it is sent anew once that has been seen, or lost."""
        faults, service = self.run.fleet.faults, list(self.run.fleet.services.values())[r.service]
        r.cause = cause
        r.epoch += 1
        begun = not np.isnan(r.first)
        if service.on_failure == "lose" or (service.on_failure == "retry" and begun) or r.attempts == faults.retries:
            self.run.gateway.over(r, Status.LOST, now)
            return
        r.attempts += 1
        r.place = "retrying"
        self.run.add(now + faults.detection, "again", r)

    def strand(self, r: Request, now: float) -> None:
        """A request finds nobody who could decode it: they are all down."""
        replica = self.run.apart.stranded(r, now)
        self.strike(r, self.cause[replica], now)

    def recover(self, hit: Iterable[int], now: float) -> None:
        """Replicas come back, empty, unless something else keeps them down."""
        opened = False
        for replica in hit:
            self.down[replica] -= 1
            if self.down[replica] == 0:
                self.run.dispatcher.reopen(replica)
                opened = True
        if opened:
            self.run.parking.reopened(now)
