"""The wafer pipeline: the formulas of its two phases, and published speeds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meritorder.catalog.load import accelerators, models
from meritorder.perf.placement import Placement
from meritorder.perf.wafer import pipeline_latency, token_slot, wafer_table

# Model, wafers, tok/s of one user: lowest and highest of published figures (WaferLLM, vendor, Artificial Analysis).
SPEEDS = [("llama-3.1-8b", 1, 1800, 2700), ("llama-3.1-70b", 4, 450, 2314), ("gpt-oss-120b", 3, 1706, 3000)]


def _place(model="llama-3.1-70b", wafers=5, decode_slot=1.0, chip="cs-3", sequences=256, budget=4096):
    machine = accelerators()[chip]
    machine = machine.model_copy(update={"wafer": machine.wafer.model_copy(update={"decode_slot": decode_slot})})
    shape = models()[model]
    return Placement(machine, shape, 1, wafers, shape.weights, "fp16", sequences, budget)


@pytest.mark.parametrize(("model", "wafers", "low", "high"), SPEEDS)
def test_one_user_is_as_fast_as_published(model, wafers, low, high):
    table = wafer_table(_place(model, wafers))
    assert low <= 1 / table.seconds(1, 1000) <= high


def test_prompt_time_of_the_cs3_service():
    # Llama 3.3 70B, March 2025: 1.09 ms + 37.3 us a token on four wafers; pairs are part of the slope there
    table = wafer_table(_place(wafers=4))
    for tokens in (39, 2000, 3092):
        measured = 1.09e-3 + 37.3e-6 * tokens
        assert table.seconds(0, 0, tokens, tokens**2 / 2) == pytest.approx(measured, rel=0.05)


@given(st.integers(1, 256), st.integers(1, 4096), st.floats(0.2, 5.0))
@settings(max_examples=60, deadline=None)
def test_each_phase_alone_follows_its_formula(decoding, prompt, decode_slot):
    place = _place(decode_slot=decode_slot)
    table, latency, slot = wafer_table(place), pipeline_latency(place), token_slot(place)
    assert table.seconds(decoding, 0) == pytest.approx(max(latency, decoding * slot * decode_slot))
    assert table.seconds(0, 0, prompt) == pytest.approx(latency + prompt * slot)


@given(st.integers(0, 256), st.integers(0, 3840), st.floats(0, 5000), st.floats(0.2, 5.0), st.integers(1, 90))
@settings(max_examples=100, deadline=None)
def test_power_lies_between_idle_and_maximum(decoding, prompt, cached, decode_slot, wafers):
    if decoding + prompt == 0:
        return
    place = _place(wafers=wafers, decode_slot=decode_slot)
    table = wafer_table(place)
    work = (decoding, decoding * 500.0, prompt, prompt * cached)
    watts = table.idle_w + table.joules(*work) / table.seconds(*work)
    assert place.chip.idle * wafers <= watts <= place.chip.max * wafers * (1 + 1e-9)


@given(st.floats(0.2, 5.0))
@settings(max_examples=30, deadline=None)
def test_more_work_takes_no_less_time(decode_slot):
    table = wafer_table(_place(decode_slot=decode_slot))
    for column in (table.step_s[1:], table.prefill_s, table.decode_s):
        assert (np.diff(column) >= -1e-15).all()


def test_more_wafers_add_throughput_and_a_hop():
    four, eight = (_place(wafers=n) for n in (4, 8))
    assert token_slot(eight) < token_slot(four)
    crossing = four.chip.hop + four.model.hidden * 2 / four.chip.link
    assert pipeline_latency(eight) - pipeline_latency(four) == pytest.approx(4 * crossing)


def test_the_newer_wafer_is_faster():
    assert pipeline_latency(_place(chip="cs-4")) < 0.6 * pipeline_latency(_place(chip="cs-3"))


def test_a_lone_sequence_waits_longer_for_its_cache_than_one_of_many():
    table = wafer_table(_place(wafers=4))
    lone = table.seconds(1, 10_000) - table.seconds(1, 0)
    of_many = (table.seconds(100, 1_000_000) - table.seconds(100, 0)) / 100
    assert 0 < of_many < lone


@pytest.mark.parametrize("wafers", [3, 4, 5])
def test_a_lone_user_draws_no_more_than_the_range_of_one_wafer(wafers):
    place = _place(wafers=wafers)
    table = wafer_table(place)
    for context in (0, 1_000, 100_000):
        above_idle = table.joules(1, context) / table.seconds(1, context)
        assert above_idle <= (place.chip.max - place.chip.idle) * (1 + 1e-9)


def test_energy_of_a_token_rises_with_its_context_and_not_with_the_batch():
    table = wafer_table(_place(wafers=4))
    contexts = [table.joules(1, context) for context in (0, 1_000, 10_000, 100_000)]
    batches = [table.joules(batch, batch * 10_000) / batch for batch in (1, 2, 4, 16, 256)]
    assert (np.diff(contexts) > 0).all()
    assert (np.diff(batches) <= 1e-12 * batches[0]).all()
