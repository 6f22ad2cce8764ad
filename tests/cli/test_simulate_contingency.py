"""`merit simulate --contingency`: a matrix, sentences, JSON, a report; a broken service is a result, not an error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from meritorder.cli.main import run

FLEET = """
sites:
  dallas: {usd_per_kwh: 0.05, kg_per_kwh: 0.3}
  toronto: {usd_per_kwh: 0.05, kg_per_kwh: 0.3}
pools:
  near: {site: dallas, accelerator: h200, model: llama-3.1-8b, replicas: 2}
  far: {site: toronto, accelerator: mi300x, model: llama-3.1-8b, replicas: 2}
services:
  fast: {model: llama-3.1-8b, share: 0.5, slo: {ttft: 300 ms}, pools: [near], overload: shed}
  chat: {model: llama-3.1-8b, share: 0.5, slo: {ttft: 5 s}}
"""


@pytest.fixture
def inputs(tmp_path: Path) -> tuple[str, str]:
    """A fleet file and ten minutes of traffic."""
    lines = [f"{1.5 * i},{200 + 37 * i % 900},{20 + 11 * i % 150}" for i in range(400)]
    (tmp_path / "fleet.yaml").write_text(FLEET)
    (tmp_path / "traffic.csv").write_text("\n".join(["arrived_at,num_prefill_tokens,num_decode_tokens", *lines, ""]))
    return str(tmp_path / "fleet.yaml"), str(tmp_path / "traffic.csv")


def test_json_matrix_and_report(inputs: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "losses"
    assert run(["simulate", *inputs, "--contingency", "all", "--output", str(folder), "--json"]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert [case["name"] for case in told["contingencies"]] == ["dallas", "toronto", "NVIDIA", "AMD"]
    lost = told["contingencies"][0]
    assert lost["services"]["fast"]["verdict"] == "breaks"
    assert lost["services"]["fast"]["refused"] > 10
    assert lost["words"].startswith("loss of dallas breaks fast: ")
    assert lost["words"].endswith("within target, needs 95 %")
    assert told["contingencies"][1]["words"] == "loss of toronto breaks no service"
    window = told["window"]
    assert window["start_s"] < window["peak_s"] < window["loss_s"] < window["back_s"] < window["stop_s"]
    page = (folder / "report.html").read_text()
    assert "2 of 4 losses break a service" in page
    assert "Losses, one at a time" in page
    assert json.loads((folder / "contingency.json").read_text())["contingencies"] == told["contingencies"]
    # a later run replaces the folder as a whole
    assert run(["simulate", *inputs, "--contingency", "toronto", "--output", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert "toronto (site)" in shown
    assert "loss of toronto breaks no service" in shown
    assert len(json.loads((folder / "contingency.json").read_text())["contingencies"]) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--contingency", "toronta"], 'did you mean "toronto"?'),
        (["--contingency", "feed"], "the fleet has no feed"),
        (["--contingency", "site", "--policy", "all"], "run under one policy"),
    ],
)
def test_what_can_not_be_run_is_refused(
    inputs: tuple[str, str], options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["simulate", *inputs, *options]) == 2
    assert words in capsys.readouterr().err
