"""One emulated replica: the stepwise simulator's engine, with requests that come and go as clients do."""

from __future__ import annotations

import math
from functools import partial

from meritorder.fleet.schema import Pool
from meritorder.perf.replica import Replica
from meritorder.serve.emulate.job import Job
from meritorder.serve.emulate.meter import Meter
from meritorder.serve.emulate.timeline import Timeline
from meritorder.simulate.oracle.engine import Engine


class Machine:
    """A replica's engine on the timeline, with its front end's delays and the network to the client.

    All as `simulate/oracle/run.py` does it, with the same engine.
    """

    def __init__(self, pool: Pool, replica: Replica, network_s: float, timeline: Timeline) -> None:
        """`network_s`: one way between client and site."""
        settings = pool.engine
        self.engine: Engine[Job] = Engine(pool, replica, replica.block_tokens)
        self.meter = Meter(self.engine, replica)
        self._timeline = timeline
        self._network_s = network_s
        self._request_s, self._prompt_token_s = replica.front_end_s(settings)
        self._output_token_s = settings.output_token_overhead

    def ask(self, job: Job, now: float) -> None:
        """A client sends a request."""
        job.arrival = now + self._network_s
        job.place = "transit"
        delay = self._request_s + self._prompt_token_s * job.prompt
        self._timeline.at(job.arrival + delay, lambda when: self._arrive(job, when))

    def leave(self, job: Job) -> None:
        """Its client went away: it ends at once where it waits, after the present iteration where it runs."""
        job.forget_client()
        if job.place in ("running", "back"):
            self.engine.cancels.append(job)
            return
        if job.place == "waiting":
            self.engine.waiting.remove(job)
        job.place = "left" if job.place in ("coming", "left") else ""

    def _arrive(self, job: Job, now: float) -> None:
        if job.place != "transit":
            return  # its client has left
        job.queued = now
        self.engine.wait(job)
        if self.engine.boundary == math.inf:
            self._schedule(now)

    def _schedule(self, now: float) -> None:
        self.engine.schedule(now)
        if self.engine.boundary < math.inf:
            self._timeline.at(self.engine.boundary, self._pass_boundary)

        for job, end in self.engine.asked:
            self._timeline.at(end, partial(self._came, job))

    def _came(self, job: Job, now: float) -> None:
        """A prefix has come back from the slow tier; where its client has left, its room becomes free."""
        idle = self.engine.boundary == math.inf
        if job.place == "coming":
            job.place = "back"
            self.engine.back.append(job)
        elif idle:
            self._give_up_return(job)
        else:
            self.engine.cancels.append(job)
        if idle:
            self._schedule(now)

    def _give_up_return(self, job: Job) -> None:
        self.engine.drop(job)
        job.place = ""

    def _pass_boundary(self, now: float) -> None:
        """An iteration has ended: hand out tokens, let go of who is done or gone."""
        engine = self.engine
        _, done = engine.end_iteration()
        for job in engine.running:
            if job.generated > job.handed:
                self._hand(job, now)
        for job in done:
            self._let_go(job)
            self.meter.ended(job)
        for job in engine.cancels:
            if job.place == "running":  # it may have ended just now
                self._let_go(job)
            elif job.place == "back":
                engine.back.remove(job)
                self._give_up_return(job)
            elif job.place == "left":
                self._give_up_return(job)
        engine.cancels.clear()
        self._schedule(now)

    def _hand(self, job: Job, now: float) -> None:
        """A token leaves the engine; the client has it when the front end is done with it and the network, too."""
        job.handed = job.generated
        self.meter.token(job, now + job.handed * self._output_token_s)
        if not job.each and job.generated < job.output:
            return
        delay = job.handed * self._output_token_s + self._network_s
        if delay > 0.0:
            tokens = job.handed
            self._timeline.at(now + delay, lambda _: job.on_tokens(tokens))
        else:
            job.on_tokens(job.handed)

    def _let_go(self, job: Job) -> None:
        self.engine.running.remove(job)
        self.engine.release(job)
        job.place = ""
