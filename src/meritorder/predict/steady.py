"""The steady state of a closed loop on one replica, straight from its iteration table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from meritorder.perf.table import IterationTable

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Loop:
    """Closed loops that keep `batch` requests under way, one an element; lengths in tokens.

    `front`: seconds of the front end per iteration's worth of tokens; it works beside the engine, and the slower of
    the two sets the pace.
    """

    batch: Floats
    prompt: Floats
    output: Floats
    front: Floats | float = 0.0


@dataclass(frozen=True)
class Steady:
    """Means over iterations, one an element: seconds from token to token, joules above idle of the replica."""

    period: Floats
    gap: Floats  # median time between two tokens
    joules: Floats


def steady(table: IterationTable, loop: Loop) -> Steady:
    """Iterations with and without prompts in turn: those that start in one iteration are Poisson distributed."""
    rate = loop.batch / loop.output  # prompts that start per iteration
    alone = np.exp(-rate)
    decoding = np.clip(np.rint(loop.batch), 1, table.max_sequences).astype(int)
    context = loop.batch * (loop.prompt + loop.output / 2)
    seconds = table.step_s[decoding] + table.decode_s[decoding] + table.decode_kv_s[decoding] * context
    joules = table.step_j[decoding] + table.decode_j[decoding] + table.decode_kv_j[decoding] * context

    # With prompts: as many iterations as their tokens need.
    started = rate / (1.0 - alone)
    room = np.maximum(table.token_budget - decoding, 1)
    tokens = np.maximum(1.0, started * loop.prompt)
    times = np.maximum(1.0, tokens / room)
    chunk = np.clip(np.rint(tokens / times), 1, room).astype(int)
    pairs = started * loop.prompt * (loop.prompt + 1) / 2 / times
    longer = seconds - table.step_s[decoding] + table.step_s[decoding + chunk] + table.prefill_s[chunk]
    longer = times * (longer + table.pair_s * pairs + table.mixed_kv_s * context)
    more = joules - table.step_j[decoding] + table.step_j[decoding + chunk] + table.prefill_j[chunk]
    more = times * (more + table.pair_j * pairs)

    period = _slower(alone * seconds + (1.0 - alone) * longer, loop.front)
    # With few prompts per iteration most gaps see none; with many, all do.
    share = rate**2 / (rate**2 + 1.0)
    gap = (1.0 - share) * _slower(seconds, loop.front) + share * period
    return Steady(period, gap, alone * joules + (1.0 - alone) * more)


def _slower(engine: Floats, front: Floats | float) -> Floats:
    """The slower of two stages with queues between them, with a soft corner."""
    return np.asarray((engine**4 + np.asarray(front) ** 4) ** 0.25)
