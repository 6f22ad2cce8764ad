"""A replica says where its times lean on others' kernels or on shapes beyond the measured ones."""

from __future__ import annotations

from meritorder.catalog.load import accelerators, models
from meritorder.perf.doubts import doubts
from meritorder.perf.placement import Placement


def place(chip: str, model: str, tensor: int = 1, budget: int = 8192) -> Placement:
    shape = models()[model]
    return Placement(accelerators()[chip], shape, tensor, 1, shape.weights, "fp16", 64, budget)


def test_what_was_measured_raises_no_doubt():
    assert doubts(place("h100", "llama-3.1-70b", tensor=8), 32768) == ()


def test_borrowed_expert_kernels_are_named():
    assert "expert kernels are those of h200 experts_fp8_block" in doubts(place("h200", "gpt-oss-120b"), 8192)


def test_shapes_beyond_the_measured_ones_are_named():
    told = doubts(place("h100", "llama-3.1-70b", tensor=8, budget=65536), 1_000_000)
    assert "iterations: m 65536 is outside 1 to 16384" in told
    assert "context 1e+06 is outside 2 to 131072" in told


def test_more_chips_than_were_joined_are_named():
    assert any(what.startswith("chips 16 is outside") for what in doubts(place("gb200", "llama-3.1-405b", 16), 8192))


def test_machines_without_measured_kernels_say_so_themselves():
    assert doubts(place("mi300x", "llama-3.1-70b"), 8192) == ()
    assert any("no calibration data" in note for note in accelerators()["mi300x"].notes)
