"""Conversations of a synthetic client: how many turns, when, how long, and what each repeats of the one before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meritorder.workload.spec import Client, Sessions
from meritorder.workload.trace import Floats, Longs


@dataclass(frozen=True)
class Turns:
    """Requests of one client, sessions one after the other; each array has one entry a request."""

    time_s: Floats
    prompt: Longs
    output: Longs
    session: Longs  # index of the session
    turn: Longs
    previous: Longs  # index of the turn before; -1: the session starts here
    keep_tokens: Longs  # how much of the previous prompt stands in front, unchanged
    pause_s: Floats  # between the end (closed loop) or arrival (open loop) of the turn before and this one


def converse(client: Client, plan: Sessions, starts: Floats, shared_tokens: int, rng: np.random.Generator) -> Turns:
    """The turns of sessions that start at `starts`; `shared_tokens` in front are never rewritten.

    Turn by turn, vectorised over the sessions that still go on.
    """
    turns = np.maximum(np.rint(plan.turns.sample(rng, len(starts))), 1).astype(np.int64)
    offset = np.concatenate(([0], np.cumsum(turns)))
    n = int(offset[-1])
    session = np.repeat(np.arange(len(starts)), turns)
    turn = np.arange(n) - offset[session]
    first = turn == 0
    output = whole(client.output_tokens.sample(rng, n))
    pause = np.where(first, 0.0, plan.pause_s.sample(rng, n))
    step = pause.copy()
    if plan.closed_loop and plan.nominal_service is not None:
        service = plan.nominal_service.base + plan.nominal_service.per_output_token * output
        step[1:] += np.where(first[1:], 0.0, service[:-1])
    elapsed = np.cumsum(step)
    time = starts[session] + elapsed - elapsed[offset[:-1]][session] if n else np.zeros(0)
    prompt, keep = _grow(client, plan, turns, offset, shared_tokens, rng)
    previous = np.where(first, -1, np.arange(n) - 1)
    return Turns(time, prompt, output, session, turn, previous, keep, pause)


def whole(values: Floats) -> Longs:
    """Tokens: rounded, at least 1."""
    return np.maximum(np.rint(values), 1).astype(np.int64)


def _grow(
    client: Client,
    plan: Sessions,
    turns: Longs,
    offset: npt.NDArray[np.int64],
    shared_tokens: int,
    rng: np.random.Generator,
) -> tuple[Longs, Longs]:
    n = int(offset[-1])
    first = offset[:-1]
    prompt = np.zeros(n, np.int64)
    keep = np.zeros(n, np.int64)
    prompt[first] = whole(client.prompt_tokens.sample(rng, len(turns)))
    sigma = plan.growth_sigma
    pace = rng.lognormal(-(sigma**2) / 2, sigma, len(turns)) if sigma else np.ones(len(turns))
    context = plan.context.sample(rng, len(turns)) if plan.context is not None else np.full(len(turns), np.inf)
    new = plan.new_tokens.sample(rng, n)
    alive = np.flatnonzero(turns > 1)
    step = 1
    while len(alive):
        at = first[alive] + step
        before = prompt[at - 1]
        keep[at] = before
        prompt[at] = before + np.rint(new[at] * pace[alive]).astype(np.int64)
        if plan.rewrite is not None:
            again = (prompt[at] > context[alive]) | (rng.random(len(at)) < plan.rewrite.probability)
            cut, old = at[again], before[again]
            share = np.minimum(plan.rewrite.keep.sample(rng, len(cut)), 1.0)
            kept = np.maximum(np.rint(old * share).astype(np.int64), np.minimum(shared_tokens, old))
            keep[cut] = kept
            prompt[cut] = kept + whole(plan.rewrite.new_tokens.sample(rng, len(cut)))
        step += 1
        alive = alive[turns[alive] > step]
    return np.maximum(prompt, 1), keep
