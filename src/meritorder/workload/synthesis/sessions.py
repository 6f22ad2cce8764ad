"""Conversations of a synthetic client: how many turns, when, how long, and what each repeats of the one before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meritorder.problems import InputError, Problem
from meritorder.workload.synthesis.spec import Client, Context, Rewrite, Sessions
from meritorder.workload.trace import Floats, Longs

MOST_REQUESTS = 300_000_000  # what a large machine's memory holds
LONGEST_PAUSE_S = 1e9  # thirty years stand for never


@dataclass(frozen=True)
class Turns:
    """Requests of one client, sessions one after the other; each array has one entry a request."""

    time_s: Floats
    prompt: Longs
    output: Longs
    session: Longs  # index of the session
    turn: Longs
    previous: Longs  # index of the turn before; -1: the session starts here
    grown_from: Longs  # index of the turn whose prompt this one repeats; -1: none
    keep_tokens: Longs  # how much of that prompt stands in front, unchanged
    pause_s: Floats  # between the end (closed loop) or arrival (open loop) of the turn before and this one


def converse(client: Client, plan: Sessions, starts: Floats, shared_tokens: int, rng: np.random.Generator) -> Turns:
    """The turns of sessions that start at `starts`; `shared_tokens` in front are never rewritten.

    Turn by turn, vectorised over the sessions that still go on.
    """
    turns = whole(plan.turns.sample(rng, len(starts)))
    if turns.sum(dtype=np.float64) > MOST_REQUESTS:
        fix = "set a maximum for sessions.turns, or ask for less"
        raise InputError(Problem(f"sessions have more than {MOST_REQUESTS:,} turns together", fix=fix))
    offset = np.concatenate(([0], np.cumsum(turns)))
    n = int(offset[-1])
    session = np.repeat(np.arange(len(starts)), turns)
    turn = np.arange(n) - offset[session]
    first = turn == 0
    output = whole(client.output_tokens.sample(rng, n))
    pause = np.where(first, 0.0, np.minimum(plan.pause_s.sample(rng, n), LONGEST_PAUSE_S))
    step = pause.copy()
    if plan.closed_loop and plan.nominal_service is not None:
        service = plan.nominal_service.base + plan.nominal_service.per_output_token * output
        step[1:] += np.where(first[1:], 0.0, service[:-1])
    elapsed = np.cumsum(step)
    time = starts[session] + elapsed - elapsed[offset[:-1]][session] if n else np.zeros(0)
    previous = np.where(first, -1, np.arange(n) - 1)
    prompt, grown_from, keep = _grow(client, plan, offset, shared_tokens, rng)
    return Turns(time, prompt, output, session, turn, previous, grown_from, keep, pause)


def whole(values: Floats, least: int = 1) -> Longs:
    """Tokens: rounded, at least `least`. Beyond 2^40, which no trace takes, they no longer grow."""
    return np.clip(np.rint(values), least, 2.0**40).astype(np.int64)


def _grow(
    client: Client, plan: Sessions, offset: Longs, shared_tokens: int, rng: np.random.Generator
) -> tuple[Longs, Longs, Longs]:
    """Prompt lengths, the turn that each grew out of, and how much of that stands in front."""
    n, first, turns = int(offset[-1]), offset[:-1], np.diff(offset)
    sessions = len(turns)
    prompt = np.zeros(n, np.int64)
    prompt[first] = whole(client.prompt_tokens.sample(rng, sessions))
    grown_from = np.full(n, -1, np.int64)
    keep = np.zeros(n, np.int64)
    limit = plan.context.limit_tokens.sample(rng, sessions) if plan.context is not None else np.full(sessions, np.inf)
    new = plan.new_tokens.sample(rng, n)
    main = first.copy()  # the last turn of the main history
    aside = np.zeros(sessions, np.int64)  # turns left on a side branch

    def cut(at: Longs, source: Longs, part: Rewrite | Context) -> None:
        share = np.minimum(part.keep.sample(rng, len(at)), 1.0)
        kept = np.rint(prompt[source] * share).astype(np.int64)
        keep[at] = np.maximum(kept, np.minimum(shared_tokens, prompt[source]))
        if part.new_tokens is not None:
            prompt[at] = keep[at] + whole(part.new_tokens.sample(rng, len(at)))

    alive = np.flatnonzero(turns > 1)
    step = 1
    while len(alive):
        at = first[alive] + step
        source = np.where(aside[alive] > 0, at - 1, main[alive])
        grown_from[at], keep[at] = source, prompt[source]
        if plan.opening is not None and step <= plan.opening.turns:
            new[at] = plan.opening.new_tokens.sample(rng, len(at))
        prompt[at] = prompt[source] + whole(new[at], 0)
        if plan.rewrite is not None:
            again = rng.random(len(at)) < plan.rewrite.probability
            cut(at[again], source[again], plan.rewrite)
        if plan.context is not None:
            beyond = prompt[at] > limit[alive]
            cut(at[beyond], source[beyond], plan.context)
        if plan.side is not None:
            free = aside[alive] == 0
            leaves = free & (rng.random(len(at)) < plan.side.probability)
            cut(at[leaves], source[leaves], plan.side)
            aside[alive] = np.maximum(aside[alive] - 1, 0)
            # Turns left after this one.
            aside[alive[leaves]] = whole(plan.side.turns.sample(rng, int(leaves.sum()))) - 1
            on_main = free & ~leaves
            main[alive[on_main]] = at[on_main]
        else:
            main[alive] = at
        step += 1
        alive = alive[turns[alive] > step]
    return np.maximum(prompt, 1), grown_from, keep
