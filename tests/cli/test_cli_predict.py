"""`merit predict` on every table of configurations that is to be scored: one row in, one answer out."""

from __future__ import annotations

import csv
import json

import pytest

from meritorder.cli.main import run

# Every so many rows are tried, where a table is long.
MOST = 60

# Rows for which there is no model, and what their note must say.
UNANSWERED = {"wafer_waferllm_heldout_inputs.csv": "mappings that ignore the mesh are not modelled"}

TABLES = (
    *("e2e_inferencex_heldout_inputs", "e2e_vllm_blis_eval_inputs", "req_vllm_llmss_heldout_inputs"),
    *("mlenergy_v3_heldout_inputs", "mlperf_v51_heldout_inputs", "splitwise_heldout_inputs"),
    *("op_attention_decode_heldout_inputs", "op_attention_prefill_heldout_inputs", "op_collectives_heldout_inputs"),
    *("op_gemm_heldout_inputs", "op_moe_heldout_inputs", "op_power_b200_heldout_inputs"),
    *("wafer_api_timings_heldout_inputs", "wafer_cerebras_llama33_70b_api_heldout_inputs"),
    *("wafer_speeds_heldout_inputs", "wafer_waferllm_heldout_inputs"),
)


def thinned(source, target):
    """The table with at most MOST rows, spread over all of it; returns how many."""
    lines = source.read_text().splitlines()
    head = next(i for i, line in enumerate(lines) if not line.startswith("#")) + 1
    rows = lines[head:]
    together = "blis" in source.name  # a run's rows are simulated together
    kept = rows if together else rows[:: max(1, -(-len(rows) // MOST))]
    target.write_text("\n".join([*lines[:head], *kept]) + "\n")
    return len(kept)


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLES)
def test_every_table_to_be_scored_is_answered(name, shared, tmp_path, capsys):
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    count = thinned(shared / "perf" / f"{name}.csv", source)
    assert run(["predict", "--in", str(source), "--out", str(target), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    rows = list(csv.DictReader(line for line in target.open() if not line.startswith("#")))
    assert len(rows) == told["rows"] == count
    for row in rows:
        empty = [column for column in told["columns"] if not row[column]]
        if empty:
            assert row["note"], f"no answer to {empty} and no reason: {row}"
        if len(empty) == len(told["columns"]):
            assert UNANSWERED.get(f"{name}.csv", "no such row") in row["note"]
        assert all(float(row[column]) >= 0 for column in told["columns"] if row[column])


def test_an_unknown_table_is_one_message_and_nothing_is_written(tmp_path, capsys):
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("system,colour\nh100_sxm,green\n")
    assert run(["predict", "--in", str(source), "--out", str(target)]) == 2
    told = capsys.readouterr().err
    assert "has the columns of no table that can be predicted" in told
    assert "Traceback" not in told
    assert not target.exists()


def test_a_row_that_cannot_be_answered_says_why(tmp_path, capsys):
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    shape = "vllm 0.14.0,bfloat16,8,4096,4096"
    source.write_text(f"system,engine,gemm_dtype,m,n,k\nh100_sxm,{shape}\nabacus,{shape}\n")
    assert run(["predict", "--in", str(source), "--out", str(target)]) == 0
    good, bad = csv.DictReader(target.open())
    assert 1e-3 < float(good["latency_ms"]) < 1
    assert bad["latency_ms"] == ""
    assert "abacus" in bad["note"]
