"""Prompts have the trace's lengths, share what its prefix blocks say, and nothing else."""

from __future__ import annotations

import numpy as np

from meritorder.serve.replay.prompts import Prompts
from meritorder.workload.trace import make_trace

# the second shares its first two blocks of 16 with the first, the third nothing; the last ends inside a block
TRACE = make_trace(
    arrival_s=[0, 1, 2, 3],
    prompt_tokens=[50, 40, 40, 20],
    output_tokens=[1, 1, 1, 1],
    block_start=[0, 3, 5, 7, 9],
    blocks=[0, 1, 2, 0, 1, 3, 4, 0, 1],
    block_tokens=16,
)


def shared(one: np.ndarray, other: np.ndarray) -> int:
    """How many tokens are equal at the start."""
    n = min(len(one), len(other))
    different = np.flatnonzero(one[:n] != other[:n])
    return int(different[0]) if len(different) else n


def test_tokens() -> None:
    tokens = [Prompts(TRACE).tokens(i) for i in range(4)]
    assert [len(t) for t in tokens] == [50, 40, 40, 20]
    assert shared(tokens[0], tokens[1]) == 32
    assert shared(tokens[0], tokens[2]) == 0
    assert shared(tokens[0], tokens[3]) == 20
    assert min(t.min() for t in tokens) >= 1_000
    assert max(t.max() for t in tokens) < 21_000


def test_text_has_four_bytes_a_token_and_shares_the_same() -> None:
    texts = [Prompts(TRACE).text(i) for i in range(4)]
    assert [len(text) for text in texts] == [200, 160, 160, 80]
    assert texts[0][:128] == texts[1][:128]
    assert texts[0][: 4 * 48] != texts[1][: 4 * 48]
    assert all(len(word) == 3 for text in texts for word in text.split())


def test_a_seed_decides() -> None:
    assert (Prompts(TRACE, 1).tokens(0) == Prompts(TRACE, 1).tokens(0)).all()
    assert shared(Prompts(TRACE, 1).tokens(0), Prompts(TRACE, 2).tokens(0)) == 0


def test_prompts_without_blocks_share_nothing() -> None:
    trace = make_trace([0, 1], [2000, 2000], [1, 1])
    prompts = Prompts(trace)
    assert shared(prompts.tokens(0), prompts.tokens(1)) == 0
    assert shared(prompts.tokens(0), prompts.tokens(1)[1:]) < 3, "nor shifted by one"
