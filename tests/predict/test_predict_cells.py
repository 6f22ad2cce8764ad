"""A cell that can't be read costs its row (or its run), never the table: no traceback, one answer a row, and why."""

import pytest

from meritorder.catalog.load import catalog
from meritorder.predict.answer import answered
from meritorder.predict.cells import choice, number, text, whole
from meritorder.predict.forms import FORMS
from meritorder.problems import InputError

HEADS = {"batch_size": "8", "num_heads": "32", "num_key_value_heads": "8", "head_dim": "128", "kv_cache_dtype": "fp8"}
TALK = {"provider": "Cerebras", "model": "Llama 3.1 8B", "date": "2025-07"}
TOKENS = {"prompt_tokens": "500", "completion_tokens": "300"}
GOOD = {
    "InferenceX": {
        **{"backend": "vllm", "backend_version": "0.19.0", "model_path": "Qwen/Qwen3-32B", "system": "h100_sxm"},
        **{"precision": "fp8", "mode": "agg", "isl": "256", "osl": "64", "concurrency": "4", "tp_size": "2"},
    },
    "vLLM under open load": {
        **{"exp": "1", "stage": "0", "model": "meta-llama/Llama-3.1-8B", "gpu": "H100", "tp": "1"},
        **{"max_num_batched_tokens": "2048", "max_num_seqs": "64", "system_prompt_len": "100", "question_len": "100"},
        **{"output_len_nominal": "50", "n_system_prompts": "2", "users_per_system_prompt": "2", "rate_rps": "2"},
        **{"duration_s": "10", "precision": "FP16"},
    },
    "requests of vLLM runs": {
        **{"run": "RTX4090/Llama-3.1-8B", "req": "1", "arrival_s": "0.5"},
        **{"input_tokens": "100", "output_tokens": "20"},
    },
    "ML.ENERGY": {
        **{"task": "gpqa", "model_id": "Qwen/Qwen3-14B", "weight_precision": "bfloat16", "gpu_model": "H100"},
        **{"num_gpus": "1", "max_num_seqs": "64", "avg_output_len": "600"},
    },
    "MLPerf": {
        **{"system": "box", "accelerator": "NVIDIA B200-SXM-180GB", "accelerators_total": "8.0", "weight_dtype": "fp4"},
        **{"model": "llama2-70b-99", "scenario": "Offline", "engine": "TensorRT 10.11", "has_power": "True"},
    },
    "Splitwise": {
        **{"model": "llama2-70b", "hardware": "h100-80gb", "tensor_parallel": "4"},
        **{"prompt_size": "512", "batch_size": "1", "token_size": "128"},
    },
    "power per kernel": {"op": "gemm", "dtype": "fp8", "shape": "m256_n512_k1024", "power_limit_w": "1000"},
    "WaferLLM": {
        **{"phase": "decode", "model": "LLaMA3-8B", "device": "WSE-2", "system": "WaferLLM", "cores_side": "420"},
        **{"n_gpus": "", "context": "4096", "metric": "tpr"},
    },
    "CS-3 service, one model": {"prompt_type": "short_input_short_output", "concurrency": "1", **TOKENS},
    "CS-3 service, single calls": {**TALK, **TOKENS},
    "CS-3 service, speed of one user": {**TALK, "kind": "vendor docs", "precision": "fp16"},
    "GEMM": {"system": "h100_sxm", "gemm_dtype": "fp8", "m": "64", "n": "4096", "k": "4096"},
    "prefill attention": {"system": "h100_sxm", "isl": "512", **HEADS},
    "decode attention": {"system": "h100_sxm", "ctx": "512", **HEADS},
    "expert layers": {
        **{"system": "h100_sxm", "engine": "vllm 0.14.0", "moe_dtype": "fp8_block", "num_tokens": "64"},
        **{"hidden_size": "4096", "inter_size": "1536", "topk": "8", "num_experts": "128"},
        **{"moe_tp_size": "1", "moe_ep_size": "1", "distribution": "balanced"},
    },
    "collectives": {
        **{"system": "h100_sxm", "variant": "nccl", "op_name": "all_reduce", "dtype": "half", "num_gpus": "4"},
        "message_size": "4096",
    },
}
# Columns by which a table is known, but of which any content will do.
FREE = {
    "req",
    "exp",
    "stage",
    "concurrency",
    "power_limit_w",
    "backend_version",
    "date",
    "kind",
    "precision",
    "weight_dtype",
}


def _answer(form, *rows):
    return answered(form, rows, catalog(), lambda n: None)


BAD = ("", "x", "-1", "nan")


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_bad_cell_costs_its_row_and_says_which_column(form):
    good = GOOD[form.name]
    assert form.needs <= set(good)
    numbers = {name for name in form.needs - FREE if good[name].replace(".", "").isdigit()}
    for name in good:
        for value in (*BAD, "0"):
            (answer,) = _answer(form, {**good, name: value})
            assert answer.values or answer.note, (name, value)
            if name in numbers and value in BAD:
                assert not answer.values, (name, value)
                assert name in answer.note


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_rows_beside_a_bad_one_are_answered_as_if_alone(form):
    good = GOOD[form.name]
    name = next(name for name in sorted(form.needs - FREE) if name not in ("exp", "run"))
    bad = {**good, name: "x", **{of: "RTX4090/Qwen3-32B" for of in ("exp", "run") if of in good}}
    counted = []
    answers = answered(form, [bad, good, bad], catalog(), counted.append)
    assert sum(counted) == len(answers) == 3
    assert answers[1] == _answer(form, good)[0]
    assert answers[1].values
    assert answers[0] == answers[2]


@pytest.mark.parametrize("cell", ["", "x", "-1", "0", "nan", "inf", "1e99"])
def test_a_number_is_one_and_in_range(cell):
    with pytest.raises(InputError, match=r"tokens: is .*; give a number over 0"):
        number({"tokens": cell}, "tokens")


def test_numbers_names_and_what_empty_means():
    row = {"chips": "4.0", "odd": "2.5", "empty": " ", "kind": "half"}
    assert whole(row, "chips") == 4
    assert number(row, "empty", empty=7.0) == number(row, "absent", empty=7.0) == 7.0
    assert choice(row, "kind", {"half": 2}) == 2
    with pytest.raises(InputError, match=r'odd: is "2\.5"; give a whole number from 1'):
        whole(row, "odd")
    with pytest.raises(InputError, match='kind: is "half"; known: whole'):
        choice(row, "kind", {"whole": 1})
    with pytest.raises(InputError, match="empty: is empty"):
        text(row, "empty")
