from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from meritorder.cli.main import run
from meritorder.problems import InputError
from meritorder.workload.read import read
from meritorder.workload.statistics.describe import describe
from meritorder.workload.synthesis import presets
from meritorder.workload.synthesis.synthesize import synthesize

EVERY = (
    "azure-2023-code",
    "azure-2023-conv",
    "mooncake-conversation",
    "servegen-deepseek-r1",
    "servegen-m-large",
    "servegen-m-mid",
    "servegen-m-small",
    "servegen-mm-image",
    "weka-claude-code",
)


def test_all_presets_are_there() -> None:
    assert presets.names() == EVERY


@pytest.mark.parametrize("name", EVERY)
def test_a_preset_says_where_it_comes_from_and_gives_traffic(name: str) -> None:
    spec = presets.load(name)
    assert spec.name == name
    assert spec.source
    assert spec.licence
    assert spec.date
    assert spec.fit["held_back_and_synthetic"]
    trace = synthesize(spec, 0, requests=2000)
    assert len(trace) == 2000
    assert (trace.prompt_tokens > 0).all()
    assert (trace.output_tokens > 0).all()


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(InputError, match='did you mean "azure-2023-conv"'):
        presets.load("azure-2023-con")


def typical(name: str, runs: int, duration_s: float | None = None) -> dict[str, Any]:
    """Medians over some traces of a preset."""
    found: list[Any] = [describe(synthesize(presets.load(name), k, duration_s=duration_s)) for k in range(runs)]
    arrivals = [f["arrivals"] for f in found]
    row = {"cv": [a["cv"] for a in arrivals], "rate": [a["mean_per_s"] for a in arrivals]}
    row |= {f"idc{w}": [a["idc"][w] for a in arrivals] for w in ("1", "10", "60")}
    for key in ("prompt_tokens", "output_tokens"):
        row |= {f"{key} {q}": [f[key][q] for f in found] for q in ("p50", "p90", "p99")}
    row["spearman"] = [f["spearman"] for f in found]
    if found[0]["prefix"]:
        row["hit"] = [f["prefix"]["hit_ratio"] for f in found]
        row |= {f"hit{k}": [f["prefix"]["lru"][k]["hit_ratio"] for f in found] for k in range(7)}
    return {key: float(np.median(values)) for key, values in row.items()}


# What the whole trace is, and how near the medians must come: arrivals within `loose`, lengths within 5 %.
@pytest.mark.parametrize(
    ("name", "file", "loose"),
    [
        ("azure-2023-conv", "AzureLLMInferenceTrace_conv.csv.gz", 0.15),
        ("azure-2023-code", "AzureLLMInferenceTrace_code.csv.gz", 0.3),
    ],
)
def test_azure_presets_are_like_their_trace(shared: Path, name: str, file: str, loose: float) -> None:
    real: Any = describe(read(shared / "traces" / file))
    made = typical(name, 15)
    assert made["rate"] == pytest.approx(real["arrivals"]["mean_per_s"], rel=loose)
    assert made["cv"] == pytest.approx(real["arrivals"]["cv"], rel=loose)
    for w in ("1", "10", "60"):
        assert made[f"idc{w}"] == pytest.approx(real["arrivals"]["idc"][w], rel=loose)
    for key in ("prompt_tokens", "output_tokens"):
        for q in ("p50", "p90", "p99"):
            assert made[f"{key} {q}"] == pytest.approx(real[key][q], rel=0.05, abs=1)
    assert abs(made["spearman"]) < 0.03


def test_mooncake_preset_has_the_cache_curve_of_its_trace(shared: Path) -> None:
    real: Any = describe(read(shared / "traces" / "mooncake_conversation_trace.jsonl.gz", jitter_seed=0))
    made = typical("mooncake-conversation", 5)
    assert made["rate"] == pytest.approx(real["arrivals"]["mean_per_s"], rel=0.1)
    assert made["cv"] == pytest.approx(1.01, abs=0.05)
    assert made["hit"] == pytest.approx(real["prefix"]["hit_ratio"], rel=0.1)
    for k, row in enumerate(real["prefix"]["lru"]):
        assert made[f"hit{k}"] == pytest.approx(row["hit_ratio"], rel=0.25)
    for q in ("p50", "p90", "p99"):
        assert made[f"prompt_tokens {q}"] == pytest.approx(real["prompt_tokens"][q], rel=0.15)


def test_weka_preset_reuses_like_its_sessions(shared: Path) -> None:
    made: Any = describe(synthesize(presets.load("weka-claude-code"), 0, duration_s=15_000))
    assert made["closed_loop"]
    assert made["prefix"]["hit_ratio"] == pytest.approx(0.963, abs=0.01)
    assert made["sessions"]["new_tokens_after_first_call"]["p50"] == pytest.approx(728, rel=0.1)


# The command


def test_synthesize_writes_and_describe_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "made.parquet"
    arguments = ["traffic", "synthesize", "mooncake-conversation", "--requests", "500", "--seed", "3"]
    assert run([*arguments, "--output", str(output), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["requests"] == 500
    assert run(["traffic", "describe", str(output), "--json", "--cache-tokens", "1M,512k"]) == 0
    found = json.loads(capsys.readouterr().out)
    again: Any = describe(synthesize(presets.load("mooncake-conversation"), 3, requests=500), (1_000_000, 512_000))
    assert found["prefix"]["lru"] == again["prefix"]["lru"]
    assert found["arrivals"]["cv"] == pytest.approx(again["arrivals"]["cv"])


def test_describe_prints_tables_for_a_preset(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["traffic", "describe", "weka-claude-code"]) == 0
    printed = capsys.readouterr().out
    for word in ("session starts per second", "index of dispersion", "new tokens a call", "unlimited"):
        assert word in printed


def test_synthesize_without_a_name_lists_the_presets(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["traffic", "synthesize"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in EVERY)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["synthesize", "azure-2023-cov"], 'did you mean "azure-2023-conv"?'),
        (["synthesize", "nowhere.yaml"], "nowhere.yaml: can't be read: no such file"),
        (["synthesize", "azure-2023-conv", "--duration", "5"], "--duration: is 5 without a unit"),
        (["synthesize", "azure-2023-conv", "--rate", "0"], "--rate: is 0"),
        (["describe", "weka-claude-code", "--cache-tokens", "1M,much"], '--cache-tokens: "much" is no size'),
    ],
)
def test_bad_input_is_one_message(
    arguments: list[str], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["traffic", *arguments]) == 2
    assert text in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
