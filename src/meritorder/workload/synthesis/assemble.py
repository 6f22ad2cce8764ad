"""What clients sent one by one, merged into one trace: order of time, links, sessions, prefix blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from meritorder.problems import InputError, Problem
from meritorder.workload.synthesis.chain import chain_blocks
from meritorder.workload.synthesis.sessions import Turns
from meritorder.workload.synthesis.shared_text import SharedTexts
from meritorder.workload.synthesis.spec import Client, TrafficSpec
from meritorder.workload.trace import Longs, Trace

_MOST_TOKENS = 2**31 - 1


@dataclass(frozen=True)
class Part:
    """What one client sent, and the shared text (see `SharedTexts`) in front of each of its prompts."""

    client: Client
    turns: Turns
    path: Longs


def assemble(spec: TrafficSpec, texts: SharedTexts, parts: list[Part], requests: int | None) -> Trace:
    """All parts as one trace; only the first `requests` of it, where given."""
    parts = [part for part in parts if len(part.turns.time_s)]
    if not parts:
        raise InputError(
            Problem("nobody sent a request", where=spec.name, fix="give a longer duration or a higher rate")
        )
    time = np.concatenate([part.turns.time_s for part in parts])
    order = np.argsort(time, kind="stable")[:requests]

    def column(of: Callable[[Part], npt.NDArray[np.generic]], dtype: npt.DTypeLike) -> npt.NDArray[np.generic]:
        joined = np.concatenate([of(part) for part in parts])
        if joined.dtype.kind == "i" and np.dtype(dtype) == np.int32 and joined.max() > _MOST_TOKENS:
            raise InputError(Problem("a length is above 2,147,483,647 tokens", where=spec.name, fix="set a maximum"))
        return joined[order].astype(dtype)

    def constant(of: Callable[[Client], int]) -> npt.NDArray[np.generic]:
        return column(lambda part: np.full(len(part.turns.time_s), of(part.client)), np.int16)

    services = tuple(dict.fromkeys(client.service for client in spec.clients.values()))
    regions = tuple(dict.fromkeys(client.region for client in spec.clients.values()))
    previous = _places(parts, lambda turns: turns.previous, order, len(time))
    closed = constant(lambda client: int(client.sessions is not None and client.sessions.closed_loop))
    after = np.where(closed == 1, previous, -1).astype(np.int32)
    think = column(lambda part: part.turns.pause_s, np.float32)
    trace = Trace(
        arrival_s=time[order],
        prompt_tokens=column(lambda part: part.turns.prompt, np.int32),  # type: ignore[arg-type]
        output_tokens=column(lambda part: part.turns.output, np.int32),  # type: ignore[arg-type]
        service=constant(lambda client: services.index(client.service)),  # type: ignore[arg-type]
        region=constant(lambda client: regions.index(client.region)),  # type: ignore[arg-type]
        session=_sessions(parts, order),
        turn=column(lambda part: part.turns.turn, np.int32),  # type: ignore[arg-type]
        after=after,
        think_s=np.where(after >= 0, think, 0).astype(np.float32),
        cancel_s=np.full(len(order), np.inf, np.float32),
        block_start=np.zeros(len(order) + 1, np.int64),
        blocks=np.zeros(0, np.int32),
        services=services,
        regions=regions,
        source=f"synthetic: {spec.name}",
    )
    if not spec.block_tokens:
        return trace
    keep = column(lambda part: part.turns.keep_tokens, np.int64) // spec.block_tokens
    path = column(lambda part: part.path, np.int64)
    start = np.concatenate(([0], np.cumsum(trace.prompt_tokens.astype(np.int64) // spec.block_tokens)))
    grown_from = _places(parts, lambda turns: turns.grown_from, order, len(time))
    blocks = np.empty(start[-1], np.int32)
    chain_blocks(start, grown_from, keep, path, *texts.tables(), blocks)  # type: ignore[arg-type]
    return replace(trace, block_tokens=spec.block_tokens, block_start=start, blocks=blocks)


def _places(parts: list[Part], of: Callable[[Turns], Longs], order: Longs, n: int) -> Longs:
    """For each request of the trace the place of the turn that `of` names inside its part; -1 where there is none."""
    begin = np.concatenate(([0], np.cumsum([len(part.turns.time_s) for part in parts])))
    joined = np.concatenate(
        [np.where(of(p.turns) >= 0, of(p.turns) + b, -1) for p, b in zip(parts, begin, strict=False)]
    )[order]
    place = np.full(n + 1, -1, np.int64)  # the last entry answers for -1
    place[order] = np.arange(len(order))
    result: Longs = place[joined]
    return result


def _sessions(parts: list[Part], order: Longs) -> npt.NDArray[np.int32]:
    """Session numbers, dense in order of their first request; -1 for requests of their own."""
    numbers, offset = [], 0
    for part in parts:
        own = part.turns.session
        numbers.append(np.where(own >= 0, own + offset, -1))
        offset += int(own.max(initial=-1)) + 1
    joined = np.concatenate(numbers)[order]
    result = np.full(len(order), -1, np.int32)
    members = np.flatnonzero(joined >= 0)
    if len(members):
        _, first, inverse = np.unique(joined[members], return_index=True, return_inverse=True)
        rank = np.empty(len(first), np.int32)
        rank[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
        result[members] = rank[inverse]
    return result
