"""config.json files of known models give the shapes of the catalog; wrong ones are told clearly."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.catalog.hf_configs import CONFIGS

from meritorder.catalog.huggingface import model_from_config, read_config
from meritorder.catalog.load import models
from meritorder.problems import InputError

OWN = {"title", "extra_params"}  # the encoders are estimated, the title is none


@pytest.mark.parametrize("name", CONFIGS)
def test_a_published_config_gives_the_shape_of_the_catalog(name):
    known, read = models()[name], model_from_config(CONFIGS[name])
    differ = {"mtp_layers"} if name == "qwen3-next-80b-a3b" else set()  # its file is silent on the MTP head
    assert read.model_dump(exclude=OWN | differ) == known.model_dump(exclude=OWN | differ)
    assert read.extra_params == pytest.approx(known.extra_params, rel=0.35) or "vision_config" not in CONFIGS[name]


@pytest.mark.parametrize(
    ("packed", "weights"),
    [
        ({"quant_method": "awq", "bits": 4}, "int4"),
        ({"quant_method": "gptq", "bits": 8}, "int8"),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "fp4"),
        ({"quant_method": "modelopt", "quant_algo": "FP8"}, "fp8"),
        ({"bits": 4, "group_size": 64}, "int4"),
        (
            {
                "quant_method": "compressed-tensors",
                "config_groups": {"g": {"weights": {"num_bits": 8, "type": "float"}}},
            },
            "fp8",
        ),
        (None, "bf16"),
    ],
)
def test_the_number_format_is_that_of_the_weights(packed, weights):
    assert model_from_config({**CONFIGS["qwen3-32b"], "quantization_config": packed}).weights == weights


def test_half_precision_is_fp16():
    assert model_from_config({**CONFIGS["llama-3.1-8b"], "torch_dtype": "float16"}).weights == "fp16"


def test_experts_of_gemma_4_stand_beside_a_dense_feed_forward():
    # google/gemma-4-26b-a4b: 25.2 B parameters, 3.8 B active
    text = CONFIGS["gemma-4-31b"]["text_config"] | {
        **{"num_hidden_layers": 30, "hidden_size": 2816, "num_attention_heads": 16, "num_key_value_heads": 8},
        **{"num_global_key_value_heads": 2, "intermediate_size": 2112, "moe_intermediate_size": 704},
        **{"num_experts": 128, "top_k_experts": 8, "enable_moe_block": True},
        "layer_types": (["sliding_attention"] * 5 + ["full_attention"]) * 5,
    }
    model = model_from_config({"model_type": "gemma4", "text_config": text})
    assert (model.experts, model.active_experts, model.shared_experts, model.shared_ffn) == (128, 8, 1, 2112)
    assert model.params == pytest.approx(25.2e9, rel=0.02)
    assert model.active_params == pytest.approx(3.8e9, rel=0.05)


def test_blocks_of_nemotron_may_be_words():
    words = {"M": "mamba", "*": "attention", "-": "mlp"}
    config = dict(CONFIGS["nemotron-nano-9b-v2"])
    config["layers_block_type"] = [words[block] for block in config.pop("hybrid_override_pattern")]
    assert model_from_config(config).params == models()["nemotron-nano-9b-v2"].params


def problems_of(config):
    with pytest.raises(InputError) as caught:
        model_from_config(config, "my/config.json")
    return caught.value.problems


def test_an_unknown_architecture_is_told_with_its_neighbour():
    [problem] = problems_of({**CONFIGS["qwen3-32b"], "model_type": "qwen3_mo"})
    assert str(problem).startswith('my/config.json: model_type: is "qwen3_mo", which can\'t be read; did you mean')
    [problem] = problems_of({"architectures": ["X"]})
    assert (problem.key, problem.what) == ("model_type", "is missing")


def test_all_missing_keys_are_told_at_once():
    config = {key: value for key, value in CONFIGS["deepseek-r1"].items() if key not in ("v_head_dim", "vocab_size")}
    assert {problem.key for problem in problems_of(config)} == {"v_head_dim", "vocab_size"}


@pytest.mark.parametrize("key", ["moe_latent_size", "num_kv_shared_layers", "hidden_size_per_layer_input"])
def test_shapes_that_no_field_describes_are_refused(key):
    [problem] = problems_of({**CONFIGS["gemma-2-27b"], key: 256})
    assert (problem.key, problem.fix) == (key, "write a like model out under `models`")
    assert model_from_config({**CONFIGS["gemma-2-27b"], key: 0}).layers == 46


def test_keys_inside_a_part_are_told_with_it():
    config = {"model_type": "gemma3", "text_config": {**CONFIGS["gemma-3-27b"]["text_config"], "hidden_size": "wide"}}
    [problem] = problems_of(config)
    assert (problem.key, problem.what) == ("text_config.hidden_size", 'is "wide", not a count')


def test_a_shape_that_can_not_be_is_refused():
    [problem] = problems_of({**CONFIGS["llama-3.1-8b"], "num_key_value_heads": 5})
    assert "heads must be a multiple of kv_heads" in problem.what


def test_an_unknown_quantisation_is_refused():
    [problem] = problems_of({**CONFIGS["llama-3.1-8b"], "quantization_config": {"quant_method": "hqq"}})
    assert (problem.key, problem.what) == ("quantization_config.quant_method", '"hqq" can\'t be read')


def test_a_file_is_read(tmp_path):
    file = tmp_path / "config.json"
    file.write_text(json.dumps(CONFIGS["qwen3-32b"]))
    assert read_config(file).params == models()["qwen3-32b"].params


@pytest.mark.parametrize(
    ("text", "what"), [("{", "is not JSON"), ("[]", "is not a mapping"), (b"\xff\xfe", "is not JSON")]
)
def test_a_file_that_is_none_is_told(tmp_path, text, what):
    file = tmp_path / "config.json"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=what):
        read_config(file)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match="can't be read: no such file"):
        read_config(tmp_path / "config.json")


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 300),
    st.just(10**13),
    st.floats(),
    st.sampled_from(["", "wide", "full_attention", "awq"]),
    st.lists(st.sampled_from([0, "sliding_attention", [], {}]), max_size=3),
    st.dictionaries(
        st.sampled_from(["bits", "weights", "quant_method"]), st.sampled_from([4, "4", {"weights": {"num_bits": []}}])
    ),
)


@given(st.sampled_from(sorted(CONFIGS)), st.data())
def test_whatever_a_config_says_it_is_read_or_refused(name, data):
    config = json.loads(json.dumps(CONFIGS[name]))
    for part in (config, config.get("text_config", {}), config.get("vision_config", {})):
        for key in data.draw(st.lists(st.sampled_from(sorted(part)), max_size=3)) if part else ():
            part[key] = data.draw(ODD)
    config["quantization_config"] = data.draw(st.one_of(st.none(), ODD))
    try:
        model = model_from_config(config)
    except InputError:
        return
    assert model.params > 0
    assert model.kv_bytes_per_token("fp16") >= 0
