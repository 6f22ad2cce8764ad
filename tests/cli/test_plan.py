"""`merit plan` as its user sees it: what it prints and writes, exit codes, what it leaves behind when it fails."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from meritorder.cli.main import run
from meritorder.fleet.load import load

ROOM = """\
name: room
sites:
  room: {usd_per_kwh: 0.12, kg_per_kwh: 0.3}
services:
  chat: {model: llama-3.1-8b, slo: {ttft: 2 s, token_rate: 20 tok/s}}
plan:
  horizon: {start: 2027-01, periods: 3, hours: 3}
  demand:
    chat:
      traffic: azure-2023-conv
      requests_per_s: 80
      growth: {per_year: {low: 1.5, best: 6, high: 9}}
  scenarios:
    expected: {probability: 0.7}
    fast: {probability: 0.3, growth: high}
  offers:
    node:
      accelerator: h100
      chips: 8
      runs: {llama-3.1-8b: {}}
      price: {low: 220 kUSD, best: 270 kUSD, high: 350 kUSD}
      lead: 3 months
      supply: 2
      standing: {room: 1}
  sites:
    room:
      blocks:
        racks: {power: 20 kW, coolant: air, standing: 1, most: 3, lead: 3 months, price: 8 USD/W}
"""
QUICK = ("--no-proof", "--no-studies")
FILES = {
    *("schedule.csv", "schedule.parquet", "schedule.yaml", "ramp.csv", "cashflow.csv", "costs.csv"),
    *("summary.json", "state.yaml", "report.html"),
    *("fleet-2027-Q1.yaml", "fleet-2027-Q2.yaml", "fleet-2027-Q3.yaml"),
}


def merit(*arguments: object) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([str(argument) for argument in arguments])
    return code, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("room") / "room.yaml"
    file.write_text(ROOM)
    return file


@pytest.fixture(scope="module")
def planned(room: Path) -> tuple[Path, dict[str, Any]]:
    """A plan's folder, and what `--json` said."""
    folder = room.parent / "plan"
    code, out, _ = merit("plan", room, *QUICK, "--output", folder, "--json")
    assert code == 0
    return folder, json.loads(out)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_json_is_one_object_with_all_parts(planned: tuple[Path, dict[str, Any]]) -> None:
    told = planned[1]
    assert {"horizon", "cost", "schedule", "ramp", "headroom", "cash_usd", "services", "unit_costs"} <= set(told)
    assert told["horizon"]["periods"] == ["2027-Q1", "2027-Q2", "2027-Q3"]
    assert told["certificate"] is None
    assert set(told["studies"].values()) == {None}
    cost = told["cost"]
    assert sum(cost["by_cause_usd"].values()) == pytest.approx(cost["expected_usd"])
    assert set(cost["scenarios"]) == {"expected", "fast"}
    assert told["report"].endswith("report.html")


def test_every_file_is_there_and_says_the_same(planned: tuple[Path, dict[str, Any]]) -> None:
    folder, told = planned
    assert {entry.name for entry in folder.iterdir()} == FILES
    orders = rows(folder / "schedule.csv")
    assert orders, "the standing node doesn't suffice"
    assert (
        pq.read_table(folder / "schedule.parquet").to_pylist()
        == yaml.safe_load((folder / "schedule.yaml").read_text())["orders"]
    )
    assert [float(order["usd"]) for order in orders] == [order["cash_usd"] for order in told["schedule"]]
    assert all(order["ordered"] >= "2027-01" for order in orders)
    cash = rows(folder / "cashflow.csv")
    systems = sum(float(order["usd"]) for order in orders if order["kind"] == "systems")
    assert sum(float(row["systems_usd"]) for row in cash) == pytest.approx(systems)
    ramp = [row for row in rows(folder / "ramp.csv") if row["offer"] == ""]
    assert [1e6 * float(row["installed_mw"]) for row in ramp] == pytest.approx(told["ramp"]["installed_w"])
    summary = json.loads((folder / "summary.json").read_text())
    assert summary["schedule"] == told["schedule"]
    assert "room" in (folder / "report.html").read_text()


def test_fleets_are_fleet_files(planned: tuple[Path, dict[str, Any]]) -> None:
    for file in sorted(planned[0].glob("fleet-*.yaml")):
        assert load(file).pools


def test_the_same_file_and_seed_give_the_same_plan(room: Path, planned: tuple[Path, dict[str, Any]]) -> None:
    again = json.loads(merit("plan", room, *QUICK, "--json")[1])
    differs = {key for key, value in again.items() if value != planned[1].get(key)}
    assert differs <= {"seconds"}


def test_going_on_from_its_state(room: Path, planned: tuple[Path, dict[str, Any]]) -> None:
    code, out, _ = merit("plan", room, *QUICK, "--from-state", planned[0] / "state.yaml", "--json")
    told = json.loads(out)
    assert code == 0
    assert told["continued_from"] == "2027-04"
    assert told["horizon"]["periods"] == ["2027-Q2", "2027-Q3"]
    assert told["ramp"]["installed_w"] == pytest.approx(planned[1]["ramp"]["installed_w"][1:])


def test_people_get_tables(room: Path) -> None:
    code, out, _ = merit("plan", room, *QUICK)
    assert code == 0
    for words in ("✓", "room", "orders", "node", "installed", "USD/Mtok", "chat", "Not proven"):
        assert words in out, words


def test_no_plan_ends_with_3_and_says_why(room: Path, tmp_path: Path) -> None:
    file = tmp_path / "short.yaml"
    file.write_text(ROOM.replace("supply: 2", "supply: 0").replace("requests_per_s: 80", "requests_per_s: 4000"))
    code, out, err = merit("plan", file, *QUICK, "--output", tmp_path / "plan")
    assert code == 3
    assert "No plan keeps all limits" in out
    assert "Traceback" not in out + err
    assert not (tmp_path / "plan").exists()
    code, out, _ = merit("plan", file, *QUICK, "--json")
    told = json.loads(out)
    assert code == 3
    assert told["plan"] is None
    assert told["conflict"]["limits"]
    assert {"words", "key", "gives"} <= set(told["conflict"]["limits"][0])


def test_a_folder_with_other_files_is_refused_before_the_work(room: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    code, _, err = merit("plan", room, "--output", tmp_path)
    assert code == 2
    assert "mine.txt" in err
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.txt"]


def test_nothing_is_left_half_written(room: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "plan").mkdir()
    (tmp_path / "plan" / "summary.json").write_text("an earlier plan's")
    monkeypatch.setattr("meritorder.plan.files._parquet", fails)
    code, _, err = merit("plan", room, *QUICK, "--output", tmp_path / "plan")
    assert code == 2
    assert "no space left" in err
    assert [entry.name for entry in (tmp_path / "plan").iterdir()] == ["summary.json"]
    assert (tmp_path / "plan" / "summary.json").read_text() == "an earlier plan's"


@pytest.mark.parametrize(
    ("text", "said"),
    [(ROOM[: ROOM.index("plan:")] + "pools: {p: {site: room, accelerator: h100, model: llama-3.1-8b}}\n", "plan")],
)
def test_a_file_without_a_plan_is_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "no.yaml").write_text(text)
    code, _, err = merit("plan", tmp_path / "no.yaml")
    assert code == 2
    assert said in err


def test_a_state_of_something_else_is_refused(room: Path, tmp_path: Path) -> None:
    (tmp_path / "state.yaml").write_text("as_of: 2027-02\n")
    code, _, err = merit("plan", room, *QUICK, "--from-state", tmp_path / "state.yaml")
    assert code == 2
    assert "2027-04" in err
