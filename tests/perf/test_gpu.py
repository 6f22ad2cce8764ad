"""The GPU table: physics that must hold whatever the coefficients."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meritorder.catalog.engine import EngineProfile
from meritorder.catalog.load import accelerators, models
from meritorder.perf.gpu import gpu_table
from meritorder.perf.memory import memory
from meritorder.perf.placement import Placement

GPUS = sorted(name for name, chip in accelerators().items() if chip.kind == "gpu")


@st.composite
def placements(draw):
    model = models()[draw(st.sampled_from(["llama-3.1-8b", "llama-3.1-70b", "gpt-oss-120b", "qwen3-235b-a22b"]))]
    return Placement(
        chip=accelerators()[draw(st.sampled_from(GPUS))],
        model=model,
        tensor=draw(st.sampled_from([1, 2, 4, 8])),
        pipeline=draw(st.integers(1, 5)),
        weights=draw(st.sampled_from(["bf16", "fp8", "fp4", "mxfp4"])),
        kv=draw(st.sampled_from(["fp16", "fp8"])),
        max_sequences=128,
        token_budget=1024,
    )


@given(placements())
@settings(max_examples=60, deadline=None)
def test_more_work_takes_no_less_time_and_energy(place):
    table = gpu_table(place)
    # A KV token of a larger batch may be read faster, the batch's caches together may not.
    caches = table.decode_kv_s * np.arange(len(table.decode_kv_s))
    for column in (table.step_s, table.prefill_s, table.decode_s, caches):
        # Between measured batches (parts of them, in a pipeline), what a cached token costs is interpolated.
        assert (np.diff(column) >= -0.02 * column[1:]).all()
    for column in (table.step_j, table.prefill_j, table.decode_j):
        assert (np.diff(column) >= -1e-9).all()
    assert table.pair_s > 0
    assert table.decode_kv_s[1] > 0


@given(placements(), st.integers(0, 128), st.integers(0, 896), st.floats(0, 1e5), st.floats(0, 1e4))
@settings(max_examples=100, deadline=None)
def test_power_lies_between_idle_and_maximum(place, decoding, prompt, context, cached):
    if decoding + prompt == 0:
        return
    table = gpu_table(place)
    work = (decoding, decoding * context, prompt, prompt * cached)
    watts = table.idle_w + table.joules(*work) / table.seconds(*work)
    assert place.chip.idle * place.chips <= watts <= place.chip.max * place.chips * (1 + 1e-9)


def _place(accelerator, model, tensor=1, weights="bf16", **more):
    shape = {"pipeline": 1, "kv": "fp16", "max_sequences": 256, "token_budget": 8192, **more}
    return Placement(accelerators()[accelerator], models()[model], tensor, weights=weights, **shape)


def test_decode_can_not_beat_the_memory_nor_prefill_the_arithmetic():
    place = _place("h100", "llama-3.1-8b")
    table = gpu_table(place)
    assert table.seconds(1, 0) > place.model.params * 2 / place.chip.bandwidth * 0.9
    assert table.seconds(0, 0, 8192, 8192**2 / 2) > 8192 * 2 * 7e9 / place.chip.flops_16


def test_prefill_draws_more_than_decode():
    table = gpu_table(_place("h100", "llama-3.1-70b", tensor=4))
    decode = table.joules(8, 8000) / table.seconds(8, 8000)
    prefill = table.joules(0, 0, 4096, 4096**2 / 2) / table.seconds(0, 0, 4096, 4096**2 / 2)
    assert prefill > decode


def test_tensor_parallel_is_faster_but_less_than_linear():
    one, four = (gpu_table(_place("b200", "llama-3.1-70b", tensor=n)).seconds(16, 16e3) for n in (1, 4))
    assert one / 4 < four < one


def test_pipeline_stages_add_throughput_not_speed():
    one = gpu_table(_place("h100", "llama-3.1-70b", tensor=4))
    two = gpu_table(_place("h100", "llama-3.1-70b", tensor=4, pipeline=2))
    assert two.seconds(1, 1000) >= one.seconds(1, 1000) - one.decode_kv_s[1] * 1000
    assert two.seconds(256, 256e3) < one.seconds(256, 256e3)


def test_fewer_bits_decode_faster():
    times = [gpu_table(_place("b200", "llama-3.1-70b", weights=w)).seconds(1, 1000) for w in ("bf16", "fp8", "fp4")]
    assert times == sorted(times, reverse=True)


def test_a_mixture_slows_down_as_more_experts_are_read():
    table = gpu_table(_place("h200", "gpt-oss-120b", weights="mxfp4"))
    dense = gpu_table(_place("h200", "llama-3.1-8b", weights="bf16"))
    assert table.step_s[64] / table.step_s[1] > 2 * dense.step_s[64] / dense.step_s[1]


def test_attention_copies_store_the_latent_cache_once_and_keep_more_sessions():
    split = memory(_place("h200", "deepseek-r1", tensor=8, weights="fp8"), 0.9, 16)
    copies = memory(_place("h200", "deepseek-r1", data=8, expert=8, weights="fp8"), 0.9, 16)
    assert copies.weights > split.weights
    assert copies.blocks > 4 * split.blocks


def test_latent_attention_reads_less_than_grouped_heads():
    latent, grouped = (gpu_table(_place("h200", name, tensor=8, weights="fp8")) for name in LATENT_AND_GROUPED)
    assert latent.decode_kv_s[1] < grouped.decode_kv_s[1] * 2
    shared = gpu_table(_place("h200", "deepseek-r1", data=8, expert=8, weights="fp8"))
    assert shared.decode_kv_s[8] < latent.decode_kv_s[8] / 2


LATENT_AND_GROUPED = ("deepseek-r1", "llama-3.1-405b")


def test_attention_copies_feed_all_their_tokens_to_the_experts():
    """Missing it made others' models 14 to 47 % too fast."""
    one = gpu_table(_place("h200", "deepseek-r1", data=1, weights="fp8"))
    eight = gpu_table(_place("h200", "deepseek-r1", data=8, expert=8, weights="fp8"))
    assert eight.step_s[256] > one.step_s[256] / 8
    assert eight.step_s[8] > eight.step_s[1]


