"""What happens when an iteration of an engine ends: tokens go out, requests end, the next one begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from meritorder.dispatch.update import answered
from meritorder.simulate.oracle.request import Request
from meritorder.simulate.result import Status

if TYPE_CHECKING:
    from meritorder.simulate.oracle.run import Oracle


def pass_boundary(run: Oracle, index: int, now: float) -> None:
    """An iteration has ended."""
    engine = run.engines[index]
    if run.site is not None:
        run.site.tell(index, engine.joules - engine.told_j)
    from_prompt, done = engine.end_iteration()
    if run.pools[run.state.replicas[index].pool].role == "prefill":
        for r in from_prompt:
            run.apart.set_aside(r, now)
        from_prompt, done = [], []
    for r in from_prompt:
        if np.isnan(r.first):
            r.first = now + run.pool(r).engine.output_token_overhead + run.half_rtt(r)
        if not r.answered:
            answered(run.state, index, r.new)
            r.answered = True
    for r in done:
        engine.running.remove(r)
        # the newest token was never put into the KV cache
        engine.release(r)
        r.finish = delivered(run, r, now)
        run.end(r, Status.COMPLETED, r.output, now)
        run.gateway.follow(r)
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
            run.end(r, Status.CANCELLED, 0, now)
    engine.cancels.clear()
    run.schedule(index, now)


def delivered(run: Oracle, r: Request, now: float) -> float:
    """When the client has the last token, which the engine makes now."""
    site = int(run.state.pools[run.state.replicas[r.replica].pool].site)
    at_client = now + r.output * run.pool(r).engine.output_token_overhead + run.half_rtt(r)
    return at_client + run.egress.leave(site, r.output, now)


def learn_speed(run: Oracle, replica: int) -> None:
    """The gateway sees by what has ended there how much slower a replica is than its table says."""
    seen = run.state.replicas[replica]
    seen.speed += (run.engines[replica].paced - seen.speed) / 16.0
