"""`merit traffic` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meritorder.cli.main import run
from meritorder.workload.parquet import read_parquet

VIDUR = "arrived_at,num_prefill_tokens,num_decode_tokens\n" + "".join(
    f"{i / 7},{20 + i},{5 + i % 9}\n" for i in range(300)
)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "trace.csv"
    path.write_text(VIDUR)
    return path


def test_convert_says_what_it_wrote(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "out.parquet"
    assert run(["traffic", "convert", str(source), str(target)]) == 0
    assert "300 requests (format vidur)" in capsys.readouterr().out
    assert len(read_parquet(target)) == 300
    assert run(["traffic", "convert", str(source), str(target), "--limit", "10", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["requests"] == 10
    assert facts["format"] == "vidur"
    assert facts["streamed"]


def test_slice_scale_and_mix(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "out.parquet"
    assert run(["traffic", "slice", str(source), str(target), "--from", "7", "--to", "14", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["requests"] == 49
    assert run(["traffic", "scale", str(source), str(target), "--factor", "3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["requests"] == 900
    assert run(["traffic", "scale", str(source), str(target), "--factor", "2", "--dilate"]) == 0
    assert "300 requests over 21 s" in capsys.readouterr().out
    assert run(["traffic", "mix", str(target), f"a={source}", f"b={source}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["services"] == ["a", "b"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["convert", "nothing.csv", "out.parquet"], "no such file"),
        (["convert", "{source}", "out.parquet", "--format", "azur"], 'did you mean "azure"'),
        (["convert", "{source}", "out.parquet", "--window", "5"], "START:STOP"),
        (["convert", "{source}", "{folder}"], "is a directory"),
        (["slice", "{source}", "out.parquet", "--from", "900"], "no request from 900"),
        (["scale", "{source}", "out.parquet", "--factor", "-1"], "--factor: is -1"),
        (["scale", "{source}", "out.parquet", "--factor", "1e-12"], "--factor: leaves none of 300 requests"),
        (["mix", "out.parquet", "{source}"], "names no service"),
        (["mix", "out.parquet", "a={source}", "a={source}"], 'the name "a" stands twice'),
        (["fetch", "azure"], "no public trace"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(
    arguments: list[str], said: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    filled = [argument.format(source=source, folder=tmp_path) for argument in arguments]
    assert run(["traffic", *filled]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["trace.csv"]
    assert run(["traffic", *filled, "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["problems"]


def test_warnings_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "failed.csv"
    path.write_text(VIDUR + "900,5,0\n")
    assert run(["traffic", "convert", str(path), str(tmp_path / "out.parquet")]) == 0
    assert "warning: 1 of 301 rows" in capsys.readouterr().out


def test_fetch_lists_public_traces(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MERIT_SHARED", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert run(["traffic", "fetch", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert set(listed) == {"azure-2023-conv", "azure-2023-code", "mooncake-conversation"}
    assert listed["azure-2023-conv"]["path"] is None
    assert run(["traffic", "fetch"]) == 0
    assert "azure-2023-code" in capsys.readouterr().out


def test_public_traces_are_taken_by_name(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MERIT_SHARED", str(shared))
    target = str(tmp_path / "out.parquet")
    assert run(["traffic", "convert", "azure-2023-code", target, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["requests"] == 8819
    assert run(["traffic", "slice", "azure-2023-code", target, "--to", "600", "--json"]) == 0
    assert 0 < json.loads(capsys.readouterr().out)["requests"] < 8819


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["traffic"]) == 0
    out = capsys.readouterr().out
    for verb in ("convert", "fetch", "slice", "scale", "mix", "describe", "synthesize"):
        assert verb in out
    assert run(["traffic", "konvert"]) == 2
