"""`merit compare`: runs from their folders, as a table, JSON or HTML, and bad input in one message."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.simulate.fake import fake_result

from meritorder.cli.main import run
from meritorder.simulate.store import save


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    root = tmp_path_factory.mktemp("runs")
    for name, slow in (("first", 1.0), ("slower", 1.5)):
        save(fake_result(2000, policy=name, slow=slow), root / name)
    return [str(root / "first"), str(root / "slower")]


def test_json(folders: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", *folders, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [r["name"] for r in told["runs"]] == ["first", "slower"]
    rows = {row["key"]: row for row in told["metrics"]}
    (difference,) = rows["tpot_s.mean"]["differences"]
    assert difference["distinguishable"] is True
    assert 0 < difference["low"] < difference["delta"] < difference["high"]


def test_table_and_html(folders: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "report.html"
    assert run(["compare", *folders, "--html", str(page)]) == 0
    told = capsys.readouterr()
    assert "TPOT mean" in told.out
    assert "✗ +" in told.out
    assert str(page) in told.err
    assert "None of 2 runs meets every service level" in page.read_text()


def test_runs_of_the_same_name_are_told_apart(folders: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", folders[0], folders[0], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"][0]["name"] == folders[0]


def test_bad_input_is_told_all_at_once(folders: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", folders[0]]) == 2
    assert "one run is nothing to compare" in capsys.readouterr().err
    assert run(["compare", str(tmp_path), folders[0], str(tmp_path / "nowhere")]) == 2
    told = capsys.readouterr().err
    assert "is no run" in told
    assert "is not a folder" in told
    assert run(["compare", *folders, "--html", str(tmp_path)]) == 2
    assert "is a directory" in capsys.readouterr().err
