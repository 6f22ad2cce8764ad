"""Blocks that decoding sequences need, from the histogram of phases, against counting them one by one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from meritorder.simulate.kernel.phases import affordable, due_after, needed

lengths = st.lists(st.integers(1, 500), min_size=1, max_size=20)
block = st.sampled_from([1, 2, 3, 16, 64])


def histogram(lengths: list[int], block: int, iteration: int) -> np.ndarray:
    phases = np.zeros(block + 3, np.int32)
    for tokens in lengths:
        phases[3 + (tokens - iteration) % block] += 1
    return phases


def counted(lengths: list[int], block: int, n: int) -> int:
    return sum(-(-(tokens + n) // block) - -(-tokens // block) for tokens in lengths)


@given(lengths, block, st.integers(0, 10**6), st.integers(0, 300))
def test_needed(lengths: list[int], block: int, iteration: int, n: int) -> None:
    phases = histogram(lengths, block, iteration)
    due = -iteration % block
    assert needed(phases, 3, block, due, len(lengths), n) == counted(lengths, block, n)
    assert phases[3 + due] == counted(lengths, block, 1)
    assert due_after(due, block, n) == -(iteration + n) % block


@given(lengths, block, st.integers(0, 10**6), st.integers(0, 400), st.integers(1, 300))
def test_affordable(lengths: list[int], block: int, iteration: int, free: int, most: int) -> None:
    phases = histogram(lengths, block, iteration)
    n = affordable(phases, 3, block, -iteration % block, len(lengths), free, most)
    assert 0 <= n <= most
    assert counted(lengths, block, n) <= free
    assert n == most or counted(lengths, block, n + 1) > free
