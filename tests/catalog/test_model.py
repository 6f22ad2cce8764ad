"""What follows from a model's shape, against published figures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from meritorder.catalog.load import model_entries, model_source, models
from meritorder.catalog.model import ModelSpec

ENTRIES = model_entries()
COUNTED = [name for name in ENTRIES if "params_b" in ENTRIES[name].get("published", {})]
COUNTED_ACTIVE = [name for name in ENTRIES if "active_b" in ENTRIES[name].get("published", {})]


@pytest.mark.parametrize("name", COUNTED)
def test_parameters_are_those_published(name):
    assert models()[name].params == pytest.approx(ENTRIES[name]["published"]["params_b"] * 1e9, rel=0.01)


@pytest.mark.parametrize("name", COUNTED_ACTIVE)
def test_active_parameters_are_those_published(name):
    # Vendors round to the billion, and count the input embedding among them or not.
    model, published = models()[name], ENTRIES[name]["published"]["active_b"]
    rounding = 0.5 if published == int(published) else 0.05
    slack = rounding * 1e9 + 0.01 * published * 1e9 + model.embedding_params
    assert model.active_params == pytest.approx(published * 1e9, abs=slack)


def test_checkpoint_of_qwen_3_6_holds_its_mtp_head_too():
    model = models()["qwen3.6-27b"]
    assert model.params + model.mtp_params == pytest.approx(
        ENTRIES["qwen3.6-27b"]["published"]["checkpoint_b"] * 1e9, rel=0.01
    )


def test_every_model_says_where_its_shape_is_from():
    for name in models():
        figure = model_source(name)
        assert figure.source
        assert figure.date
        assert figure.confidence in ("high", "medium", "low")
    assert len(models()) >= 25
    assert {name for name in models() if model_source(name).confidence == "low"} == {
        "qwen3.8-27b",
        "gpt-5.3-codex-spark",
    }


def test_kv_bytes_of_llama_70b():
    model = models()["llama-3.1-70b"]
    assert model.kv_bytes_per_token("fp16") == 2 * 80 * 8 * 128 * 2 == 327_680
    assert model.kv_bytes_per_token("fp8") == 163_840
    assert model.window_kv_bytes("fp16") == 0


def test_kv_bytes_are_those_published():
    # KB per token in 16 bit: Insights into DeepSeek-V3, table 1 (arXiv 2505.09343)
    published = {"deepseek-v3": 70.272, "qwen2.5-72b": 327.680, "llama-3.1-405b": 516.096}
    for name, kilobytes in published.items():
        assert models()[name].kv_bytes_per_token("fp16") == kilobytes * 1e3


def test_latent_attention_works_on_the_latents_in_decode():
    model = models()["deepseek-r1"]
    assert model.kv_bytes_per_token("fp8") == 61 * (512 + 64)
    # absorbed decode looks at the latents with all heads: (512 + 64) for the scores and 512 for the values
    assert model.decode_pair_flops == 2 * 128 * (576 + 512)
    assert model.pair_flops == 2 * 128 * (192 + 128)
    assert model.decode_flops_per_pair == 61 * model.decode_pair_flops


def test_nvfp4_leaves_latent_attention_wide():
    model = models()["deepseek-r1"]
    narrow = model.dense_params - model.mixer_params
    assert model.dense_weight_bytes("fp4") == 2 * model.mixer_params + 0.5625 * narrow
    assert models()["qwen3-32b"].dense_weight_bytes("fp4") == 0.5625 * models()["qwen3-32b"].dense_params


def test_int4_checkpoint_of_kimi_is_as_large_as_published():
    # moonshotai/Kimi-K2.5: 595 GB; experts alone are in int4
    model = models()["kimi-k2.5"]
    assert model.weights == "int4"
    assert model.weight_bytes("int4") == pytest.approx(595e9, rel=0.02)
    assert model.dense_weight_bytes("int4") == 2 * model.dense_params


def test_sparse_attention_caches_its_indexer_keys():
    dense, sparse = models()["deepseek-v3.1"], models()["deepseek-v3.2"]
    assert sparse.kv_bytes_per_token("fp16") == dense.kv_bytes_per_token("fp16") + 61 * 128
    assert sparse.index_pair_flops == 2 * 64 * 128
    assert dense.index_params == 0 == dense.index_pair_flops


def test_a_quarter_of_qwen_3_5_keeps_a_cache_and_the_rest_a_state():
    model = models()["qwen3.5-397b-a17b"]
    assert model.full_layers == 15
    assert model.kv_bytes_per_token("fp16") == 15 * 2 * 2 * 256 * 2
    # 64 value heads x 128 x 128 in 32 bit, and three positions of a convolution over keys and values
    assert model.state_bytes == 45 * (64 * 128 * 128 * 4 + (4096 + 8192) * 3 * 2)


def test_blocks_of_nemotron_stand_alone():
    model = models()["nemotron-nano-9b-v2"]
    assert (model.full_layers, model.linear_layers, model.ffn_layers) == (4, 27, 25)
    assert model.ffn_params == 2 * 4480 * 15680
    assert model.kv_bytes_per_token("fp16") == 4 * 2 * 8 * 128 * 2


def test_chunks_are_seen_by_half():
    chunked, sliding = models()["llama-4-scout"], models()["gemma-3-27b"]
    assert (chunked.full_layers, chunked.window_span) == (12, 4096)
    assert (sliding.full_layers, sliding.window_span) == (10, 1024)


def test_local_and_global_layers_of_gemma_4_differ():
    model = models()["gemma-4-31b"]
    assert model.kv_bytes_per_layer("fp16") == 2 * 4 * 512 * 2
    assert model.window_kv_bytes_per_layer("fp16") == 2 * 16 * 256 * 2
    assert model.attention_params == 5376 * 512 * (2 * 32 + 4)
    assert model.window_attention_params == 5376 * 256 * 2 * (32 + 16)
    assert model.window_pair_flops == 4 * 32 * 256


def test_every_second_layer_of_maverick_has_experts():
    model = models()["llama-4-maverick"]
    assert (model.moe_layers, model.ffn_layers) == (24, 24)


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
        {"ffn": 128, "kv_lora": 32, "kv_heads": 1},
        {"ffn": 128, "kv_lora": 32, "rope_dim": 8, "nope_dim": 8, "value_dim": 16},
        {"ffn": 128, "q_lora": 32},
        {"ffn": 128, "sparse_tokens": 32},
        {"ffn": 128, "linear_layers": 1},
        {"ffn": 128, "window": 8, "window_layers": 1, "linear_layers": 2, "linear_params": 9, "linear_state_bytes": 9},
        {"ffn": 128, "chunked": True},
        {"ffn": 128, "bare_layers": 3},
        {"ffn": 128, "shared_ffn": 64},
        {"ffn": 128, "ffn_matrices": 4},
    ],
)
def test_a_shape_that_can_not_be_is_refused(change):
    ModelSpec(**SHAPE, ffn=128)
    with pytest.raises(ValidationError):
        ModelSpec(**{**SHAPE, **change})
