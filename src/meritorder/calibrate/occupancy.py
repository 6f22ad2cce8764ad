"""What an engine did in each iteration, told from outside: from when the tokens of overlapping streams came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from meritorder.calibrate.rows import Iteration, Row, prompt_chunks

_TOGETHER_S = 0.003  # tokens of an iteration come within this, or a share of the usual iteration
_TOGETHER = 0.25
_BUNCHED = 0.3  # of the usual time: no iteration was so short


@dataclass(frozen=True)
class Heard:
    """One request: when it was sent, its prompt's tokens, and when each token of its answer came."""

    sent: float
    prompt: int
    tokens: Sequence[float]
    alone: bool = False  # no other was under way


def rows(heard: Sequence[Heard], budget: int, part: int) -> list[Row]:
    """The iterations that can be told for sure, and the first tokens of requests to an idle engine.

    `budget`: most tokens in an iteration. An iteration's time is that from the tokens of the one before it to its own,
    while at least one sequence decodes in both.
    """
    steps = boundaries(heard)
    found = [
        Row(one.tokens[0] - one.sent, tuple(Iteration(0, 0.0, *chunk) for chunk in prompt_chunks(one.prompt, budget)),
            first_token=True, part=part)
        for one in heard
        if one.alone and one.tokens
    ]  # fmt: skip
    chunks = _chunks(heard, steps, budget)
    timed: dict[int, Row] = {}
    for k in range(1, len(steps)):
        before, now = steps[k - 1][1], steps[k][1]
        both = before.keys() & now.keys()
        if not both or k in chunks.unclear or len(both) < sum(n > 1 for n in now.values()):
            continue
        kv = float(sum(heard[i].prompt + now[i] - 2 for i in both))
        tokens, pairs = chunks.known.get(k, (0, 0.0))
        seconds = steps[k][0] - steps[k - 1][0]
        timed[k] = Row(seconds, (Iteration(len(both), kv, tokens, pairs),), part=part)
    return found + [row for row in _apart(timed).values() if row.seconds > 0.0]


def _apart(timed: dict[int, Row]) -> dict[int, Row]:
    """Tokens of two iterations that came together, since something held up those of the first: shared out evenly where
    both iterations were alike, else left out. `timed`: by number of the iteration.
    """
    usual: dict[int, float] = {}
    for decoding in {row.iterations[0].decoding for row in timed.values()}:
        alike = [row.seconds for row in timed.values() if row.iterations[0].decoding == decoding]
        usual[decoding] = median(alike)
    result = dict(timed)
    for k, row in timed.items():
        if row.seconds > _BUNCHED * usual[row.iterations[0].decoding]:
            continue
        before = timed.get(k - 1)
        if before is not None and _content(before) == _content(row):
            mean = 0.5 * (before.seconds + row.seconds)
            result[k - 1], result[k] = before._replace(seconds=mean), row._replace(seconds=mean)
        else:
            result.pop(k, None)
            result.pop(k - 1, None)
    return result


def _content(row: Row) -> tuple[int, int]:
    return row.iterations[0].decoding, row.iterations[0].prompt_tokens


def boundaries(heard: Sequence[Heard]) -> list[tuple[float, dict[int, int]]]:
    """Iterations in order: when the first of its tokens came, and which token (1, 2, ...) of each request came."""
    events = sorted((when, i, n) for i, one in enumerate(heard) for n, when in enumerate(one.tokens, 1))
    gaps = [b - a for one in heard for a, b in pairwise(one.tokens)]
    together = max(_TOGETHER_S, _TOGETHER * median(gaps)) if gaps else _TOGETHER_S
    steps: list[tuple[float, dict[int, int]]] = []
    for when, i, n in events:
        if not steps or i in steps[-1][1] or when - steps[-1][0] > together:
            steps.append((when, {}))
        steps[-1][1][i] = n
    return steps


@dataclass(frozen=True)
class _Chunks:
    """Prompt tokens and pairs by iteration, and iterations where they can't be told."""

    known: dict[int, tuple[int, float]]
    unclear: set[int]


def _chunks(heard: Sequence[Heard], steps: Sequence[tuple[float, dict[int, int]]], budget: int) -> _Chunks:
    """A prompt that came while no other waited is computed in the iterations right before its first token."""
    known: dict[int, tuple[int, float]] = {}
    unclear: set[int] = set()
    for k, (when, now) in enumerate(steps):
        for i in (i for i, n in now.items() if n == 1):
            decoding = sum(n > 1 for n in now.values())
            others = (other for j, other in enumerate(heard) if j != i and other.tokens)
            if any(other.sent <= when and other.tokens[0] >= heard[i].sent for other in others):
                unclear.update(j for j in range(1, k + 1) if steps[j][0] >= heard[i].sent)
            else:
                split = prompt_chunks(heard[i].prompt, budget, decoding)
                known |= zip(range(k - len(split) + 1, k + 1), split, strict=True)
    return _Chunks(known, unclear)
