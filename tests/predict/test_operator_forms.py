"""Operator tables answered row by row; accuracy on shapes left out, on a part of the shared measurements."""

from pathlib import Path

import numpy as np
import pytest

from meritorder.catalog.load import catalog
from meritorder.predict.operators import COLLECTIVES, DECODE_ATTENTION, EXPERTS, GEMM, OPERATOR_FORMS, PREFILL_ATTENTION


def _silent(_):
    pass


GEMM_ROW = {
    "system": "h100_sxm",
    "engine": "vllm 0.31.0",
    "gemm_dtype": "bfloat16",
    "m": "64",
    "n": "4096",
    "k": "4096",
}
HEADS = {"batch_size": "8", "num_heads": "32", "num_key_value_heads": "8", "head_dim": "128"}
ATTENTION = {"system": "b200_sxm", "attn_dtype": "bfloat16", "kv_cache_dtype": "fp8", **HEADS}
EXPERT_ROW = {
    "system": "l40s",
    "engine": "vllm 0.24.0",
    "moe_dtype": "fp8",
    "num_tokens": "256",
    "hidden_size": "4096",
    "inter_size": "1024",
    "topk": "10",
    "num_experts": "512",
    "moe_tp_size": "1",
    "moe_ep_size": "8",
    "distribution": "balanced",
}
LINK_ROW = {
    "system": "gb300",
    "lib": "nccl 2.29.2",
    "variant": "nccl",
    "op_name": "alltoall",
    "dtype": "int8",
    "num_gpus": "4",
    "message_size": "1048576",
}
ROWS = [
    (GEMM, GEMM_ROW),
    (PREFILL_ATTENTION, {**ATTENTION, "isl": "1024"}),
    (DECODE_ATTENTION, {**ATTENTION, "ctx": "1024"}),
    (EXPERTS, EXPERT_ROW),
    (COLLECTIVES, LINK_ROW),
]


@pytest.mark.parametrize(("form", "row"), ROWS, ids=lambda value: getattr(value, "name", ""))
def test_a_row_is_answered_in_milliseconds_and_known_by_its_columns(form, row):
    assert form.needs <= set(row)
    assert [other for other in OPERATOR_FORMS if other.needs <= set(row)] == [form]
    (answer,) = form.predict([row], catalog(), _silent)
    assert 1e-3 < answer.values["latency_ms"] < 5
    assert answer.note == ""


def test_answers_keep_the_order_of_the_rows():
    rows = [{**GEMM_ROW, "m": m, "system": s} for m in ("1", "16384") for s in ("h100_sxm", "a100_sxm")]
    took = [a.values["latency_ms"] for a in GEMM.predict(rows, catalog(), _silent)]
    assert took[0] < took[2]
    assert took[1] < took[3]
    assert took[2] < took[3]


def test_an_int8_message_is_half_a_half_precision_one():
    rows = [LINK_ROW, {**LINK_ROW, "dtype": "half", "message_size": "524288"}]
    one, other = (answer.values["latency_ms"] for answer in COLLECTIVES.predict(rows, catalog(), _silent))
    assert one == other


def test_rows_beyond_the_measurements_are_answered_with_a_note_and_unknown_machines_say_so():
    far, unknown = GEMM.predict([{**GEMM_ROW, "n": "1000000"}, {**GEMM_ROW, "system": "abacus"}], catalog(), _silent)
    assert far.values
    assert "n 1e+06 is outside" in far.note
    assert not unknown.values
    assert "abacus" in unknown.note
    (missing,) = GEMM.predict([{**GEMM_ROW, "gemm_dtype": "nvfp4"}], catalog(), _silent)
    assert not missing.values
    assert "no measurements" in missing.note


BARS = {"gemm": 0.09, "prefill": 0.08, "decode": 0.12, "experts": 0.2, "collectives": 0.2}


@pytest.mark.parametrize("table", BARS)
def test_shapes_left_out_are_predicted_within_the_bars(table, shared, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))
    kernels = pytest.importorskip("scripts.machine_fit.kernels")
    data = pytest.importorskip("scripts.machine_fit.data").Data(shared / "perf")
    judged = kernels.TABLES[table]
    machine = {"experts": "b200"}.get(table, "h100")
    errors = []
    for name, _, problem, rows in kernels.kernels(data, judged):
        if name == machine:
            errors.append(kernels.left_out(problem, [judged.group(row) for row in rows]))
            break
    assert np.median(np.concatenate(errors)) < BARS[table]
