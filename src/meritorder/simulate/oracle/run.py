"""The stepwise simulator: plain Python, one iteration at a time, slow and obvious. The kernel must equal it.

It shares with the kernel the IterationTables, the predictions and the accounting of dispatch (dispatch/predict.py,
dispatch/update.py), the building and its controller (facility/, control/); engines, queues, prefix caches, the search
for a replica, failures and the gateway's queues are written anew, without any trick.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from meritorder.dispatch.update import ended
from meritorder.fleet.dispatch import Dispatch
from meritorder.fleet.schema import Fleet, Pool
from meritorder.perf.replica import Replica
from meritorder.simulate.around import around
from meritorder.simulate.faults.outage import Outages
from meritorder.simulate.oracle.apart import Apart
from meritorder.simulate.oracle.boundary import learn_speed, pass_boundary
from meritorder.simulate.oracle.dispatch import Dispatcher
from meritorder.simulate.oracle.engine import Engine
from meritorder.simulate.oracle.events import Event, Events
from meritorder.simulate.oracle.faults import Faults
from meritorder.simulate.oracle.gateway import Gateway
from meritorder.simulate.oracle.network import Egress
from meritorder.simulate.oracle.parking import Parking
from meritorder.simulate.oracle.request import Request, requests_of
from meritorder.simulate.oracle.site import Site
from meritorder.simulate.result import Status
from meritorder.simulate.sample import sample_of
from meritorder.simulate.start import start
from meritorder.workload.trace import Trace


class Oracle:
    """A run of a trace on a fleet, step by step."""

    def __init__(
        self,
        fleet: Fleet,
        trace: Trace,
        replicas: tuple[Replica, ...],
        policy: Dispatch | None = None,
        seed: int = 0,
        outages: Outages | None = None,
        sample: int = 1,
    ) -> None:
        whole, part = fleet, sample_of(fleet, trace, sample, seed)
        fleet, trace = part.fleet, part.trace
        self.fleet, self.trace, self.replicas = fleet, trace, replicas
        dispatch = policy or fleet.dispatch
        self.state = start(fleet, replicas, dispatch, trace, seed)
        self.dispatcher = Dispatcher(self.state, seed)
        self.pools = list(fleet.pools.values())
        self.engines: list[Engine[Request]] = [
            Engine(pool, replica, trace.block_tokens)
            for pool, replica in zip(self.pools, replicas, strict=True)
            for _ in range(pool.replicas)
        ]
        self.requests = requests_of(fleet, trace, seed)
        self.now = 0.0  # the last event
        self.span_s = 0.0  # the last one of a request, later the end of the run
        self.step, self.ticks = fleet.control.step, 0
        self.events = Events()
        self.apart = Apart(self)
        self.egress = Egress(fleet)
        self.gateway = Gateway(self)
        self.parking = Parking(self)
        about = around(whole, replicas, trace.duration_s, seed, outages, part.counts)
        self.site = Site(self, about) if len(about.facility.sites) else None
        self.faults = Faults(self, about.outages)

    def add(self, time: float, kind: str, r: Request, replica: int = -1) -> None:
        """Something happens to a request, unless a failure comes between; `replica`: whose memory it frees."""
        failures = self.faults.failures[replica] if replica >= 0 else 0
        self.events.add(time, kind, r.index, r.epoch, replica, failures)

    def run(self) -> None:
        """Handle all events in the order of time: arrivals, then others, then boundaries of engines."""
        by_clock = sorted(
            (float(self.trace.arrival_s[i]), i) for i in range(len(self.requests)) if self.trace.after[i] < 0
        )
        by_clock.reverse()
        self.gateway.alive = len(by_clock)
        if self.site is not None or self.faults.to_come:
            self.events.add(self.step, "tick")
        self.faults.start()
        while True:
            arrival = by_clock[-1][0] if by_clock else np.inf
            event = self.events.next_s
            engine = min(range(len(self.engines)), key=lambda e: self.engines[e].boundary)
            boundary = self.engines[engine].boundary
            if arrival == event == boundary == np.inf:
                break
            self.now = min(arrival, event, boundary)
            if arrival <= event and arrival <= boundary:
                self.gateway.come(self.requests[by_clock.pop()[1]], arrival)
            elif event <= boundary:
                self.happen(self.events.pop())
            else:
                pass_boundary(self, engine, boundary)
            self.settle()
        self.apart.close(self.now)
        for r in self.requests:
            if r.status == 0:
                assert r.place == "", f"request {r.index} never ended"
                r.status = Status.UNREACHED
            if r.status not in (Status.LOST, Status.SHED):
                r.cause = 0
            if r.prefiller >= 0:
                r.replica = r.prefiller
        self.span_s = max([self.span_s, *(r.finish for r in self.requests if not np.isnan(r.finish))])
        if self.site is not None:
            self.site.end(self.span_s)

    def happen(self, event: Event) -> None:
        """Handle an event."""
        kind, now = event.kind, event.time
        if kind == "tick":
            self.tick(now)
        elif kind == "fault":
            self.faults.happen(now)
        elif not self._void(event):
            r = self.requests[event.request]
            if kind == "give up":
                self.give_up(r, now)
            elif kind == "next turn":
                self.gateway.come(r, now)
            elif kind == "again":
                if r.place == "retrying":
                    self.gateway.dispatch(r, now)
            elif kind == "at engine":
                if r.place == "transit":
                    self.arrive(r, now)
            elif kind == "came":
                self.came(r, now)
            else:
                self.apart.handle(r, kind, now)

    def tick(self, now: float) -> None:
        """Once a step: the buildings, their controller, and those who wait in the gateway."""
        if not self.gateway.alive:
            return
        self.ticks += 1
        if self.site is not None:
            self.site.tick(now, self.step)
        self.parking.release(now)
        self.events.add(self.next_tick, "tick")

    @property
    def next_tick(self) -> float:
        """When the next step is due."""
        return (self.ticks + 1) * self.step

    def _void(self, event: Event) -> bool:
        late = event.epoch >= 0 and event.epoch != self.requests[event.request].epoch
        return late or (event.replica >= 0 and event.failures != self.faults.failures[event.replica])

    def settle(self) -> None:
        """The books of a replica may have changed: put it where it now belongs."""
        settings = self.state.settings[0]
        if settings.touched >= 0:
            self.dispatcher.changed(int(settings.touched))
            self.dispatcher.renew(int(self.state.replicas[settings.touched].pool))
            settings.touched = -1

    def about(self, replica: int) -> None:
        """The books of a replica are going to change: those of another one that have are settled first."""
        if self.state.settings[0].touched != replica:
            self.settle()

    def half_rtt(self, r: Request) -> float:
        """Seconds from the client to the site of that pool."""
        pool = self.state.replicas[r.replica].pool
        return 0.5 * float(self.state.rtt_s[self.trace.region[r.index], self.state.pools[pool].site])

    def pool(self, r: Request) -> Pool:
        """The pool of the replica that a request is at."""
        return self.pools[self.state.replicas[r.replica].pool]

    def schedule(self, index: int, now: float) -> None:
        """Let an engine decide what it does next; whom it gives room is on its way."""
        self.span_s = now
        engine = self.engines[index]
        engine.schedule(now)
        for r in engine.granted:
            self.apart.has_room(r, now)
        for r, end in engine.asked:
            self.add(end, "came", r, r.replica)

    def wake(self, index: int, now: float) -> None:
        """Something has come to a replica: if it idles, it looks at it now."""
        if self.engines[index].boundary == np.inf:
            self.schedule(index, now)

    def came(self, r: Request, now: float) -> None:
        """A prefix has come back from the slow tier, if anybody still wants it."""
        engine = self.engines[r.replica]
        idle = engine.boundary == np.inf
        if r.place == "coming":
            r.place = "back"
            engine.back.append(r)
        elif idle:
            r.place = ""
            engine.drop(r)
        else:
            engine.cancels.append(r)
        if idle:
            self.schedule(r.replica, now)

    def arrive(self, r: Request, now: float) -> None:
        """A request reaches its engine."""
        engine = self.engines[r.replica]
        r.queued = self.span_s = now
        engine.wait(r)
        if engine.boundary == np.inf:
            self.schedule(r.replica, now)

    def end(self, r: Request, status: Status, output: int, now: float) -> None:
        """A request is over, for the gateway too."""
        was = r.place
        self.gateway.over(r, status, r.finish)
        if status == Status.COMPLETED:
            learn_speed(self, r.replica)
        if self.pool(r).role == "both":
            ended(self.state, r.replica, r.service, r.new, r.room, output, r.answered)
        elif status == Status.COMPLETED:
            self.apart.complete(r)
        else:
            self.apart.cancel(r, was, now)

    def give_up(self, r: Request, now: float) -> None:
        """A client cancels."""
        if r.place == "":
            return
        r.finish = now
        if r.place in ("running", "back"):
            self.engines[r.replica].cancels.append(r)
            return
        if r.place == "waiting":
            self.engines[r.replica].waiting.remove(r)
        if r.place in ("parked", "retrying"):
            if r.place == "parked":
                self.parking.leave(r, now)
            self.gateway.over(r, Status.CANCELLED, now)
            return
        coming = r.place == "coming"
        self.end(r, Status.CANCELLED, 0, now)
        if coming:
            r.place = "left"

    def column(self, name: str) -> npt.NDArray[np.float64]:
        """A field of all requests, in the order of the trace."""
        return np.array([getattr(r, name) for r in self.requests], np.float64)
