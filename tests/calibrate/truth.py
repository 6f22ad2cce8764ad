"""A machine whose times are known, and what a sweep would see of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from meritorder.calibrate.rows import Iteration, Row, prompt_chunks
from meritorder.perf.table import IterationTable

BUDGET, CONTEXT = 256, 40
REQUEST_S = 0.004


def rows_of(table: IterationTable, noise: float, seed: int = 0, parts: int = 4, repeats: int = 10) -> list[Row]:
    """Decode at every batch and two contexts, prompts alone and among decoding sequences, with noise on each time."""
    draw = np.random.default_rng(seed)
    found = []

    def timed(*iterations: Iteration) -> float:
        return sum(table.seconds(*map(int, i[:1]), i[1], int(i[2]), i[3]) for i in iterations) * draw.normal(1.0, noise)

    for part in range(parts):
        for decoding in range(table.max_sequences + 1):
            for context in (CONTEXT, 1500) if decoding else ():
                for _ in range(repeats):
                    iteration = Iteration(decoding, float(decoding * context), 0, 0.0)
                    found.append(Row(timed(iteration), (iteration,), part=part))
            for prompt in np.exp(draw.uniform(np.log(8), np.log(900), 4)).astype(int):
                chunks = [
                    Iteration(decoding, float(decoding * CONTEXT), *chunk)
                    for chunk in prompt_chunks(int(prompt), BUDGET, decoding)
                ]
                if decoding:
                    found += [Row(timed(chunk), (chunk,), part=part) for chunk in chunks]
                else:
                    found.append(Row(timed(*chunks) + REQUEST_S, tuple(chunks), first_token=True, part=part))
    return found


def off(table: IterationTable, found: IterationTable) -> Mapping[str, float]:
    """Largest relative error of the table that was found, by kind of iteration, where there were measurements."""
    worst = {"decode": 0.0, "prompt": 0.0, "mixed": 0.0}
    for decoding in range(table.max_sequences + 1):
        for prompt in (0, 16, 64, 200):
            if decoding + prompt == 0 or decoding + prompt > BUDGET:
                continue
            kind = "decode" if not prompt else "mixed" if decoding else "prompt"
            held = float(decoding * 200)
            true = table.seconds(decoding, held, prompt, 0.5 * prompt * (prompt + 1.0))
            mine = found.seconds(decoding, held, prompt, 0.5 * prompt * (prompt + 1.0))
            worst[kind] = max(worst[kind], abs(mine / true - 1.0))
    return worst
