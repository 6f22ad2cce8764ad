"""The gateway, step by step: it sends requests to replicas, keeps them or refuses them, and counts who has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from meritorder.dispatch import reasons
from meritorder.dispatch.update import room_for, sent
from meritorder.simulate.faults import causes
from meritorder.simulate.oracle.network import upload_s
from meritorder.simulate.oracle.request import Request
from meritorder.simulate.result import Status

if TYPE_CHECKING:
    from meritorder.simulate.oracle.run import Oracle

CAUSE_OF = {
    reasons.SHED: causes.OVERLOADED,
    reasons.POWER_SHORT: causes.SHORT_OF_POWER,
    reasons.NONE_USABLE: causes.NONE_USABLE,
}


class Gateway:
    """What happens to requests before they are sent to a replica, and when they end."""

    def __init__(self, run: Oracle) -> None:
        self.run = run
        self.alive = 0  # requests that have been or surely will be sent, and have not ended
        pools = zip(run.pools, run.replicas, strict=True)
        self.front = [replica.front_end_s(pool.engine) for pool, replica in pools]
        self.upload = upload_s(run.fleet, run.trace.regions)
        self.followers: dict[int, list[int]] = {}
        for i, before in enumerate(run.trace.after):
            self.followers.setdefault(int(before), []).append(i)

    def come(self, r: Request, now: float) -> None:
        """A client asks."""
        r.arrival = self.run.span_s = now
        if self.run.state.services[r.service].hold and self.run.parking.may_wait(r):
            self.run.parking.enter(r, now)
        else:
            self.dispatch(r, now)

    def dispatch(self, r: Request, now: float) -> None:
        """Choose a replica and send the request there, keep it waiting, or refuse it."""
        self.run.span_s = now
        start, stop = self.run.trace.block_start[r.index], self.run.trace.block_start[r.index + 1]
        blocks = [int(b) for b in self.run.trace.blocks[start:stop]]
        base = r.prompt + r.generated
        rest = r.output - r.generated
        region = int(self.run.trace.region[r.index])
        replica, cached, reason = self.run.dispatcher.choose(r.service, region, base, rest, blocks)
        if replica < 0:
            if reason in (reasons.NONE_USABLE, reasons.POWER_SHORT) and self.run.parking.may_wait(r):
                self.run.parking.enter(r, now)
            else:
                self.refuse(r, reason, now)
            return
        r.begin(replica, base, base - cached, reason)
        whole = self.run.pool(r).role == "both"
        r.room = room_for(self.run.state, r.service, base, rest) if whole else base
        sent(self.run.state, replica, r.service, r.new, r.room)
        self.run.dispatcher.remember(blocks, replica)
        self.mind_patience(r, now)
        delay = self.way_in(r)
        if not whole and self.run.apart.asks_first(r):
            r.place = "held"
            self.run.add(now, "ask", r)
            return
        r.place = "transit"
        if delay > 0:
            self.run.add(now + delay, "at engine", r)
        else:
            self.run.arrive(r, now)

    def mind_patience(self, r: Request, now: float) -> None:
        """From the first time that a request is sent or kept, its client's patience runs."""
        patience = min(
            float(self.run.trace.cancel_s[r.index]),
            list(self.run.fleet.services.values())[r.service].patience or np.inf,
        )
        if patience < np.inf and not r.patience_counts:
            self.run.events.add(now + float(np.float32(patience)), "give up", r.index)
        r.patience_counts = True

    def refuse(self, r: Request, reason: int, now: float) -> None:
        """A request can't be served; one that a failure had struck is lost to that."""
        r.reason = reason
        if r.attempts:
            self.over(r, Status.LOST, now)
        elif reason == reasons.TOO_LONG:
            self.over(r, Status.TOO_LONG, now)
        else:
            r.cause = CAUSE_OF[reason]
            self.over(r, Status.SHED, now)

    def over(self, r: Request, status: Status, finish: float) -> None:
        """A request has ended."""
        r.status, r.finish, r.place = status, finish, ""
        self.alive -= 1

    def follow(self, r: Request) -> None:
        """A request has ended: those that wait for it come after their think time."""
        for i in self.followers.get(r.index, []):
            self.alive += 1
            self.run.events.add(r.finish + float(self.run.trace.think_s[i]), "next turn", i)

    def way_in(self, r: Request) -> float:
        """Seconds from the gateway to the engine."""
        request, token = self.front[self.run.state.replicas[r.replica].pool]
        upload = self.upload[self.run.trace.region[r.index]]
        return request + token * r.base + upload * r.base + self.run.half_rtt(r)
