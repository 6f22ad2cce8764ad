"""The sweep on a live endpoint: scene by scene, from requests to rows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

from meritorder.calibrate.answer import Answer
from meritorder.calibrate.asking import Asker
from meritorder.calibrate.design import BETWEEN, LEAD, Pace, Scene, Sweep
from meritorder.calibrate.occupancy import Heard, rows
from meritorder.calibrate.rows import Row

_REST_S = 0.02  # between scenes: the engine becomes idle


async def run(
    sweep: Sweep, asker: Asker, budget: int, pace: Pace, advance: Callable[[float], None], seed: int = 0
) -> list[Row]:
    """All rounds; rows carry their round as `part`. Raises InputError where a request fails."""
    draw = Random(seed)
    found: list[Row] = []
    done = 0.0
    for part, scenes in enumerate(sweep.rounds):
        for scene in scenes:
            found += rows(await play(scene, asker, budget, draw), budget, part)
            done += scene.cost(pace, budget)[3]
            advance(min(done / sweep.seconds, 1.0))
            await asyncio.sleep(_REST_S)
    return found


async def play(scene: Scene, asker: Asker, budget: int, draw: Random) -> list[Heard]:
    """One scene: what was heard of each of its requests."""
    output = scene.output(budget)
    held = [asker.send(scene.context, output) for _ in range(scene.decoding)]
    alone = not held
    falling: list[Answer] = []
    await asker.until(held, LEAD)
    for prompt in scene.prompts:
        if held:
            await asker.until(held, min(len(held[0].seen) + BETWEEN, output))
            await asyncio.sleep(draw.random() * _usual_s(held[0]))  # anywhere in an iteration
        if alone or not all(answer.ended for answer in held):
            falling.append(asker.send(prompt, 1))
            await asker.until(falling)
            await asyncio.sleep(_REST_S if alone else 0.0)
    await asker.until(held)
    return [
        *(Heard(answer.sent, answer.prompt_tokens, answer.token_times()) for answer in held),
        *(Heard(answer.sent, answer.prompt_tokens, answer.token_times(), alone) for answer in falling),
    ]


def _usual_s(answer: Answer) -> float:
    """Time between its latest tokens."""
    return answer.seen[-1] - answer.seen[-2] if len(answer.seen) > 1 else 0.0
