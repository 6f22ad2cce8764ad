"""From token times to iterations: what can be told is told right, and what can't is left out."""

from __future__ import annotations

import pytest

from meritorder.calibrate.occupancy import Heard, boundaries, rows

STEP = 0.05
# 1: the first came alone (0.00 to 0.05); the second waited since before: what was done for it can't be told
BATCHES = [(2, 0), (2, 0), (2, 0), (1, 0), (1, 0), (1, 0), (1, 0)]


def steady(sent: float, first: float, tokens: int, prompt: int = 10) -> Heard:
    return Heard(sent, prompt, [first + STEP * i for i in range(tokens)])


def test_batches_are_counted_as_streams_come_and_go() -> None:
    found = rows([steady(-1.0, 0.0, 10), steady(-0.5, 0.1, 4)], budget=256, part=3)
    assert [(row.iterations[0].decoding, row.iterations[0].prompt_tokens) for row in found] == BATCHES
    assert all(row.seconds == pytest.approx(STEP) for row in found)
    assert {row.part for row in found} == {3}


def test_a_prompt_falls_into_the_iteration_that_ends_with_its_first_token() -> None:
    falling = Heard(0.21, 30, [0.40])
    held = Heard(-1.0, 10, [0.0, 0.05, 0.10, 0.15, 0.20, 0.25, 0.40, 0.45])
    (mixed,) = [row for row in rows([held, falling], 256, 0) if row.iterations[0].prompt_tokens]
    assert mixed.seconds == pytest.approx(0.15)
    assert mixed.iterations[0] == (1, 15.0, 30, 465.0)


def test_a_long_prompt_is_split_by_the_budget() -> None:
    falling = Heard(0.06, 100, [0.50])
    held = Heard(-1.0, 10, [0.0, 0.05, 0.10, 0.30, 0.50, 0.55])
    mixed = [row.iterations[0] for row in rows([held, falling], 64, 0) if row.iterations[0].prompt_tokens]
    assert [i.prompt_tokens for i in mixed] == [63, 37]
    assert sum(i.pairs for i in mixed) == 0.5 * 100 * 101


def test_prompts_that_wait_for_one_another_are_left_out() -> None:
    held = Heard(-1.0, 10, [0.0, 0.05, 0.30, 0.60, 0.65])
    both = [Heard(0.03, 200, [0.30]), Heard(0.04, 200, [0.60])]
    assert not [row for row in rows([held, *both], 256, 0) if row.iterations[0].prompt_tokens]


def test_a_request_alone_tells_its_first_token() -> None:
    (row,) = rows([Heard(1.0, 300, [1.5], alone=True)], 256, 0)
    assert row.first_token
    assert row.seconds == pytest.approx(0.5)
    assert [i.prompt_tokens for i in row.iterations] == [256, 44]


def test_tokens_that_come_a_little_apart_are_of_one_iteration() -> None:
    steps = boundaries([steady(0.0, 0.0, 5), steady(0.0, 0.004, 5)])
    assert len(steps) == 5
    assert all(len(tokens) == 2 for _, tokens in steps)


def test_tokens_that_were_held_up_are_shared_out() -> None:
    held = Heard(-1.0, 10, [0.0, 0.05, 0.10, 0.199, 0.20, 0.25, 0.30, 0.35])
    assert [row.seconds for row in rows([held], 256, 0)] == [pytest.approx(STEP)] * 7
