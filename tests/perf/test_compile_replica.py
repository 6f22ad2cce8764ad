"""From a pool to a replica: numbers, memory fit, and what is said when it doesn't fit."""

import csv

import pytest

from meritorder.fleet.load import loads
from meritorder.perf.compile import compile_replica
from meritorder.problems import InputError


def _fleet(pool, model="llama-3.1-70b"):
    return loads(
        "sites: {here: {usd_per_kwh: 0.07, kg_per_kwh: 0.3}}\n"
        f"pools: {{one: {{site: here, model: {model}, replicas: 1, {pool}}}}}\n"
        f"services: {{chat: {{model: {model}}}}}\n",
        "test.yaml",
    )


def _replica(pool, model="llama-3.1-70b"):
    return compile_replica(_fleet(pool, model), "one")


def _problem(pool, model="llama-3.1-70b"):
    fleet = _fleet(pool, model)
    with pytest.raises(InputError) as caught:
        compile_replica(fleet, "one")
    return caught.value.problems[0]


def test_kv_blocks_are_those_of_the_real_engine(shared):
    names = {
        "meta-llama/Llama-3.1-70B-Instruct": "llama-3.1-70b",
        "mistralai/Mistral-Nemo-Instruct-2407": "mistral-nemo-12b",
        "01-ai/Yi-34B": "yi-34b",
        "Qwen/Qwen2.5-7B-Instruct": "qwen2.5-7b",
    }
    lines = (shared / "perf/e2e_vllm_blis_calib.csv").read_text().splitlines()
    runs = [row for row in csv.DictReader(line for line in lines if not line.startswith("#")) if row["model"] in names]
    assert len(runs) >= 6
    for run in runs:
        engine = f"{{token_budget: {run['max_num_batched_tokens']}}}"
        replica = _replica(f"accelerator: h100, tensor: {run['tp']}, engine: {engine}", names[run["model"]])
        assert replica.kv_blocks == pytest.approx(float(run["gpu_kv_blocks"]), rel=0.02)


def test_a_replica_adds_up_its_chips():
    replica = _replica("accelerator: h100, tensor: 4")
    assert replica.accelerators == 4
    assert replica.table.idle_w == 4 * 360
    assert replica.max_w == 4 * 1275
    assert replica.usd_per_hour == pytest.approx(4 * 1.17)
    assert replica.weight_bytes == pytest.approx(141.1e9, rel=1e-3)
    assert replica.kv_bytes_per_token == 327_680
    assert replica.max_context == 131_072
    assert replica.table.token_budget == 8192
    assert replica.table.max_sequences == 256


def test_heads_are_copied_where_chips_outnumber_them():
    split = _replica("accelerator: gb300, tensor: 8")
    copied = _replica("accelerator: gb300, tensor: 16")
    assert split.kv_bytes_per_token == 327_680
    assert copied.kv_bytes_per_token == 2 * 327_680


def test_a_wafer_pipeline_keeps_what_the_sram_leaves():
    replica = _replica("accelerator: cs-3, pipeline: 5")
    assert replica.accelerators == 5
    left = 5 * 44e9 * 0.85 - replica.weight_bytes
    assert replica.kv_tokens == pytest.approx(left / 327_680, rel=1e-3)
    assert any("published by nobody" in note for note in replica.notes)


def test_the_fullest_stage_decides():
    # 80 layers over 7 wafers: one holds 12, not 11.4
    replica = _replica("accelerator: cs-3, pipeline: 7")
    left = 44e9 * 0.85 - replica.weight_bytes * 12 / 80
    assert replica.kv_tokens == pytest.approx(left / (327_680 * 12 / 80), rel=1e-3)


def test_the_engines_own_count_and_price_win():
    replica = _replica("accelerator: h100, tensor: 4, usd_per_hour: 9.5, engine: {kv_blocks: 1000}")
    assert replica.kv_blocks == 1000
    assert replica.max_context == 16_000
    assert replica.usd_per_hour == 9.5


def test_too_large_a_model_says_what_is_missing_and_what_fits():
    problem = _problem("accelerator: h100")
    assert problem.key == "pools.one"
    assert "141 GB of weights" in problem.what
    assert "are missing" in problem.what
    assert problem.fix == "`tensor: 2` or `weights: fp8` would fit"


def test_llama_70b_runs_on_four_wafers_as_published():
    assert _replica("accelerator: cs-3, pipeline: 4").kv_tokens > 16_000


def test_too_few_wafers():
    problem = _problem("accelerator: cs-3, pipeline: 3")
    assert problem.fix.startswith("`pipeline: 4`")


@pytest.mark.parametrize(
    ("pool", "key"),
    [
        ("accelerator: h100, tensor: 16", "pools.one.tensor"),
        ("accelerator: h100, tensor: 3", "pools.one.tensor"),
        ("accelerator: h100, tensor: 2, pipeline: 81", "pools.one.pipeline"),
        ("accelerator: cs-3, pipeline: 100", "pools.one.pipeline"),
        ("accelerator: cs-3, tensor: 2, pipeline: 4", "pools.one.tensor"),
        ("accelerator: h100, tensor: 4, engine: {max_context: 200000}", "pools.one.engine.max_context"),
        ("accelerator: cs-3, pipeline: 4, engine: {max_context: 131072}", "pools.one.engine.max_context"),
    ],
)
def test_what_can_not_be_split_or_held_is_refused(pool, key):
    problem = _problem(pool)
    assert problem.key == key
    assert "give" in problem.fix


def test_measured_coefficients_are_taken_as_they_are():
    replica = _replica(
        "measured: {host_s: 0.01, per_token_s: 0.001, per_sequence_s: 0.002, per_kv_token_s: 1.0e-6, "
        "per_pair_s: 1.0e-8, idle_w: 20, busy_w: 65, kv_tokens: 2050, usd_per_hour: 0.1, weight_bytes: 0.3 GB}",
        "llama-3.1-8b",
    )
    expected = 0.01 + 0.001 * (3 + 50) + 0.002 * 3 + 1e-6 * 900 + 1e-8 * 2000
    assert replica.table.seconds(3, 900, 50, 2000) == pytest.approx(expected)
    assert replica.table.joules(3, 900, 50, 2000) == pytest.approx(45 * expected)
    assert replica.kv_blocks == 2050 // 16
    assert replica.weight_bytes == 0.3e9
    assert replica.max_w == 65
    assert replica.usd_per_hour == 0.1
