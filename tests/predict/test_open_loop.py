"""vLLM servers under open load: the load of inference-perf, an answer to every row, times that make sense."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from meritorder.catalog.load import catalog
from meritorder.predict.open_loop import BLOCK, OPEN_LOOP, VERSION, asked, requests
from meritorder.predict.vllm import serve, server


def stage(**changes: str) -> dict[str, str]:
    row = {
        "exp": "a run",
        "stage": "0",
        "model": "meta-llama/Llama-3.1-8B-Instruct",
        "gpu": "H100",
        "tp": "1",
        "precision": "FP16",
        "max_num_batched_tokens": "2048",
        "max_num_seqs": "128",
        "system_prompt_len": "100",
        "question_len": "447",
        "output_len_nominal": "248",
        "n_system_prompts": "9",
        "users_per_system_prompt": "5",
        "rate_rps": "5",
        "duration_s": "60",
    }
    return {**row, **changes}


def predict(*rows: dict[str, str]) -> list[dict[str, float]]:
    answers = OPEN_LOOP.predict(rows, catalog(), lambda count: None)
    assert all(answer.values for answer in answers), [answer.note for answer in answers]
    return [dict(answer.values) for answer in answers]


def test_a_stage_fills_its_time_with_its_requests() -> None:
    load = requests([stage(), stage(stage="1", rate_rps="10", duration_s="30")])
    for number, (count, duration) in enumerate([(300, 60.0), (300, 30.0)]):
        arrivals = load.trace.arrival_s[load.stage == number]
        assert len(arrivals) == count
        gaps = np.diff(arrivals)
        assert arrivals[-1] - arrivals[0] + gaps.mean() == pytest.approx(duration, rel=0.05)
        assert gaps.std() == pytest.approx(gaps.mean(), rel=0.25)  # exponential, not constant


def test_prompts_come_in_turn_and_share_the_system_prompt() -> None:
    trace = requests([stage()]).trace
    first = [trace.blocks[a:b] for a, b in zip(trace.block_start[:-1], trace.block_start[1:], strict=True)]
    assert all((first[i] == first[i + 45]).all() for i in range(100))
    assert len({tuple(blocks) for blocks in first[:45]}) == 45
    assert len({tuple(blocks[: 104 // BLOCK]) for blocks in first[:45]}) == 9


def test_only_the_first_round_misses_the_prefix_cache() -> None:
    load = requests([stage()])
    served = serve(server(asked(stage()), catalog(), VERSION), load.trace)
    assert served.ttft_s[:45].mean() > 1.2 * served.ttft_s[45:].mean()


def test_every_time_is_at_least_the_iterations_it_needs() -> None:
    running = server(asked(stage()), catalog(), VERSION)
    load = requests([stage()])
    served = serve(running, load.trace)
    shortest = running.replica.table.seconds(1, 0)
    assert (served.ttft_s > running.replica.request_s + shortest).all()
    assert (served.e2e_s - served.ttft_s > 247 * shortest).all()
    assert (served.queue_s > -1e-9).all()


def test_more_load_takes_longer_and_more_gpus_are_faster() -> None:
    slow, fast = predict(stage(), stage(exp="b", rate_rps="20"))
    two = predict(stage(tp="2"))[0]
    assert fast["itl_mean_ms"] > slow["itl_mean_ms"] > two["itl_mean_ms"]
    assert fast["ttft_mean_ms"] > slow["ttft_mean_ms"]
    for values in (slow, fast):
        assert values["ttft_mean_ms"] < values["ttft_p90_ms"] < values["ttft_p99_ms"]
        assert values["e2e_mean_ms"] < values["e2e_p90_ms"] < values["e2e_p99_ms"]


def test_the_client_counts_other_tokens_than_were_made() -> None:
    made, counted = predict(stage(), stage(exp="b", output_len_mean_est="124.5"))
    assert counted["e2e_mean_ms"] == made["e2e_mean_ms"]
    assert counted["itl_mean_ms"] == pytest.approx(2 * made["itl_mean_ms"])


def test_the_row_of_all_stages_is_both_pooled() -> None:
    slow, fast, both = predict(
        stage(), stage(stage="1", rate_rps="10"), stage(stage="all", rate_rps="", duration_s="120")
    )
    assert both["e2e_mean_ms"] == pytest.approx((slow["e2e_mean_ms"] + 2 * fast["e2e_mean_ms"]) / 3)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"model": "nobody/knows-this"}, "no model called"),
        ({"gpu": "abacus"}, "abacus"),
        ({"model": "meta-llama/Llama-2-70b-hf"}, "does not fit"),
        ({"rate_rps": ""}, "rate"),
    ],
)
def test_what_can_not_be_answered_says_why(changes: dict[str, str], why: str) -> None:
    answer = OPEN_LOOP.predict([stage(**changes)], catalog(), lambda count: None)[0]
    assert not answer.values
    assert why in answer.note


def test_every_scored_row_is_answered(shared) -> None:
    with (shared / "perf" / "e2e_vllm_blis_eval_inputs.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    answers = OPEN_LOOP.predict(rows, catalog(), lambda count: None)
    assert len(answers) == len(rows) == 119
    for answer in answers:
        assert set(answer.values) == set(OPEN_LOOP.adds), answer.note
        assert np.isfinite(list(answer.values.values())).all()


def test_calibration_stages_are_met(shared) -> None:
    with (shared / "perf" / "e2e_vllm_blis_calib.csv").open(encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(line for line in file if not line.startswith("#")) if "Yi-34B" in r["model"]]
    asked_of = [{k: v for k, v in row.items() if k not in OPEN_LOOP.adds} for row in rows]
    for row, values in zip(rows, predict(*asked_of), strict=True):
        for name, limit in (("e2e_mean_ms", 0.08), ("ttft_mean_ms", 0.15), ("itl_mean_ms", 0.08)):
            assert abs(values[name] / float(row[name]) - 1) < limit, (row["stage"], name)
