"""What follows from a model's shape, against published figures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from meritorder.catalog.load import models
from meritorder.catalog.model import ModelSpec

PUBLISHED = {
    "llama-2-7b": 6.74e9,
    "llama-3.1-8b": 8.03e9,
    "llama-3.1-70b": 70.6e9,
    "llama-3.1-405b": 405.9e9,
    "mistral-nemo-12b": 12.2e9,
    "yi-34b": 34.4e9,
    "codellama-34b": 33.7e9,
    "qwen2.5-7b": 7.62e9,
    "qwen3-8b": 8.2e9,
    "qwen3-14b": 14.8e9,
    "qwen3-32b": 32.8e9,
    "qwen3-30b-a3b": 30.5e9,
    "qwen3-235b-a22b": 235e9,
    "gpt-oss-20b": 20.9e9,
    "gpt-oss-120b": 116.8e9,
}
PUBLISHED_ACTIVE = {"gpt-oss-120b": 5.13e9, "gpt-oss-20b": 3.61e9, "qwen3-235b-a22b": 22e9}


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_those_published(name):
    assert models()[name].params == pytest.approx(PUBLISHED[name], rel=0.01)


@pytest.mark.parametrize("name", PUBLISHED_ACTIVE)
def test_active_parameters_are_those_published(name):
    assert models()[name].active_params == pytest.approx(PUBLISHED_ACTIVE[name], rel=0.02)


def test_kv_bytes_of_llama_70b():
    model = models()["llama-3.1-70b"]
    assert model.kv_bytes_per_token("fp16") == 2 * 80 * 8 * 128 * 2 == 327_680
    assert model.kv_bytes_per_token("fp8") == 163_840
    assert model.window_kv_bytes("fp16") == 0


def test_half_of_gpt_oss_keeps_only_a_window():
    model = models()["gpt-oss-120b"]
    per_layer = 2 * 8 * 64 * 2
    assert model.kv_bytes_per_token("fp16") == 18 * per_layer
    assert model.window_kv_bytes("fp16") == 18 * 128 * per_layer


def test_mxfp4_checkpoint_of_gpt_oss_is_as_large_as_published():
    # 60.8 GiB (gpt-oss model card)
    assert models()["gpt-oss-120b"].weight_bytes("mxfp4") == pytest.approx(60.8 * 2**30, rel=0.01)


def test_attention_flops_of_a_pair():
    # QK and AV: 2 FLOPs each for every head and dimension
    assert models()["llama-3.1-8b"].flops_per_pair == 4 * 32 * 128 * 32


@given(st.floats(1, 1e5), st.floats(1, 1e5))
def test_more_tokens_touch_more_experts_up_to_all(few, many):
    model = models()["gpt-oss-120b"]
    few, many = sorted((few, many))
    touched = model.experts_touched(np.array([1.0, few, many]))
    assert touched[0] == pytest.approx(4)
    assert touched[0] - 1e-9 <= touched[1] <= touched[2] <= 128


def test_narrower_weights_are_smaller():
    for model in models().values():
        sizes = [model.weight_bytes(precision) for precision in ("bf16", "fp8", "fp4")]
        assert sizes == sorted(sizes, reverse=True)
        assert sizes[0] == 2 * model.params


SHAPE = {"layers": 2, "hidden": 64, "heads": 4, "kv_heads": 2, "head_dim": 16, "vocab": 100, "max_context": 128}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"ffn": 128, "kv_heads": 3},
        {"ffn": 128, "experts": 4},
        {"ffn": 128, "active_experts": 2},
        {"ffn": 128, "window": 16},
        {"ffn": 128, "window": 16, "window_layers": 3},
        {"ffn": 128, "extra": 1},
    ],
)
def test_a_shape_that_can_not_be_is_refused(change):
    ModelSpec(**SHAPE, ffn=128)
    with pytest.raises(ValidationError):
        ModelSpec(**{**SHAPE, **change})
