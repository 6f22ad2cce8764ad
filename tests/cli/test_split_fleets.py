"""Fleets that compute prompts and decode on different machines, at the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from meritorder.cli.main import run
from meritorder.simulate.store import load_run

EXAMPLE = Path(__file__).parents[2] / "examples" / "disaggregated.yaml"


def test_check_shows_the_links_and_what_is_assumed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(EXAMPLE), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    (link,) = facts["links"]
    assert (link["prefill"], link["decode"], link["overlap"]) == ("reader", "wafer", "layerwise")
    # 80 layers of 8 heads of 128 numbers of 2 bytes, keys and values, 1,024 tokens
    assert link["transfer_s"] == pytest.approx(20e-6 + 80 * 8 * 128 * 2 * 2 * 1024 / 100e9)
    assert any("converting them is taken to be free" in note for note in facts["notes"])
    assert facts["services"]["ultrafast"]["fast_enough"] == ["reader", "wafer"]


@pytest.mark.parametrize("verb", ["serve", "emulate"])
def test_what_runs_live_refuses_roles(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([verb, str(EXAMPLE)]) == 2
    told = capsys.readouterr().err
    assert 'pools.reader.role: is "prefill", which is only simulated; declare backends that split' in told
    assert "pools.wafer.role" in told


def test_a_run_names_both_replicas_and_the_transfer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = tmp_path / "t.csv"
    rows = [f"2024-01-01 00:00:{i / 4:09.6f},{900 + i},{20 + i % 7}" for i in range(200)]
    trace.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n" + "\n".join(rows) + "\n")
    folder = tmp_path / "run"
    assert run(["simulate", str(EXAMPLE), str(trace), "--output", str(folder)]) == 0
    assert "KV caches sent from reader to wafer" in capsys.readouterr().out
    kept = load_run(folder)
    split = kept.requests["decode_pool"] == 1
    assert split.sum() > 50
    assert (kept.requests["pool"][split] == 0).all()
    assert (kept.requests["decode_replica"][split] == 6).all()
    assert np.isfinite(kept.requests["transfer_s"]).sum() == split.sum()
    (row,) = kept.summary["transfers"]
    assert row["requests"] == split.sum()
    page = (folder / "report.html").read_text()
    assert "KV caches sent: from the end of a prompt" in page
    assert run(["compare", str(folder), str(folder)]) == 0
