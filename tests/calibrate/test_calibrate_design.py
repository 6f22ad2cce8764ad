"""Sweeps cover what a machine can do, cost about what they say, and keep to the time they are given."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from meritorder.calibrate.design import Limits, Pace, batches, design
from meritorder.calibrate.rows import prompt_chunks

LIMITS = st.builds(
    lambda sequences, budget, context: Limits(sequences, max(budget, sequences), context),
    st.integers(1, 64),
    st.integers(16, 8192),
    st.integers(128, 4096),
)
PACES = st.builds(Pace, st.floats(1e-3, 0.1), st.floats(0.0, 0.05), st.floats(1e-6, 1e-2))


@settings(max_examples=60, deadline=None)
@given(limits=LIMITS, pace=PACES, seconds=st.floats(5.0, 600.0), seed=st.integers(0, 99))
@example(limits=Limits(2, 16, 128), pace=Pace(0.0625, 0.0, 0.0078125), seconds=5.0, seed=0)  # two: one must be free
def test_what_a_sweep_promises(limits: Limits, pace: Pace, seconds: float, seed: int) -> None:
    sweep = design(limits, pace, seconds, seed)
    assert len(sweep.rounds) >= 3  # two to fit to, one held out
    for scenes in sweep.rounds:
        assert {1, limits.sequences} <= {scene.decoding for scene in scenes}
        assert any(scene.decoding == 0 and scene.prompts for scene in scenes)
        for scene in scenes:
            assert scene.decoding <= limits.sequences
            assert scene.decoding < limits.sequences or not scene.prompts  # one must be free for them
            assert all(1 <= prompt < limits.context for prompt in scene.prompts)
            assert scene.context < limits.context
    costs = [scene.cost(pace, limits.budget) for scenes in sweep.rounds for scene in scenes]
    assert sweep.requests == sum(cost[0] for cost in costs)
    assert sweep.prompt_tokens == sum(cost[1] for cost in costs)
    assert len(sweep.rounds) == 3 or sweep.seconds <= 1.5 * seconds


def test_more_time_tells_more() -> None:
    limits, pace = Limits(8, 256, 2048), Pace(0.015, 0.01, 0.004)
    short, long = design(limits, pace, 20.0), design(limits, pace, 400.0)
    assert long.requests > 2 * short.requests
    assert {scene.decoding for scene in long.rounds[0]} == set(range(9))


def test_rounds_have_other_prompts_in_another_order() -> None:
    first, second, *_ = design(Limits(8, 256, 2048), Pace(0.015, 0.01, 0.004), 100.0).rounds
    assert [scene.decoding for scene in first] != [scene.decoding for scene in second]
    assert {prompt for scene in first for prompt in scene.prompts} != {p for scene in second for p in scene.prompts}


@given(st.integers(1, 512), st.integers(0, 3))
def test_batches_end_with_the_most(most: int, detail: int) -> None:
    found = batches(most, detail)
    assert found == sorted(set(found))
    assert found[0] == 1
    assert found[-1] == most


@given(st.integers(1, 5000), st.integers(8, 600), st.integers(0, 4))
def test_a_split_prompt_attends_to_what_it_would_whole(prompt: int, budget: int, decoding: int) -> None:
    chunks = prompt_chunks(prompt, budget, decoding)
    assert sum(tokens for tokens, _ in chunks) == prompt
    assert all(tokens <= budget - decoding for tokens, _ in chunks)
    assert sum(pairs for _, pairs in chunks) == 0.5 * prompt * (prompt + 1.0)
