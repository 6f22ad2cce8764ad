"""The stepwise simulator: plain Python, one iteration at a time, slow and obvious. The kernel must equal it.

It shares with the kernel the IterationTables, the predictions and the accounting of dispatch (dispatch/predict.py,
dispatch/update.py); engines, queues, prefix caches and the search for a replica are written anew, without any trick.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from meritorder.dispatch.reasons import SHED as SHED_REASON
from meritorder.dispatch.reasons import TOO_LONG
from meritorder.dispatch.update import answered, ended, room_for, sent
from meritorder.fleet.dispatch import Dispatch
from meritorder.fleet.schema import Fleet, Pool
from meritorder.perf.replica import Replica
from meritorder.simulate.oracle.apart import Apart
from meritorder.simulate.oracle.dispatch import Dispatcher
from meritorder.simulate.oracle.engine import Engine, Request
from meritorder.simulate.result import Status
from meritorder.simulate.services import services_of
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
    ) -> None:
        self.fleet, self.trace = fleet, trace
        dispatch = policy or fleet.dispatch
        self.state = start(fleet, replicas, dispatch, trace, seed)
        self.dispatcher = Dispatcher(self.state, seed)
        self.pools = list(fleet.pools.values())
        self.front = [replica.front_end_s(pool.engine) for pool, replica in zip(self.pools, replicas, strict=True)]
        self.engines: list[Engine[Request]] = [
            Engine(pool, replica, trace.block_tokens)
            for pool, replica in zip(self.pools, replicas, strict=True)
            for _ in range(pool.replicas)
        ]
        services = list(fleet.services.values())
        self.requests = [
            Request(
                index=i,
                prompt=int(trace.prompt_tokens[i]),
                output=int(trace.output_tokens[i]),
                service=int(service),
                priority=services[service].priority,
                units=list(self._units(i)),
            )
            for i, service in enumerate(services_of(fleet, trace, seed))
        ]
        self.followers: dict[int, list[int]] = {}
        for i, before in enumerate(trace.after):
            self.followers.setdefault(int(before), []).append(i)
        self.events: list[tuple[float, int, str, int]] = []
        self.order = 0
        self.apart = Apart(self)

    def _units(self, i: int) -> Iterator[int]:
        if self.trace.block_tokens:
            start, stop = self.trace.block_start[i], self.trace.block_start[i + 1]
            full = self.trace.prompt_tokens[i] // self.trace.block_tokens
            yield from (int(unit) for unit in self.trace.blocks[start : min(stop, start + full)])

    def add(self, time: float, kind: str, request: int) -> None:
        """Something happens at a time of its own."""
        self.order += 1
        heapq.heappush(self.events, (time, self.order, kind, request))

    def run(self) -> None:
        """Handle all events in the order of time: arrivals, then others, then boundaries of engines."""
        by_clock = sorted(
            (float(self.trace.arrival_s[i]), i) for i in range(len(self.requests)) if self.trace.after[i] < 0
        )
        by_clock.reverse()
        while True:
            arrival = by_clock[-1][0] if by_clock else np.inf
            event = self.events[0][0] if self.events else np.inf
            engine = min(range(len(self.engines)), key=lambda e: self.engines[e].boundary)
            boundary = self.engines[engine].boundary
            if arrival == event == boundary == np.inf:
                break
            if arrival <= event and arrival <= boundary:
                self.dispatch(self.requests[by_clock.pop()[1]], arrival)
            elif event <= boundary:
                time, _, kind, i = heapq.heappop(self.events)
                r = self.requests[i]
                if kind == "give up":
                    self.give_up(r, time)
                elif kind == "next turn":
                    self.dispatch(r, time)
                elif kind == "at engine":
                    if r.place == "transit":
                        self.arrive(r, time)
                elif kind == "came":
                    self.came(r, time)
                else:
                    self.apart.handle(r, kind, time)
            else:
                self.pass_boundary(engine, boundary)
            if self.state.settings[0].touched >= 0:
                self.dispatcher.changed(int(self.state.settings[0].touched))
                self.state.settings[0].touched = -1
        for r in self.requests:
            if r.status == 0:
                r.status = Status.UNREACHED
            if r.prefiller >= 0:
                r.replica = r.prefiller

    def half_rtt(self, r: Request) -> float:
        """Seconds from the client to the site of that pool."""
        pool = self.state.replicas[r.replica].pool
        return 0.5 * float(self.state.rtt_s[self.trace.region[r.index], self.state.pools[pool].site])

    def pool(self, r: Request) -> Pool:
        """The pool of the replica that a request is at."""
        return self.pools[self.state.replicas[r.replica].pool]

    def dispatch(self, r: Request, now: float) -> None:
        """Choose a replica and send the request there, or refuse it."""
        r.arrival = now
        start, stop = self.trace.block_start[r.index], self.trace.block_start[r.index + 1]
        blocks = [int(b) for b in self.trace.blocks[start:stop]]
        replica, cached, reason = self.dispatcher.choose(
            r.service, int(self.trace.region[r.index]), r.prompt, r.output, blocks
        )
        r.reason = reason
        if replica < 0:
            assert reason in (TOO_LONG, SHED_REASON)
            r.status = Status.TOO_LONG if reason == TOO_LONG else Status.SHED
            r.finish = now
            return
        r.replica, r.new = replica, r.prompt - cached
        whole = self.pool(r).role == "both"
        r.room = room_for(self.state, r.service, r.prompt, r.output) if whole else r.prompt
        sent(self.state, replica, r.service, r.new, r.room)
        self.dispatcher.remember(blocks, replica)
        patience = min(
            float(self.trace.cancel_s[r.index]),
            list(self.fleet.services.values())[r.service].patience or np.inf,
        )
        if patience < np.inf:
            self.add(now + float(np.float32(patience)), "give up", r.index)
        delay = self.way_in(r)
        if not whole and self.apart.asks_first(r):
            r.place = "held"
            self.add(now, "ask", r.index)
            return
        r.place = "transit"
        if delay > 0:
            self.add(now + delay, "at engine", r.index)
        else:
            self.arrive(r, now)

    def way_in(self, r: Request) -> float:
        """Seconds from the gateway to the engine."""
        request, token = self.front[self.state.replicas[r.replica].pool]
        return request + token * r.prompt + self.half_rtt(r)

    def schedule(self, index: int, now: float) -> None:
        """Let an engine decide what it does next; whom it gives room is on its way."""
        engine = self.engines[index]
        engine.schedule(now)
        for r in engine.granted:
            self.apart.has_room(r, now)
        for r, end in engine.asked:
            self.add(end, "came", r.index)

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
        r.queued = now
        engine.wait(r)
        if engine.boundary == np.inf:
            self.schedule(r.replica, now)

    def end(self, r: Request, status: Status, output: int, now: float) -> None:
        """A request is over, for the gateway too."""
        was, r.status, r.place = r.place, status, ""
        if self.pool(r).role == "both":
            ended(self.state, r.replica, r.service, r.new, r.room, output, not np.isnan(r.first))
        elif status == Status.COMPLETED:
            self.apart.complete(r)
        else:
            self.apart.cancel(r, was, now)

    def pass_boundary(self, index: int, now: float) -> None:
        """An iteration has ended."""
        engine = self.engines[index]
        from_prompt, done = engine.end_iteration()
        if self.pools[self.state.replicas[index].pool].role == "prefill":
            for r in from_prompt:
                self.apart.set_aside(r, now)
            from_prompt, done = [], []
        for r in from_prompt:
            if np.isnan(r.first):
                r.first = now + self.pool(r).engine.output_token_overhead + self.half_rtt(r)
                answered(self.state, index, r.new)
        for r in done:
            engine.running.remove(r)
            # the newest token was never put into the KV cache
            engine.release(r)
            r.finish = now + r.output * self.pool(r).engine.output_token_overhead + self.half_rtt(r)
            self.end(r, Status.COMPLETED, r.output, now)
            self.follow(r)
        for r in reversed(engine.cancels):
            if r.place == "running":
                engine.running.remove(r)
                engine.release(r)
            elif r.place == "back":
                engine.back.remove(r)
                engine.drop(r)
            elif r.place == "left":
                engine.drop(r)
                r.place = ""
            if r.place:
                self.end(r, Status.CANCELLED, 0, now)
        engine.cancels.clear()
        self.schedule(index, now)

    def follow(self, r: Request) -> None:
        """A request has ended: those that wait for it come after their think time."""
        for i in self.followers.get(r.index, []):
            self.add(r.finish + float(self.trace.think_s[i]), "next turn", i)

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
        coming = r.place == "coming"
        self.end(r, Status.CANCELLED, 0, now)
        if coming:
            r.place = "left"

    def column(self, name: str) -> npt.NDArray[np.float64]:
        """A field of all requests, in the order of the trace."""
        return np.array([getattr(r, name) for r in self.requests], np.float64)
