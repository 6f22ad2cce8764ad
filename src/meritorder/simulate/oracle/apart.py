"""A request between two replicas, step by step: one computes its prompt, the other decodes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from meritorder.dispatch.update import answered, ended, learn, room_for, sent_on
from meritorder.fleet.links import links_between
from meritorder.records import Records
from meritorder.simulate.oracle.boundary import delivered, learn_speed
from meritorder.simulate.oracle.request import Request
from meritorder.simulate.result import Status

if TYPE_CHECKING:
    from meritorder.simulate.oracle.run import Oracle


class Apart:
    """What happens to requests whose prompts are computed apart from decoding."""

    def __init__(self, run: Oracle) -> None:
        self.run, self.state = run, run.state
        self.port = [0.0] * len(run.engines)
        links = len(run.fleet.links)
        self.links = {name: link.model_dump() for name, link in run.fleet.links.items()}
        self.places = {name: {"site": pool.site} for name, pool in run.fleet.pools.items()}
        self.pipe = [0.0] * links
        self.links_down = [0] * links
        self.link_cause = [0] * links  # of the last failure
        self.stalled: list[list[Request]] = [[] for _ in range(links)]  # whose transfer waits until the link is up

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
        if np.isnan(r.first):
            r.first = now + self.run.pool(r).engine.output_token_overhead + self.run.half_rtt(r)
        engine.running.remove(r)
        self.run.about(r.replica)
        learn_speed(self.run, r.replica)
        done = r.generated == r.output
        ended(self.state, r.replica, r.service, r.new, r.room, int(done), False)
        r.ready = now
        if done:
            engine.release(r)
            self.run.gateway.over(r, Status.COMPLETED, delivered(self.run, r, now))
            if r.decoder >= 0:
                self._let_go(r, "done", now)
            self.run.gateway.follow(r)
            return
        r.place = "held"
        if r.decoder >= 0:
            self._transfer(r, now, ahead=True)
        else:
            self.run.add(now, "ask", r)

    def ask(self, r: Request, now: float) -> None:
        """Choose who decodes it, and ask there for room."""
        if r.place != "held":
            return
        r.leg = int(self._choice(r.service, r.replica).leg)
        region, rest = int(self.run.trace.region[r.index]), r.prompt + r.output - r.base
        decoder, _, _ = self.run.dispatcher.choose(r.leg, region, r.base, rest, [])
        if decoder < 0:
            self.run.faults.strand(r, now)
            return
        r.decoder = decoder
        r.room_there = room_for(self.state, r.leg, r.base, rest)
        sent_on(self.state, r.decoder, r.leg, r.base, r.room_there)
        r.place = "wanting"
        self.run.engines[r.decoder].wanting.append(r)
        self.run.wake(r.decoder, now)

    def has_room(self, r: Request, now: float) -> None:
        """Its decode replica keeps room: compute its prompt now, or send what is computed."""
        if np.isnan(r.ready):
            r.place = "transit"
            self.run.add(now + self.run.gateway.way_in(r), "at engine", r)
        else:
            self._transfer(r, now)

    def _transfer(self, r: Request, now: float, *, ahead: bool = False) -> None:
        """Send its KV cache; `ahead`: its layers could be sent while others were computed."""
        way, link = self._choice(r.leg, r.decoder), self._link(r)
        if link is not None and self.links_down[link]:
            r.place = "stalled"
            self.stalled[link].append(r)
            return
        wire = float(way.request_s + way.token_s * r.base)
        begin = max(r.start if way.layerwise and ahead else now, self.port[r.replica], self.port[r.decoder])
        if way.pipe >= 0:
            begin = max(begin, self.pipe[way.pipe])
            self.pipe[way.pipe] = begin + wire * float(way.of_pipe)
        end = self.port[r.replica] = self.port[r.decoder] = begin + wire
        if way.layerwise:
            end = max(end, now + wire * float(way.last_layer))
        end += float(way.latency_s)
        r.place, r.transfer = "moving", end - r.ready
        self.run.add(end, "release", r, r.replica)
        self.run.add(end, "land", r, r.decoder)

    def link_down(self, link: int, cause: int) -> None:
        """A link carries nothing new."""
        self.links_down[link] += 1
        self.link_cause[link] = cause

    def link_up(self, link: int, now: float) -> None:
        """A link is back: whoever waits for it goes, first come first served."""
        self.links_down[link] -= 1
        if not self.links_down[link]:
            waiting, self.stalled[link] = self.stalled[link], []
            for r in waiting:
                self._transfer(r, now)

    def close(self, now: float) -> None:
        """Nothing will happen any more: who waits for a link is lost."""
        for waiting, cause in zip(self.stalled, self.link_cause, strict=True):
            for r in waiting:
                r.cause = cause
                self.run.gateway.over(r, Status.LOST, now)

    def release(self, r: Request, now: float) -> None:
        """Its KV cache has left the replica that computed its prompt."""
        engine = self.run.engines[r.replica]
        engine.release(r)
        if engine.waiting:
            self.run.wake(r.replica, now)

    def land(self, r: Request, now: float) -> None:
        """Its KV cache has come, or the room is not wanted any more."""
        engine = self.run.engines[r.decoder]
        if r.place == "moving":
            r.prefiller, r.replica, r.queued, r.place = r.replica, r.decoder, now, "landed"
            answered(self.state, r.decoder, 0)
            r.answered = True
            engine.landed.append(r)
        else:
            self._give_up_room(r)
        self.run.wake(r.decoder, now)

    def _give_up_room(self, r: Request) -> None:
        engine = self.run.engines[r.decoder]
        engine.unowned += engine.blocks(r.base)
        engine.reserved -= 1

    def _let_go(self, r: Request, was: str, now: float) -> None:
        """It ended before its decode replica began with it."""
        engine = self.run.engines[r.decoder]
        self.run.about(r.decoder)
        ended(self.state, r.decoder, r.leg, 0, r.room_there, 0, was == "landed")
        if was == "wanting":
            engine.wanting.remove(r)
        elif was == "landed":
            engine.landed.remove(r)
            self._give_up_room(r)
        elif was != "moving":
            self.run.add(now, "land", r, r.decoder)

    def cancel(self, r: Request, was: str, now: float) -> None:
        """Its client has given up."""
        if r.prefiller >= 0 and was != "landed":
            self.run.about(r.replica)
            ended(self.state, r.replica, r.leg, 0, r.room_there, 0, True)
            return
        if np.isnan(r.ready):
            self.run.about(r.replica)
            ended(self.state, r.replica, r.service, r.new, r.room, 0, False)
        elif was in ("held", "wanting", "stalled"):
            self.run.add(now, "release", r, r.replica)
        if was == "stalled":
            self._stop_waiting_for_link(r)
        if r.decoder >= 0:
            self._let_go(r, was, now)

    def complete(self, r: Request) -> None:
        """It has its last token, which the client gets after the first: that came another way."""
        r.finish = max(r.finish, r.first)
        ended(self.state, r.replica, r.leg, 0, r.room_there, r.output, True)
        learn(self.state.services[r.service], r.output)

    def _link(self, r: Request) -> int | None:
        """The link that its KV cache takes; None: none of the fleet file's."""
        pools = list(self.run.fleet.pools)
        start, end = (pools[self.state.replicas[replica].pool] for replica in (r.replica, r.decoder))
        names = links_between({"links": self.links, "pools": self.places}, start, end)
        return list(self.run.fleet.links).index(names[0]) if names else None

    def _stop_waiting_for_link(self, r: Request) -> None:
        link = self._link(r)
        assert link is not None
        self.stalled[link].remove(r)

    def torn(self, r: Request, now: float) -> int:
        """The replica that has all of it fails: settle the books. Returns the replica that kept room for it, or -1."""
        if r.prefiller >= 0:
            self.run.about(r.replica)
            ended(self.state, r.replica, r.leg, 0, r.room_there, 0, True)
            return -1
        if np.isnan(r.ready):
            self.run.about(r.replica)
            ended(self.state, r.replica, r.service, r.new, r.room, 0, False)
        if r.decoder < 0:
            return -1
        self.run.about(r.decoder)
        ended(self.state, r.decoder, r.leg, 0, r.room_there, 0, False)
        if r.place == "wanting":
            self.run.engines[r.decoder].wanting.remove(r)
        else:
            self._give_up_room(r)
        if r.place == "stalled":
            self._stop_waiting_for_link(r)
        return r.decoder

    def loses_decoder(self, r: Request, now: float) -> None:
        """The replica fails that would decode it, which has nothing of it yet: another one has to be found."""
        self.run.about(r.decoder)
        ended(self.state, r.decoder, r.leg, 0, r.room_there, 0, False)
        if r.place == "stalled":
            self._stop_waiting_for_link(r)
        r.decoder, r.transfer = -1, np.nan
        if r.place in ("held", "wanting", "stalled", "moving"):
            r.epoch += 1
            r.place = "held"
            self.run.add(now + self.run.fleet.faults.detection, "ask", r)

    def stranded(self, r: Request, now: float) -> int:
        """Nobody can decode it: free what it holds. Returns a replica whose first choice for that is down."""
        if np.isnan(r.ready):
            self.run.about(r.replica)
            ended(self.state, r.replica, r.service, r.new, r.room, 0, False)
        else:
            self.release(r, now)
        leg = self.state.services[r.leg]
        pools = [int(self.state.choices[c].pool) for c in range(leg.first, leg.first + leg.count)]
        fitting = [pool for pool in pools if r.prompt + r.output <= self.state.pools[pool].max_context]
        return int(self.state.pools[fitting[0]].first)
