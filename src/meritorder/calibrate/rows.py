"""`Rows`: measured times, each with the iterations it is made of; what every fit starts from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Iteration(NamedTuple):
    """What one iteration holds: decoding sequences, tokens in their KV caches, prompt tokens, pairs these attend to."""

    decoding: int
    kv_tokens: float
    prompt_tokens: int
    pairs: float


class Row(NamedTuple):
    """A time and what was done in it."""

    seconds: float
    iterations: tuple[Iteration, ...]
    first_token: bool = False  # of a request to an idle engine: front end included
    part: int = 0  # of the measurements: rows of a part are held out together
    times: int = 1  # that this one is the mean of


def prompt_chunks(prompt: int, budget: int, decoding: int = 0) -> tuple[tuple[int, float], ...]:
    """How an engine with that token budget splits a prompt: (tokens, pairs they attend to) of each iteration."""
    room = max(budget - decoding, 1)
    chunks = []
    for begin in range(0, prompt, room):
        tokens = min(room, prompt - begin)
        chunks.append((tokens, tokens * begin + 0.5 * tokens * (tokens + 1.0)))
    return tuple(chunks)


@dataclass(frozen=True)
class Rows:
    """Columns of n rows; those of k iterations below belong to row `owner`."""

    seconds: Floats
    first_token: npt.NDArray[np.bool_]
    part: Ints
    count: Ints
    owner: Ints
    decoding: Floats
    kv_tokens: Floats
    prompt_tokens: Floats
    pairs: Floats

    @staticmethod
    def of(rows: Iterable[Row]) -> Rows:
        """The rows as columns."""
        rows = list(rows)
        inside = [(i, iteration) for i, row in enumerate(rows) for iteration in row.iterations]
        held = np.array([iteration for _, iteration in inside], np.float64).reshape(len(inside), 4)
        return Rows(
            seconds=np.array([row.seconds for row in rows], np.float64),
            first_token=np.array([row.first_token for row in rows], np.bool_),
            part=np.array([row.part for row in rows], np.int64),
            count=np.array([row.times for row in rows], np.int64),
            owner=np.array([i for i, _ in inside], np.int64),
            decoding=held[:, 0],
            kv_tokens=held[:, 1],
            prompt_tokens=held[:, 2],
            pairs=held[:, 3],
        )

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.seconds)

    def summed(self, values: Floats) -> Floats:
        """Values of the iterations (k), added up by row (n)."""
        total = np.zeros(len(self))
        np.add.at(total, self.owner, values)
        return total

    def where(self, chosen: npt.NDArray[np.bool_]) -> Rows:
        """The chosen rows; `chosen` (n) of bools."""
        inside = np.flatnonzero(chosen[self.owner])
        return self._picked(np.flatnonzero(chosen), inside, (np.cumsum(chosen) - 1)[self.owner[inside]])

    def drawn(self, chosen: Ints) -> Rows:
        """The rows with these indices, which may repeat, in that order."""
        order = np.argsort(self.owner, kind="stable")
        begin = np.searchsorted(self.owner[order], np.arange(len(self) + 1))
        spans = [order[begin[i] : begin[i + 1]] for i in chosen]
        inside = np.concatenate([np.zeros(0, np.int64), *spans])
        return self._picked(chosen, inside, np.repeat(np.arange(len(chosen)), [len(span) for span in spans]))

    def _picked(self, rows: Ints, iterations: Ints, owner: Ints) -> Rows:
        return Rows(
            seconds=self.seconds[rows],
            first_token=self.first_token[rows],
            part=self.part[rows],
            count=self.count[rows],
            owner=owner,
            decoding=self.decoding[iterations],
            kv_tokens=self.kv_tokens[iterations],
            prompt_tokens=self.prompt_tokens[iterations],
            pairs=self.pairs[iterations],
        )


def averaged(rows: Sequence[Row]) -> list[Row]:
    """Pure decode iterations of a part with equal batch and like KV averaged into one row; the others as they are."""
    cells: dict[tuple[int, int, int], list[Row]] = {}
    result = []
    for row in rows:
        first = row.iterations[0]
        if len(row.iterations) == 1 and not first.prompt_tokens and not row.first_token and first.decoding:
            near = int(np.log2(first.kv_tokens / first.decoding + 64.0) * 2.0)  # factors of 1.4
            cells.setdefault((row.part, first.decoding, near), []).append(row)
        else:
            result.append(row)
    for (part, decoding, _), cell in cells.items():
        seconds = float(np.mean([row.seconds for row in cell]))
        held = float(np.mean([row.iterations[0].kv_tokens for row in cell]))
        result.append(Row(seconds, (Iteration(decoding, held, 0, 0.0),), part=part, times=len(cell)))
    return result


def noise(rows: Sequence[Row]) -> tuple[float, float]:
    """Noise floor: how far single decode iterations are from the median of their batch, and batches' means of one part
    of the measurements from their mean over all parts; mean relative deviations, NaN where nothing was repeated.
    """
    single: list[float] = []
    repeat: list[float] = []
    parts: dict[tuple[int, int], list[float]] = {}
    for row in rows:
        first = row.iterations[0]
        if len(row.iterations) == 1 and not first.prompt_tokens and not row.first_token:
            near = int(np.log2(first.kv_tokens / max(first.decoding, 1) + 64.0) * 2.0)
            parts.setdefault((first.decoding * 1000 + near, row.part), []).append(row.seconds)
    for times in parts.values():
        if len(times) > 3:
            single += list(np.abs(np.array(times) / np.median(times) - 1.0))
    for cell in {cell for cell, _ in parts}:
        means = [float(np.mean(times)) for (of, _), times in parts.items() if of == cell]
        if len(means) > 1:
            repeat += list(np.abs(np.array(means) / np.mean(means) - 1.0))
    return (float(np.mean(single)) if single else np.nan, float(np.mean(repeat)) if repeat else np.nan)
