"""ML.ENERGY, MLPerf, Splitwise and power per kernel: every row has an answer, near what was measured, and in order."""

import csv

import numpy as np
import pytest

from meritorder.catalog.load import catalog
from meritorder.predict.energy import ENERGY
from meritorder.predict.kernel_power import KERNEL_POWER
from meritorder.predict.mlperf import MLPERF
from meritorder.predict.splitwise import SPLITWISE

RUN = {
    **{"task": "lm-arena-chat", "model_id": "Qwen/Qwen3-14B", "weight_precision": "bfloat16", "gpu_model": "H100"},
    **{"num_gpus": "1", "expert_parallel": "1", "data_parallel": "1", "max_num_seqs": "64", "avg_output_len": "600"},
}
SYSTEM = {
    **{"system": "box", "accelerator": "NVIDIA B200-SXM-180GB", "accelerators_total": "8.0", "weight_dtype": "fp4"},
    **{"model": "llama2-70b-99", "scenario": "Offline", "engine": "TensorRT 10.11", "has_power": "True"},
}
BATCH = {
    **{"model": "llama2-70b", "hardware": "h100-80gb", "tensor_parallel": "4"},
    **{"prompt_size": "2048", "batch_size": "1", "token_size": "128"},
}


def _rows(shared, name):
    lines = (shared / "perf" / name).read_text().splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def _one(form, row, **changes):
    answer = form.predict([{**row, **changes}], catalog(), lambda n: None)[0]
    assert answer.values, answer.note
    return answer.values


@pytest.mark.parametrize(
    ("form", "name", "count"),
    [
        (ENERGY, "mlenergy_v3_heldout_inputs.csv", 213),
        (MLPERF, "mlperf_v51_heldout_inputs.csv", 44),
        (SPLITWISE, "splitwise_heldout_inputs.csv", 57),
        (KERNEL_POWER, "op_power_b200_heldout_inputs.csv", 2230),
    ],
)
def test_every_row_of_the_scoring_inputs_is_answered(shared, form, name, count):
    rows = _rows(shared, name)
    assert len(rows) == count
    assert form.needs <= set(rows[0])
    told = []
    answers = form.predict(rows, catalog(), told.append)
    assert sum(told) == count
    for row, answer in zip(rows, answers, strict=True):
        wanted = set(form.adds) - ({"power_result"} if row.get("has_power") != "True" else set())
        assert set(answer.values) == wanted
        assert all(np.isfinite(value) and value > 0 for value in answer.values.values())


def test_served_models_draw_what_was_measured(shared):
    rows = [row for row in _rows(shared, "mlenergy_v3_llm_calib.csv") if row["quality"] == "ok"]
    answers = ENERGY.predict(rows, catalog(), lambda n: None)
    for column, bar in (("gpu_power_w_per_gpu", 0.10), ("j_per_output_token", 0.11), ("output_tok_s", 0.10)):
        errors = [answer.values[column] / float(row[column]) - 1 for row, answer in zip(rows, answers, strict=True)]
        assert np.median(np.abs(errors)) < bar, column


def test_tuned_systems_and_old_engines_are_met(shared):
    for form, name, column, bar in (
        (MLPERF, "mlperf_v51_llm_calib.csv", "tokens_per_s", 0.10),
        (SPLITWISE, "splitwise_steps_power_calib.csv", "prompt_ms", 0.10),
        (SPLITWISE, "splitwise_steps_power_calib.csv", "token_ms", 0.06),
        (KERNEL_POWER, "op_power_b200.csv", "power_w", 0.12),
    ):
        rows = _rows(shared, name)
        answers = form.predict(rows, catalog(), lambda n: None)
        known = [(row, answer) for row, answer in zip(rows, answers, strict=True) if answer.values]
        assert len(known) > 0.9 * len(rows)
        errors = [answer.values[column] / float(row[column]) - 1 for row, answer in known]
        assert np.median(np.abs(errors)) < bar, (name, column)


def test_larger_batches_take_fewer_joules_per_token_and_boards_stay_in_their_range():
    runs = [_one(ENERGY, RUN, max_num_seqs=str(batch)) for batch in (1, 8, 32, 128)]
    joules = [run["j_per_output_token"] for run in runs]
    assert joules == sorted(joules, reverse=True)
    for run in runs:
        assert 140 < run["gpu_power_w_per_gpu"] <= 700
        assert run["j_per_request"] == pytest.approx(600 * run["j_per_output_token"])


def test_what_nobody_knows_is_said():
    for changes in ({"task": "poetry"}, {"gpu_model": "H900"}, {"model_id": "acme/unheard-of"}):
        answer = ENERGY.predict([{**RUN, **changes}], catalog(), lambda n: None)[0]
        assert not answer.values
        assert answer.note
    assert not MLPERF.predict([{**SYSTEM, "accelerator": ""}], catalog(), lambda n: None)[0].values


def test_limits_on_latency_cost_throughput_and_liquid_saves_fans():
    rates = [_one(MLPERF, SYSTEM, scenario=name)["tokens_per_s"] for name in ("Offline", "Server", "Interactive")]
    assert rates == sorted(rates, reverse=True)
    air, liquid = (_one(MLPERF, SYSTEM, system=name)["power_result"] for name in ("SR680a V3", "SR780a V3"))
    assert 8 * 600 < liquid < air < 14_300


def test_a_cap_slows_prompts_by_what_was_measured_and_tokens_not():
    free, half = _one(SPLITWISE, BATCH), _one(SPLITWISE, BATCH, hardware="h100-80gb-pcap")
    assert half["prompt_ms"] / free["prompt_ms"] == pytest.approx(1.30, abs=0.05)
    assert half["token_ms"] == pytest.approx(free["token_ms"], rel=0.01)
    assert half["peak_power_frac_tdp"] < free["peak_power_frac_tdp"]
