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


@pytest.mark.parametrize("link", ["", "links: {x: {prefill: reader, decode: writer, bandwidth: 1 GB/s}}\n"])
def test_check_says_what_port_a_measured_machine_is_taken_to_have(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], link: str
) -> None:
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(
        "sites: {a: {usd_per_kwh: 0.1 USD/kWh, kg_per_kwh: 300 g/kWh}}\npools:\n"
        "  reader: {site: a, accelerator: b200, model: llama-3.1-8b, replicas: 1, role: prefill}\n"
        "  writer: {site: a, role: decode, model: llama-3.1-8b, replicas: 1, "
        "measured: {host_s: 0.01, kv_tokens: 90000}}\n"
        f"{link}services: {{all: {{model: llama-3.1-8b}}}}\n"
    )
    assert run(["check", str(fleet), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    (row,) = facts["links"]
    said = [
        note for note in facts["notes"] if note.startswith("writer is taken to have a network port of 50 GB/s a chip")
    ]
    assert (row["bandwidth"], len(said)) == ((1e9, 0) if link else (50e9, 1))


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
