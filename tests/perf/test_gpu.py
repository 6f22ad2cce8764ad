"""The GPU table: physics that must hold whatever the coefficients."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meritorder.catalog.load import accelerators, models
from meritorder.perf.gpu import gpu_table
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
    for column in (table.step_s, table.prefill_s, table.decode_s, table.decode_kv_s):
        assert (np.diff(column) >= -1e-15).all()
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


def test_time_per_token_agrees_with_serving_runs(shared, monkeypatch):
    from pathlib import Path

    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))
    data = pytest.importorskip("scripts.machine_fit.data")
    serving = pytest.importorskip("scripts.machine_fit.serving")
    found = [run for run in serving.runs(data.Data(shared / "perf")) if run.engine == "vllm" and serving.trusted(run)]
    errors = [serving.predict(r, serving.table(r, accelerators()[r.machine])) / r.tpot - 1 for r in found]
    assert len(errors) > 300
    assert np.median(np.abs(errors)) < 0.12
    assert abs(np.median(errors)) < 0.06
