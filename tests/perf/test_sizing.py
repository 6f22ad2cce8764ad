"""How many chips a model needs, against published counts and by its own rules."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meritorder.catalog.load import accelerators, models
from meritorder.catalog.ranges import ends
from meritorder.perf.sizing import Wish, size, size_range
from meritorder.problems import InputError


def _wish(model, context=8192, sessions=1, weights=None, kv="fp16"):
    shape = models()[model]
    return Wish(shape, context, sessions, weights or shape.weights, kv)


# Model, weights, fewest and most wafers published or reported (notes on each machine: docs/machines.md).
WAFERS = [
    ("llama-3.1-8b", "bf16", 1, 1),
    ("llama-3.1-70b", "bf16", 4, 4),  # Cerebras, 2024
    ("llama-3.1-405b", "bf16", 12, 26),  # about 12 reported, 19 to 23 by arithmetic; whole layers need up to 26
    ("gpt-oss-120b", "mxfp4", 2, 2),
    ("kimi-k2.6", "int4", 16, 24),  # 16 in FP4, "20" in a forum
    ("kimi-k2.6", "fp8", 27, 33),  # 29
]


@pytest.mark.parametrize(("model", "weights", "low", "high"), WAFERS)
def test_wafers_for_the_weights(model, weights, low, high):
    assert low <= size(accelerators()["cs-3"], _wish(model, 1024, weights=weights)).chips <= high


def test_long_sessions_set_the_number_of_wafers():
    # Tokenomics default: 42 wafers for 257 sessions of 96.3K tokens, all SRAM used, all layers with full attention.
    # That is memory by the byte, and more wafers than the 36 layers; whole layers on each need a seventh more.
    chip = accelerators()["cs-3"]
    whole = chip.model_copy(update={"wafer": chip.wafer.model_copy(update={"sram": 1.0})})
    shape = models()["gpt-oss-120b"].model_copy(update={"window": 0, "window_layers": 0})
    told = size(whole, Wish(shape, 96_300, 257, "mxfp4", "fp16"))
    assert 42 <= told.chips <= 1.15 * 42
    assert told.pipeline <= shape.layers
    assert told.binds == "KV cache"
    assert told.session_bytes * 257 == pytest.approx(1.78e12, rel=0.03)


def test_wafers_of_a_pipeline_hold_a_layer_or_more():
    told = size(accelerators()["cs-3"], _wish("llama-3.2-1b", 8192, 100_000))
    assert told.pipeline <= models()["llama-3.2-1b"].layers
    assert told.replicas > 1
    assert told.sessions_that_fit >= 100_000


def test_eight_gpus_hold_what_one_does_not():
    told = size(accelerators()["h100"], _wish("llama-3.1-70b"))
    assert (told.tensor, told.pipeline, told.replicas) == (2, 1, 1)
    assert told.binds == "weights"


@given(
    st.sampled_from(["llama-3.1-8b", "gpt-oss-120b", "qwen3-235b-a22b"]),
    st.sampled_from(["cs-3", "cs-4", "h100", "mi300x"]),
    st.integers(128, 32_768),
    st.integers(1, 400),
)
@settings(max_examples=25, deadline=None)
def test_it_holds_all_sessions_and_more_need_no_fewer_chips(model, chip, context, sessions):
    machine, wish = accelerators()[chip], _wish(model, context, sessions)
    told = size(machine, wish)
    assert told.sessions_that_fit >= sessions
    assert told.least_chips <= told.chips <= size(machine, replace(wish, sessions=2 * sessions)).chips
    assert told.user_loaded <= told.user_alone * (1 + 1e-9)


def test_a_pipeline_is_busy_with_as_many_sessions_as_its_latency_has_slots():
    told = size(accelerators()["cs-3"], _wish("llama-3.1-70b", 1024, 200))
    few = size(accelerators()["cs-3"], _wish("llama-3.1-70b", 1024, told.busy_sessions // 4))
    assert told.pipeline * told.replicas <= told.busy_sessions < 200
    assert few.user_loaded == pytest.approx(few.user_alone, rel=0.05)
    assert told.user_loaded < 0.5 * told.user_alone


def test_ranges_enclose_the_value():
    told, bad, good = size_range(accelerators()["cs-3"], _wish("llama-3.1-70b", 8192, 40))
    assert bad.user_loaded < told.user_loaded < good.user_loaded
    assert bad.chips >= told.chips >= good.chips
    assert bad.idle_w > good.idle_w


def test_ranges_of_power_and_price_change_nothing_else():
    chip = accelerators()["a100-40"]
    told, bad, good = size_range(chip, _wish("llama-3.1-8b"))
    assert (bad.idle_w, good.idle_w) == (chip.ranges["idle"].high, chip.ranges["idle"].low)
    assert bad.usd_per_hour > told.usd_per_hour > good.usd_per_hour
    assert replace(bad, idle_w=told.idle_w, max_w=told.max_w, usd_per_hour=told.usd_per_hour) == told
    assert ends(chip)[0].flops_16 == chip.flops_16


def test_a_session_that_no_number_of_gpus_holds_is_refused():
    endless = models()["llama-3.1-8b"].model_copy(update={"max_context": 10**12})
    with pytest.raises(InputError, match=r"don't fit on 256 NVIDIA H100.*32 stages of a layer each, on up to 8 chips"):
        size(accelerators()["h100"], Wish(endless, 10**10, 1, "bf16", "fp16"))


def test_a_mixture_is_spread_over_its_scale_up_domain():
    told = size(accelerators()["gb300"], _wish("deepseek-r1", 8192, 5000))
    assert told.pipeline == 1
    assert told.data == told.expert > 8


@pytest.mark.parametrize(
    ("model", "chip", "sessions", "stages"),
    [("llama-3.1-405b", "rtx-4090", 1000, 24), ("kimi-k2.5", "h100", 1000, 3), ("llama-3.1-70b", "h100", 1000, 1)],
)
def test_stages_are_for_weights_and_replicas_for_sessions(model, chip, sessions, stages):
    told = size(accelerators()[chip], _wish(model, 8192, sessions))
    assert told.pipeline <= stages
    assert told.sessions_that_fit >= sessions


def test_of_equal_numbers_of_chips_the_faster_layout_is_taken():
    # eight chips as tensor 8 are faster for one user than as eight copies of attention
    chip = accelerators()["h200"]
    told = size(chip, _wish("deepseek-r1", 1024, 1))
    assert (told.chips, told.tensor, told.data) == (8, 8, 1)


def test_hundreds_of_small_chips_hold_a_large_model():
    told = size(accelerators()["groq-lpu"], _wish("llama-3.1-70b", 4096))
    assert 600 < told.chips < 1200
    assert told.pipeline < 80
