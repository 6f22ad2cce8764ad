"""A request between two replicas, step by step: one computes its prompt, the other decodes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from meritorder.dispatch.update import answered, ended, learn, room_for, sent_on
from meritorder.records import Records
from meritorder.simulate.oracle.engine import Request
from meritorder.simulate.result import Status

if TYPE_CHECKING:
    from meritorder.simulate.oracle.run import Oracle


class Apart:
    """What happens to requests whose prompts are computed apart from decoding."""

    def __init__(self, run: Oracle) -> None:
        self.run, self.state = run, run.state
        self.port = [0.0] * len(run.engines)
        self.pipe = [0.0] * len(run.fleet.links)

    def _about(self, replica: int) -> None:
        """The books of a replica are going to change: those of another one that have are settled first."""
        settings = self.state.settings[0]
        if settings.touched >= 0 and settings.touched != replica:
            self.run.dispatcher.changed(int(settings.touched))
            settings.touched = -1

    def _choice(self, service: int, replica: int) -> Records:
        return self.state.choices[self.state.choice_of[service, self.state.replicas[replica].pool]]

    def asks_first(self, r: Request) -> bool:
        """Whether its decode replica makes room before its prompt is computed."""
        return bool(self._choice(r.service, r.replica).layerwise)

    def handle(self, r: Request, kind: str, now: float) -> None:
        """An event of a request between two replicas."""
        {"ask": self.ask, "release": self.release, "land": self.land}[kind](r, now)

    def set_aside(self, r: Request, now: float) -> None:
        """A request has its first token: its KV cache waits to be sent on."""
        engine = self.run.engines[r.replica]
        r.first = now + self.run.pool(r).engine.output_token_overhead + self.run.half_rtt(r)
        engine.running.remove(r)
        self._about(r.replica)
        done = r.output == 1
        ended(self.state, r.replica, r.service, r.new, r.room, int(done), False)
        if done:
            engine.release(r)
            r.finish, r.status, r.place = r.first, Status.COMPLETED, ""
            if r.decoder >= 0:
                self._let_go(r, "done", now)
            self.run.follow(r)
            return
        r.ready = now
        r.place = "held"
        if r.decoder >= 0:
            self._transfer(r, now)
        else:
            self.run.add(now, "ask", r.index)

    def ask(self, r: Request, now: float) -> None:
        """Choose who decodes it, and ask there for room."""
        if r.place != "held":
            return
        r.leg = int(self._choice(r.service, r.replica).leg)
        region = int(self.run.trace.region[r.index])
        r.decoder, _, _ = self.run.dispatcher.choose(r.leg, region, r.prompt, r.output, [])
        r.room_there = room_for(self.state, r.leg, r.prompt, r.output)
        sent_on(self.state, r.decoder, r.leg, r.prompt, r.room_there)
        r.place = "wanting"
        self.run.engines[r.decoder].wanting.append(r)
        self._wake(r.decoder, now)

    def _wake(self, replica: int, now: float) -> None:
        if self.run.engines[replica].boundary == np.inf:
            self.run.schedule(replica, now)

    def has_room(self, r: Request, now: float) -> None:
        """Its decode replica keeps room: compute its prompt now, or send what is computed."""
        if r.generated == 0:
            r.place = "transit"
            self.run.add(now + self.run.way_in(r), "at engine", r.index)
        else:
            self._transfer(r, now)

    def _transfer(self, r: Request, now: float) -> None:
        way = self._choice(r.leg, r.decoder)
        wire = float(way.request_s + way.token_s * r.prompt)
        begin = max(r.start if way.layerwise else now, self.port[r.replica], self.port[r.decoder])
        if way.pipe >= 0:
            begin = max(begin, self.pipe[way.pipe])
            self.pipe[way.pipe] = begin + wire * float(way.of_pipe)
        end = self.port[r.replica] = self.port[r.decoder] = begin + wire
        if way.layerwise:
            end = max(end, now + wire * float(way.last_layer))
        end += float(way.latency_s)
        r.place, r.transfer = "moving", end - r.ready
        self.run.add(end, "release", r.index)
        self.run.add(end, "land", r.index)

    def release(self, r: Request, now: float) -> None:
        """Its KV cache has left the replica that computed its prompt."""
        engine = self.run.engines[r.replica]
        engine.release(r)
        if engine.waiting:
            self._wake(r.replica, now)

    def land(self, r: Request, now: float) -> None:
        """Its KV cache has come, or the room is not wanted any more."""
        engine = self.run.engines[r.decoder]
        if r.place == "moving":
            r.prefiller, r.replica, r.queued, r.place = r.replica, r.decoder, now, "landed"
            answered(self.state, r.decoder, 0)
            engine.landed.append(r)
        else:
            self._give_up_room(r)
        self._wake(r.decoder, now)

    def _give_up_room(self, r: Request) -> None:
        engine = self.run.engines[r.decoder]
        engine.unowned += engine.blocks(r.prompt)
        engine.reserved -= 1

    def _let_go(self, r: Request, was: str, now: float) -> None:
        """It ended before its decode replica began with it."""
        engine = self.run.engines[r.decoder]
        self._about(r.decoder)
        ended(self.state, r.decoder, r.leg, 0, r.room_there, 0, was == "landed")
        if was == "wanting":
            engine.wanting.remove(r)
        elif was == "landed":
            engine.landed.remove(r)
            self._give_up_room(r)
        elif was != "moving":
            self.run.add(now, "land", r.index)

    def cancel(self, r: Request, was: str, now: float) -> None:
        """Its client has given up."""
        if r.prefiller >= 0 and was != "landed":
            self._about(r.replica)
            ended(self.state, r.replica, r.leg, 0, r.room_there, 0, True)
            return
        if r.generated == 0:
            self._about(r.replica)
            ended(self.state, r.replica, r.service, r.new, r.room, 0, False)
        elif was in ("held", "wanting"):
            self.run.add(now, "release", r.index)
        if r.decoder >= 0:
            self._let_go(r, was, now)

    def complete(self, r: Request) -> None:
        """It has its last token, which the client gets after the first: that came another way."""
        r.finish = max(r.finish, r.first)
        ended(self.state, r.replica, r.leg, 0, r.room_there, r.output, True)
        learn(self.state.services[r.service], r.output)
