"""`merit check`: what it says of good fleets and bad ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meritorder.cli.main import run
from meritorder.fleet.load import load
from meritorder.perf.compile import compile_replica

MIXED = Path(__file__).parents[2] / "examples" / "mixed.yaml"


def over(folder: Path, text: str) -> str:
    path = folder / "over.yaml"
    path.write_text(f"extends: {MIXED}\n{text}")
    return str(path)


@pytest.mark.parametrize("name", ["mixed.yaml", "mixed-round-robin.yaml", "laptop.yaml"])
def test_examples_are_fine(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = MIXED.with_name(name)
    assert run(["check", str(path)]) == 0
    told = capsys.readouterr()
    fleet = load(path)
    assert told.err == ""
    for part in (*fleet.pools, *fleet.sites, *fleet.services, fleet.dispatch.policy):
        assert part in told.out


def test_json_says_what_the_replicas_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(MIXED), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    fleet = load(MIXED)
    assert list(facts["pools"]) == list(fleet.pools)
    for name, pool in fleet.pools.items():
        replica, told = compile_replica(fleet, name), facts["pools"][name]
        assert told["kv_tokens"] == replica.kv_tokens
        assert told["weight_bytes"] == replica.weight_bytes
        assert told["accelerators"] == pool.replicas * replica.accelerators
        assert told["token_rate_1"] == pytest.approx(1 / replica.table.seconds(1, 1024))
        assert told["token_rate_1"] > told["token_rate_full_batch"] > 0
        assert told["full_batch"] * 1024 <= replica.kv_tokens
    assert facts["usd_per_hour"] == pytest.approx(sum(pool["usd_per_hour"] for pool in facts["pools"].values()))
    for name, site in fleet.sites.items():
        here = sum(told["max_w"] for told in facts["pools"].values() if told["site"] == name)
        assert facts["sites"][name]["max_grid_w"] == pytest.approx(site.pue * here)


def test_a_model_that_does_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = over(tmp_path, "pools:\n  wafer: {pipeline: 2}\n  h200:\n    tensor: 1\n")
    assert run(["check", path]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    lines = told.err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"error: {path}:3: pools.wafer: llama-3.1-70b in bf16 does not fit")
    assert lines[1].startswith(f"error: {path}:4: pools.h200: llama-3.1-70b in bf16 does not fit")
    assert "missing" in lines[1]
    assert "`tensor: " in lines[1]
    assert "`weights: fp8`" in lines[1]


def test_a_split_that_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = over(tmp_path, "pools:\n  h200:\n    tensor: 16\n")
    assert run(["check", path]) == 2
    assert capsys.readouterr().err.startswith(f"error: {path}:4: pools.h200.tensor: is 16, but")


def test_what_may_not_be_meant_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "pools: {spare: {site: dallas, accelerator: h100, model: llama-3.1-8b, replicas: 1}}\n"
    text += "services: {ultrafast: {pools: [h200]}, batch: {share: 0.2}}\n"
    assert run(["check", over(tmp_path, text), "--json"]) == 0
    warnings = json.loads(capsys.readouterr().out)["warnings"]
    assert warnings[0] == "pool spare serves no service"
    assert warnings[1].startswith("service ultrafast asks for 300 tok/s, but its fastest pool gives a lone user")
    assert warnings[2] == "shares sum to 0.95: 5.0% of the trace's requests go nowhere"


def test_bad_files_are_told_as_json_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = over(tmp_path, "pools: {wafr: null}\n")
    assert run(["check", path, "--json"]) == 2
    problem = json.loads(capsys.readouterr().out)["error"]["problems"][0]
    assert problem == {
        "what": "is removed but was never there",
        "where": f"{path}:2",
        "key": "pools.wafr",
        "fix": 'did you mean "wafer"?',
    }


@pytest.mark.parametrize("bad", [".", "nothing.yaml", "binary"])
def test_what_is_no_fleet_file(bad: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "binary").write_bytes(bytes(range(256)))
    assert run(["check", str(tmp_path / bad)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert told.err.startswith("error: ")
