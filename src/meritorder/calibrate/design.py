"""What a sweep asks: scenes of decoding sequences into which prompts of other requests fall, in rounds that repeat."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from meritorder.calibrate.rows import prompt_chunks

LEAD, BETWEEN, TAIL = 3, 4, 8  # decode iterations before the first prompt that falls in, between two, and after
_SHORT = 16  # tokens of a prompt that is there only to be continued
LEAST_ROUNDS = 3  # two to fit, one to hold out


@dataclass(frozen=True)
class Limits:
    """Of the engine: sequences and tokens in an iteration, tokens of a request."""

    sequences: int
    budget: int
    context: int


@dataclass(frozen=True)
class Pace:
    """A first idea of the engine's speed, seconds: an iteration of one sequence, each further one, a prompt token."""

    first_s: float
    further_s: float
    prompt_token_s: float
    request_s: float = 0.0

    def decode_s(self, sequences: int) -> float:
        """An iteration of so many decoding sequences."""
        return self.first_s + self.further_s * (sequences - 1)


@dataclass(frozen=True)
class Scene:
    """`decoding` sequences with prompts of `context` tokens, and prompts that come one after another meanwhile."""

    decoding: int
    context: int
    prompts: tuple[int, ...]

    def output(self, budget: int) -> int:
        """Tokens of the answers of the decoding sequences."""
        falling = sum(len(prompt_chunks(prompt, budget, self.decoding)) + BETWEEN for prompt in self.prompts)
        return LEAD + falling + TAIL + self.decoding  # their own prompts come one after another

    def cost(self, pace: Pace, budget: int) -> tuple[int, int, int, float]:
        """Requests, prompt tokens, output tokens, seconds."""
        own = self.decoding * self.context
        falling = sum(self.prompts)
        output = self.output(budget) if self.decoding else 0
        requests = self.decoding + len(self.prompts)
        seconds = (own + falling) * pace.prompt_token_s + requests * pace.request_s
        seconds += output * pace.decode_s(max(self.decoding, 1))
        return requests, own + falling, self.decoding * output + len(self.prompts), seconds


@dataclass(frozen=True)
class Sweep:
    """Rounds of scenes, in the order in which they are run."""

    rounds: tuple[tuple[Scene, ...], ...]
    requests: int
    prompt_tokens: int
    output_tokens: int
    seconds: float


def design(limits: Limits, pace: Pace, seconds: float, seed: int = 0, least_rounds: int = LEAST_ROUNDS) -> Sweep:
    """The richest sweep that should fit in so many seconds with `least_rounds`, and more rounds where there is room.

    Every round has all batches, other prompt lengths, and an order of its own.
    """
    draw = np.random.default_rng(seed)
    for detail in (3, 2, 1, 0):
        rounds = [_round(limits, detail, draw) for _ in range(least_rounds)]
        took = sum(scene.cost(pace, limits.budget)[3] for scenes in rounds for scene in scenes)
        if took <= seconds or not detail:
            break
    each = took / len(rounds)
    while took + each <= seconds and len(rounds) < 12:
        rounds.append(_round(limits, detail, draw))
        took += each
    costs = [scene.cost(pace, limits.budget) for scenes in rounds for scene in scenes]
    total = [sum(column) for column in zip(*costs, strict=True)]
    return Sweep(tuple(map(tuple, rounds)), int(total[0]), int(total[1]), int(total[2]), total[3])


def batches(most: int, detail: int) -> list[int]:
    """Numbers of sequences: every one up to 8, then fewer, always the most."""
    dense = {0: 4, 1: 4, 2: 8, 3: 8}[detail]
    found = list(range(1, min(most, dense) + 1))
    while found[-1] < most:
        found.append(min(max(found[-1] + 1, math.ceil(found[-1] * (2.0 if detail < 2 else 1.5))), most))
    return found


def _round(limits: Limits, detail: int, draw: np.random.Generator) -> list[Scene]:
    room = limits.context - 64  # for the answers
    short = min(_SHORT, max(room // 4, 1))
    longest = max(min(room, (2, 2, 3, 4)[detail] * limits.budget), 2)
    falling = (1, 2, 3, 4)[detail]
    scenes = [Scene(0, 0, tuple(_lengths(longest, (3, 4, 6, 8)[detail], draw)))]
    counts = batches(limits.sequences, detail)
    split = counts[(len(counts) - 1) // 2] if counts[-1] > 1 else 0  # into which a prompt of several iterations falls
    for decoding in counts:
        fitting = max(min(longest, limits.budget) - decoding, 2)
        prompts = _lengths(fitting, falling, draw) if decoding < limits.sequences else []
        if decoding == split and longest > 1.5 * limits.budget:
            prompts.append(min(longest, round(2.3 * limits.budget)))
        scenes.append(Scene(decoding, short, tuple(prompts)))
    far = max(room // (2 if detail < 2 else 1) - 64, short)
    if far > 2 * short:
        scenes += [Scene(1, far, ()), Scene(limits.sequences, far // (4 if detail < 3 else 2), ())]
    order = draw.permutation(len(scenes))
    return [scenes[i] for i in order]


def _lengths(longest: int, n: int, draw: np.random.Generator) -> list[int]:
    """Prompt lengths up to `longest`, one from each of n equal parts of the logarithmic scale, in random order."""
    low = math.log(min(8, longest))
    edges = np.linspace(low, math.log(longest), n + 1)
    lengths = np.exp(draw.uniform(edges[:-1], edges[1:]))
    return [round(float(length)) for length in draw.permutation(lengths)]
