"""A synthetic trace from a workload's clients: each sends on its own, the trace is what arrives together.

Client by client (ServeGen, arXiv 2505.09999), but with real count variance and with lengths that are independent or
linked as asked. Every client draws from streams that hang on its name and the seed alone, so that adding a client
leaves the others as they were.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator

import numpy as np

from meritorder.problems import InputError, Problem
from meritorder.workload.synthesis.arrivals import arrivals, mean_rate
from meritorder.workload.synthesis.assemble import Part, assemble
from meritorder.workload.synthesis.distribution import link_ranks
from meritorder.workload.synthesis.sessions import MOST_REQUESTS, Turns, converse, whole
from meritorder.workload.synthesis.shared_text import SharedTexts
from meritorder.workload.synthesis.spec import Client, TrafficSpec
from meritorder.workload.trace import Longs, Trace


def synthesize(
    spec: TrafficSpec,
    seed: int,
    *,
    duration_s: float | None = None,
    requests: int | None = None,
    rate_per_s: float | None = None,
) -> Trace:
    """A trace of `spec`: for `duration_s` (default: the workload's own), or until `requests` have arrived.

    Closed-loop sessions begin within the duration and run to their end.

    `rate_per_s` scales every client so that this many requests per second are expected over the planned span
    (sessions counted with their turns). Same arguments, same bits. Raises InputError where nothing can arrive.
    """
    _check(duration_s, requests, rate_per_s)
    planned = spec.duration if duration_s is None else duration_s
    expected = expected_rate(spec, planned)
    if expected <= 0:
        raise InputError(Problem("no client ever sends", where=spec.name, fix="give a rate above 0"))
    factor = 1.0 if rate_per_s is None else rate_per_s / expected
    if (expected * factor * planned if requests is None else requests) > MOST_REQUESTS:
        fix = "ask for parts with different seeds"
        raise InputError(Problem(f"more than {MOST_REQUESTS:,} requests at once", where=spec.name, fix=fix))
    texts = SharedTexts(spec)
    if requests is None:
        return assemble(spec, texts, _parts(spec, texts, seed, planned, factor), None)
    span = requests / (expected * factor)
    span += 4 * math.sqrt(span / (expected * factor))
    while True:
        parts = _parts(spec, texts, seed, span, factor)
        if sum(len(part.turns.time_s) for part in parts) >= requests:
            return assemble(spec, texts, parts, requests)
        span *= 1.5


def expected_rate(spec: TrafficSpec, duration_s: float) -> float:
    """Requests per second expected over the first `duration_s` seconds."""
    return sum(
        client.count * mean_rate(client, 0.0, duration_s) * (client.sessions.turns.mean() if client.sessions else 1.0)
        for client in spec.clients.values()
    )


def span_s(spec: TrafficSpec) -> float:
    """How long a workload goes before its rate curves begin again: the longest of them, or its own duration."""
    curves = [client.windows for client in spec.clients.values() if client.windows is not None]
    waves = [client.diurnal.period for client in spec.clients.values() if client.diurnal is not None]
    return max([spec.duration, *waves, *(curve.window * len(curve.per_s) for curve in curves)])


def _check(duration_s: float | None, requests: int | None, rate_per_s: float | None) -> None:
    problems = []
    if duration_s is not None and requests is not None:
        problems.append(Problem("both --duration and --requests are given", fix="give one of them"))
    given = (("--duration", duration_s), ("--requests", requests), ("--rate", rate_per_s))
    for option, value in given:
        if value is not None and not (0 < value < math.inf):
            problems.append(Problem(f"is {value:g}", where=option, fix="give a number above 0"))
    if problems:
        raise InputError(problems)


def _parts(spec: TrafficSpec, texts: SharedTexts, seed: int, duration_s: float, factor: float) -> list[Part]:
    return [
        _send(client, texts, name, seed, duration_s, factor)
        for client, name in _members(spec)
        if mean_rate(client, 0.0, duration_s) > 0
    ]


def _members(spec: TrafficSpec) -> Iterator[tuple[Client, str]]:
    for name, client in spec.clients.items():
        for k in range(client.count):
            yield client, f"{name}/{k}"


def _send(client: Client, texts: SharedTexts, name: str, seed: int, duration_s: float, factor: float) -> Part:
    """Everything that one client sends in [0, duration)."""
    digest = hashlib.sha256(name.encode()).digest()
    streams = np.random.SeedSequence([seed, int.from_bytes(digest[:16], "little")]).spawn(3)
    when, what, whose = (np.random.Generator(np.random.PCG64(stream)) for stream in streams)
    plan = client.sessions
    starts = arrivals(client, factor, -plan.warmup if plan else 0.0, duration_s, when)
    if plan is None:
        prompt, output = client.prompt_tokens.sample(what, len(starts)), client.output_tokens.sample(what, len(starts))
        if client.spearman:
            prompt, output = link_ranks(prompt, output, client.spearman, what)
        nothing = np.zeros(len(starts), np.int64)
        own = np.full(len(starts), -1)
        pause = np.zeros(len(starts))
        turns = Turns(starts, whole(prompt), whole(output), own, nothing, own, own, nothing, pause)
        return Part(client, turns, texts.draw(client, len(starts), whose))
    turns = converse(client, plan, starts, texts.tokens(client), what)
    path = texts.draw(client, len(starts), whose)[turns.session]
    if plan.closed_loop:  # how long it lasts is for the serving side to decide
        return Part(client, turns, path)
    inside = np.flatnonzero((turns.time_s >= 0) & (turns.time_s < duration_s))
    return Part(client, _only(turns, inside), path[inside])


def _only(turns: Turns, kept: Longs) -> Turns:
    """The turns at these places; a session whose beginning is left out starts with its first turn that stays."""
    place = np.full(len(turns.time_s) + 1, -1, np.int64)  # the last entry answers for "no turn before"
    place[kept] = np.arange(len(kept))
    previous = place[turns.previous[kept]]
    session, turn = turns.session[kept], turns.turn[kept]
    starts = previous < 0
    # Turns of a session stand together and in order, so the latest start is that of the same session.
    first_turn = turn[np.maximum.accumulate(np.where(starts, np.arange(len(kept)), 0))]
    return Turns(
        time_s=turns.time_s[kept],
        prompt=turns.prompt[kept],
        output=turns.output[kept],
        session=session,
        turn=turn - first_turn,
        previous=previous,
        grown_from=place[turns.grown_from[kept]],
        keep_tokens=turns.keep_tokens[kept],
        pause_s=np.where(starts, 0.0, turns.pause_s[kept]),
    )
