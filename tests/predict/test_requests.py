"""Single requests of vLLM runs: all rows answered in their order, times that add up, and a measured run met."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from meritorder.catalog.layers import layer_times
from meritorder.catalog.load import catalog
from meritorder.perf.profiled import Additions, along, mixture, profiled_table
from meritorder.predict.requests import REQUESTS, SETTINGS, Setting

NOTHING = Additions(layer=0.0, prompt_layer=0.0, attention=1.0, link_fixed=0.0, link_byte=0.0)


def read(shared: Path, name: str) -> list[dict[str, str]]:
    with (shared / "perf" / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def request(
    arrival: float, prompt: int = 500, output: int = 100, run: str = "RTXPRO6000/Llama-3.1-8B"
) -> dict[str, str]:
    return {
        "run": run,
        "req": f"at {arrival}",
        "arrival_s": str(arrival),
        "input_tokens": str(prompt),
        "output_tokens": str(output),
    }


def predict(*rows: dict[str, str]) -> list[dict[str, float]]:
    answers = REQUESTS.predict(rows, catalog(), lambda count: None)
    assert all(answer.values for answer in answers), [answer.note for answer in answers]
    return [dict(answer.values) for answer in answers]


def test_answers_stand_in_the_order_of_the_rows() -> None:
    late, early = predict(request(100.0, prompt=2000), request(0.0, prompt=100))
    assert late["ttft_ms"] > 2 * early["ttft_ms"]


def test_times_add_up() -> None:
    for values in predict(*(request(0.1 * i) for i in range(30))):
        assert values["e2e_ms"] == pytest.approx(values["ttft_ms"] + 99 * values["tpot_ms"])
        assert values["ttft_ms"] > values["queue_ms"] >= 0.0


def test_a_request_alone_takes_what_its_kernels_take() -> None:
    alone = predict(request(0.0, prompt=512, output=200))[0]
    times = layer_times()["rtx-pro-6000", "llama-3.1-8b", 1]
    weights = 1e3 * (32 * along(times.dense, np.array([1.0]))[0] + along(times.head, np.array([1.0]))[0])
    assert weights < alone["tpot_ms"] < 1.2 * weights
    assert alone["ttft_ms"] > 1e3 * 32 * along(times.dense, np.array([512.0]))[0]


def test_runs_are_simulated_each_by_itself() -> None:
    rows = [request(0.0), request(0.0, run="RTX4090/Llama-3.1-8B")]
    together, apart = predict(*rows), [predict(row)[0] for row in rows]
    assert together == apart
    assert together[1]["tpot_ms"] > together[0]["tpot_ms"]


def test_few_kv_blocks_let_requests_wait() -> None:
    gpu = "rtx-4090", "llama-3.1-8b"
    tokens = SETTINGS[gpu].kv_blocks * 16
    rows = [request(0.01 * i, prompt=tokens // 10, output=50, run="RTX4090/Llama-3.1-8B") for i in range(20)]
    waits = [values["queue_ms"] for values in predict(*rows)]
    assert waits[0] == 0.0
    assert max(waits) > 100.0


def test_engines_in_step_share_their_experts_and_wait_for_a_prompt() -> None:
    times = layer_times()["rtx-pro-6000", "qwen3-30b-a3b-2507", 1]
    one, two = profiled_table(times, NOTHING, 128, 2048), profiled_table(times, NOTHING, 256, 4096, ranks=2)
    # two engines with 64 sequences each: half the experts, as many tokens for each of them as one engine with 64 has
    assert two.seconds(128, 128 * 500) < one.seconds(64, 64 * 500)
    # a prompt is computed by one of them: dense parts take as long as on one engine
    added = two.seconds(128, 0, 1000) - two.seconds(128, 0)
    dense = times.layers * (along(times.dense, np.array([1064.0])) - along(times.dense, np.array([64.0])))[0]
    assert added > 0.9 * dense


def test_more_tokens_touch_more_experts() -> None:
    times = layer_times()["rtx-pro-6000", "qwen3-30b-a3b-2507", 1]
    seconds = mixture(times, np.array([1.0, 4.0, 16.0, 128.0, 2048.0]), 1)
    assert (np.diff(seconds) > 0).all()
    assert seconds[3] == pytest.approx(849e-6, rel=0.02)  # all 128 experts, as profiled


def test_what_was_not_profiled_says_so() -> None:
    for run in ("RTX4090/Qwen3-32B", "H100/Llama-3.1-8B", "RTX4090/nobody-knows"):
        answer = REQUESTS.predict([request(0.0, run=run)], catalog(), lambda count: None)[0]
        assert not answer.values
        assert "not profiled" in answer.note or "no model" in answer.note


def test_settings_are_of_runs_that_can_be_simulated() -> None:
    for gpu, model in SETTINGS:
        assert (gpu, model, SETTINGS[gpu, model].tensor) in layer_times()
    assert Setting().max_sequences == 128


def test_every_scored_row_is_answered(shared) -> None:
    rows = read(shared, "req_vllm_llmss_heldout_inputs.csv")
    found = predict(*rows)
    assert len(found) == 900
    for values in found:
        assert all(np.isfinite(value) and value >= 0 for value in values.values())


def test_the_calibration_run_is_met(shared) -> None:
    rows = read(shared, "req_vllm_llmss_calib.csv")
    found = predict(*({k: v for k, v in row.items() if k not in REQUESTS.adds} for row in rows))
    for name, limit in (("tpot_ms", 0.02), ("e2e_ms", 0.02), ("ttft_ms", 0.04)):
        mean = np.mean([values[name] for values in found]) / np.mean([float(row[name]) for row in rows])
        assert abs(mean - 1) < limit, name
