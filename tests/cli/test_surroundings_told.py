"""Climates and grids in `merit catalog`; weather, price and carbon in `merit check`; `--start`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meritorder.catalog.climates import climates, grids
from meritorder.cli.main import run

Capture = pytest.CaptureFixture[str]
SITES = Path(__file__).parents[2] / "examples" / "sites.yaml"


def found(capsys: Capture, *arguments: object) -> dict:
    assert run([*map(str, arguments), "--json"]) == 0
    answer: dict = json.loads(capsys.readouterr().out)
    return answer


def told(capsys: Capture, *arguments: object) -> str:
    assert run([*map(str, arguments)]) == 0
    return capsys.readouterr().out


def refused(capsys: Capture, *arguments: object) -> str:
    assert run([*map(str, arguments)]) == 2
    return capsys.readouterr().err


def test_the_catalog_lists_climates_and_grids(capsys: Capture) -> None:
    listed = found(capsys, "catalog", "--climates")
    assert [row["name"] for row in listed["climates"]] == list(climates())
    assert [row["name"] for row in listed["grids"]] == list(grids())
    assert listed["models"] == listed["accelerators"] == []
    everything = found(capsys, "catalog")
    assert everything["climates"] == listed["climates"]
    assert everything["models"]
    assert found(capsys, "catalog", "--models")["climates"] == []
    assert [row["name"] for row in found(capsys, "catalog", "frankfurt")["climates"]] == ["frankfurt"]
    assert "Port Angeles" in told(capsys, "catalog", "--climates")


def test_the_catalog_shows_a_place_with_its_source_and_its_fit(capsys: Capture) -> None:
    both = found(capsys, "catalog", "show", "singapore")
    assert set(both) == {"climate", "grid"}
    assert both["climate"]["check"]["real"].keys() == both["climate"]["check"]["fitted"].keys()
    shown = told(capsys, "catalog", "show", "singapore")
    assert "Open-Meteo" in shown
    assert "CC BY 4.0" in shown
    assert "ODbL" in shown


def test_check_says_what_series_cover_and_assume(capsys: Capture) -> None:
    facts = found(capsys, "check", SITES)["surroundings"]
    assert set(facts) == {"dallas", "toronto"}
    assert facts["dallas"]["price"]["mean"] == pytest.approx(0.0559, rel=0.01)
    assert facts["dallas"]["weather"]["repeats"]
    assert "a typical year, repeats" in told(capsys, "check", SITES)


def test_check_reads_files_and_says_what_is_wrong(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("time,price (USD/MWh)\n2023-08-10T20:00Z,50\n2023-08-10T21:00Z,a lot\n")
    (tmp_path / "fleet.yaml").write_text(f"extends: {SITES}\nsites: {{dallas: {{price: p.csv}}}}\n")
    assert 'p.csv:3: price (USD/MWh): is "a lot", not a number' in refused(capsys, "check", tmp_path / "fleet.yaml")
    (tmp_path / "p.csv").write_text("time,price (USD/MWh)\n2023-09-10T20:00Z,50\n2023-09-10T21:00Z,51\n")
    assert "covers 2023-09-10T20:00Z" in refused(capsys, "check", tmp_path / "fleet.yaml")


def test_start_must_be_a_moment_with_its_offset(capsys: Capture) -> None:
    for wrong in ("noon", "2023-07-14T12:00"):
        assert "--start" in refused(capsys, "simulate", SITES, "azure-2023-conv", "--start", wrong)


def test_a_missing_start_is_told_before_the_run(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text(f"extends: {SITES}\nstart: null\n")
    assert "no `start` is given" in told(capsys, "check", path)
    assert "no `start` is given" not in told(capsys, "check", SITES)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sites: {dallas: {scenarios: [{what: heat-wave, duration: 1 h, times: 2}]}}", "give `add`"),
        ("sites: {dallas: {scenarios: [{what: price-spike, duration: 1 h}]}}", "changes nothing; give `times`"),
        ("services: {batch: {flexible: {price_below: 90}}}", "is 90 without a unit"),
    ],
)
def test_scenarios_without_effect_and_limits_without_unit_are_refused(
    tmp_path: Path, capsys: Capture, text: str, words: str
) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text(f"extends: {SITES}\n{text}\n")
    assert words in refused(capsys, "check", path)
