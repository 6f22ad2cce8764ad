"""The building without a simulation: what `merit facility` says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sites import TEXT, fleet_with, replicas, state_with

from meritorder.cli.main import run as merit
from meritorder.facility.build import build_facility
from meritorder.facility.steady import LOADS, building_facts
from meritorder.facility.step import facility_step
from meritorder.fleet.schema import Fleet


@pytest.fixture(scope="module")
def mild() -> dict[str, Any]:
    return building_facts(fleet_with(), replicas(), "north")


def test_pue_falls_with_load_and_never_below_one(mild: dict[str, Any]) -> None:
    pues = [row["pue"] for row in mild["by_load"]]
    assert [row["load"] for row in mild["by_load"]] == list(LOADS)
    assert all(pue > 1.0 for pue in pues)
    assert pues[0] > pues[1] > pues[2]


def test_pue_is_losses_and_cooling(mild: dict[str, Any]) -> None:
    for row, loss in zip(mild["by_load"], mild["losses"], strict=True):
        parts = sum(loss[name] for name in ("transformer", "ups", "distribution", "shelf", "cooling"))
        assert row["pue"] == pytest.approx(1.0 + parts / row["it_w"], rel=1e-9)


def test_the_design_day_is_dearer_than_mild_weather(mild: dict[str, Any]) -> None:
    design = mild["design"]
    assert design["dry_c"] == 35.0
    assert all(design["pue"][str(row["load"])] > row["pue"] for row in mild["by_load"])
    assert 0.9 * mild["nameplate_it_w"] < design["most_it_w"] <= mild["nameplate_it_w"]


def test_the_steady_view_is_the_simulation_at_rest(mild: dict[str, Any]) -> None:
    """Second by second at half load, after a while, the same power to a thousandth."""
    state = state_with()
    for k in range(3600):
        state.rows.it_j[:] = 0.5 * state.rows.max_w - state.rows.idle_w
        facility_step(state, k + 1.0, 1.0)
    half = next(row for row in mild["by_load"] if row["load"] == 0.5)
    assert state.sites[0].facility_w == pytest.approx(half["facility_w"], rel=1e-3)


def test_ride_through_is_that_of_batteries_and_loops(mild: dict[str, Any]) -> None:
    assert 0.85 * 300.0 < mild["power"]["ups_ride_through_s"] < 300.0
    by_coolant = {plant["coolant"]: plant["ride_through_s"] for plant in mild["plants"]}
    assert set(by_coolant) == {"air", "liquid-21c", "liquid-45c"}
    warm = by_coolant["liquid-45c"]
    assert 0.0 < warm["cdu"] < warm["rejection"]


def test_the_command_tells_a_year(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In Frankfurt compressors of the 21 C loops run for a part of the year, those of the 45 C loops next to never."""
    path = tmp_path / "fleet.yaml"
    path.write_text(TEXT.replace("{facility: {}", "{facility: {}, weather: frankfurt"))
    assert merit(["facility", str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["sites"]
    assert told["south"] == {"pue": 1.3}
    north = told["north"]
    assert north["hours"] == 8760
    assert len(north["by_month"]) == 12
    assert len(north["by_hour"]) == 24
    july, january = (north["by_month"][month]["pue"]["1.0"] for month in (6, 0))
    assert july > january
    full = north["by_load"][-1]
    assert 0.05 < full["compressors"]["liquid-21c"]["share_of_hours"] < 0.6
    assert full["compressors"]["liquid-45c"]["share_of_hours"] < 0.002
    assert full["pue_lowest"] < full["pue"] < full["pue_highest"]
    assert merit(["facility", str(path), "--site", "nroth"]) == 2
    assert 'did you mean "north"?' in capsys.readouterr().err


def test_the_command_prints_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text(TEXT)
    assert merit(["facility", str(path)]) == 0
    text = capsys.readouterr().out
    for words in ("PUE mean", "transformers", "UPS batteries empty", "south: PUE 1.3 at every load"):
        assert words in text


def test_nothing_is_built_where_nothing_asks_for_it() -> None:
    """A fleet with constant PUEs only gets empty arrays and makes no steps."""
    fleet: Fleet = fleet_with()
    plain = {
        name: site.model_copy(update={"facility": None, "power_limit": None}) for name, site in fleet.sites.items()
    }
    state = build_facility(fleet.model_copy(update={"sites": plain}), replicas())
    assert len(state.sites) == len(state.rows) == len(state.parts) == 0
