"""Layers on a mesh of cores, against WaferLLM's published behaviour."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meritorder.catalog.load import accelerators, models
from meritorder.perf.wafer_array import (
    best_side,
    context_seconds,
    decode_layer,
    kv_tokens_on_mesh,
    layer_work,
    prefill_layer,
)

# WaferLLM (OSDI'25), tables 3 and 4: tok/s of one request at 4K context by cores a side of a WSE-2.
DECODE = [("llama-3-8b", 420, 2699.9), ("llama-3-8b", 660, 2243.3), ("codellama-34b", 540, 1407.7)]
PREFILL = [("llama-3-8b", 480, 20320.6), ("llama-3-8b", 720, 27686.5), ("codellama-34b", 600, 7540.1)]


def _wafer():
    return accelerators()["cs-2"].wafer


@pytest.mark.parametrize(("name", "side", "rate"), DECODE)
def test_decode_of_the_research_port(name, side, rate):
    model = models()[name]
    assert 1 / (model.layers * decode_layer(_wafer(), layer_work(model, 4096), side)) == pytest.approx(rate, rel=0.05)


@pytest.mark.parametrize(("name", "side", "rate"), PREFILL)
def test_prefill_of_the_research_port(name, side, rate):
    model = models()[name]
    assert 4096 / (model.layers * prefill_layer(_wafer(), model, 4096, side)) == pytest.approx(rate, rel=0.06)


def test_more_cores_make_decode_slower_beyond_the_best_mesh():
    work = layer_work(models()["llama-3-8b"], 4096)
    times = [decode_layer(_wafer(), work, side) for side in (120, 360, 660, 900)]
    assert times[0] > times[1] < times[2] < times[3]


def test_a_later_port_has_the_same_slope_per_core_of_the_side():
    # one 8B-like layer on WSE-3, work per core fixed: 19,546 cycles at 240 cores a side, 22,029 at 360
    assert _wafer().hop_cycles == pytest.approx((22_029 - 19_546) / 120, rel=0.1)


@given(st.sampled_from(sorted(models())), st.integers(0, 100_000))
@settings(max_examples=60, deadline=None)
def test_the_best_mesh_is_no_slower_than_its_neighbours(name, context):
    wafer, model = _wafer(), models()[name]
    side, work = best_side(wafer, model, float(context)), layer_work(model, float(context))
    least = decode_layer(wafer, work, side)
    assert all(least <= decode_layer(wafer, work, other) for other in (side - 10, side + 10) if 60 <= other <= 920)


@given(st.sampled_from(sorted(models())), st.integers(0, 50_000), st.integers(100, 800))
@settings(max_examples=60, deadline=None)
def test_context_adds_what_its_slope_says(name, context, side):
    model, wafer = models()[name], _wafer()
    start = model.window  # beyond the windows only full layers see more
    there = decode_layer(wafer, layer_work(model, start + context), side)
    added = there - decode_layer(wafer, layer_work(model, start), side)
    assert added == pytest.approx(context * context_seconds(wafer, model, side), rel=1e-6, abs=1e-15)


def test_tokens_spread_over_rows_fill_the_mesh():
    # WaferLLM, table 5: 137,548 tokens of the 8B model at 360 cores a side; concatenated on one row only 382
    tokens = kv_tokens_on_mesh(_wafer(), models()["llama-3-8b"], 360)
    assert tokens == pytest.approx(137_548, rel=0.01)
    assert tokens / 360 == pytest.approx(382, abs=2)