def test_sparse_attention_makes_long_contexts_cheap():
    sparse = gpu_table(_place("b200", "glm-5", tensor=8, weights="fp8"))
    full = gpu_table(_place("b200", "deepseek-r1", tensor=8, weights="fp8"))
    assert sparse.decode_kv_s[16] < full.decode_kv_s[16] / 2
    assert sparse.pair_s < full.pair_s


def test_linear_layers_keep_no_cache_but_move_their_state():
    model = models()["qwen3.5-397b-a17b"]
    table = gpu_table(_place("b200", "qwen3.5-397b-a17b", tensor=8, weights="fp8"))
    dense = gpu_table(_place("b200", "qwen3-235b-a22b", tensor=8, weights="fp8"))
    assert table.decode_kv_s[16] < dense.decode_kv_s[16]
    moved = 256 * model.state_bytes * 2 / 8 / 8e12
    assert table.decode_s[256] > moved


@pytest.mark.parametrize(
    ("name", "weights"), [("llama-3.1-70b", "fp8"), ("deepseek-r1", "fp4"), ("minimax-m2.5", "fp8")]
)
def test_factors_of_an_engine_act_on_their_kind_alone(name, weights):
    plain = _place("b200", name, tensor=8, weights=weights)
    slow = replace(plain, engine=EngineProfile(factors={"attention": 2.0}))
    one, two = gpu_table(plain), gpu_table(slow)
    assert np.allclose(two.decode_kv_s, 2 * one.decode_kv_s)
    assert np.array_equal(one.step_s, two.step_s)


def test_the_fullest_stage_sets_the_pace_of_every_kernel():
    full = models()["llama-3.1-70b"]  # 80 layers: 20 in each of four stages
    even = Placement(accelerators()["b200"], full, 1, 4, "fp8", "fp8", 64, 1024)
    uneven = replace(even, model=full.model_copy(update={"layers": 79}))
    one, other = gpu_table(even), gpu_table(uneven)
    for name in ("step_s", "prefill_s", "decode_s", "decode_kv_s", "pair_s"):
        np.testing.assert_allclose(getattr(other, name), getattr(one, name), err_msg=name)
