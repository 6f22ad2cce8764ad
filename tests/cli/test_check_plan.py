"""`merit check` of a plan, and what other verbs say of a fleet that has no machines yet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meritorder.cli.main import run

FLEET = """\
sites:
  iowa: {usd_per_kwh: 0.06, kg_per_kwh: 340 g/kWh}
services:
  chat: {model: llama-3.1-8b}
  code: {model: llama-3.1-70b}
plan:
  horizon: {start: 2026-01, periods: 4}
  demand:
    chat: {traffic: servegen-m-small, requests_per_s: 20, growth: {per_year: 16}}
    code: {traffic: servegen-m-mid, history: past.csv, unmet_usd_per_mtok: 3}
  scenarios: {slow: {probability: 0.4, growth: low}, fast: {probability: 0.6, growth: high}}
  offers:
    gpu: {accelerator: h100, chips: 8, runs: {llama-3.1-70b: {tensor: 8}}, price: 280 kUSD, lead: 1 quarter, supply: 4}
  apis:
    cloud:
      {model: llama-3.1-8b, supplier: C, usd_per_mtok_prompt: 1, usd_per_mtok_output: 2, ttft: 1 s, token_rate: 9 tok/s}
  sites:
    iowa: {grid: 5 MW, blocks: {row: {power: 1 MW, coolant: air, standing: 1, most: 4, lead: 6 months}}}
"""
POOLS = "pools: {small: {site: iowa, accelerator: h100, model: llama-3.1-8b, replicas: 1}}\n"


@pytest.fixture
def planned(tmp_path: Path) -> Path:
    rows = "".join(f"202{4 + month // 12}-{month % 12 + 1:02d},{3 * 1.05**month:.4f}\n" for month in range(24))
    (tmp_path / "past.csv").write_text("month,requests_per_s\n" + rows)
    path = tmp_path / "planned.yaml"
    path.write_text(FLEET)
    return path


def test_what_a_plan_asks_is_told(planned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(planned)]) == 0
    told = capsys.readouterr().out
    for words in (
        "4 periods from 2026-Q1 to 2026-Q4",
        "no machines yet",
        "8 x h100",
        "280 kUSD",
        "to 5 MW",
        "6 months",
    ):
        assert words in told
    assert "code: by 24 months to 2025-12 (exponential" in told
    assert run(["check", str(planned), "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)["plan"]
    chat = plan["demand"]["chat"]
    assert chat["first_month_per_s"] == pytest.approx(20)
    assert chat["last_month_per_s"]["fast"] == pytest.approx(20 * 16 ** (11 / 12))
    assert chat["must_serve"]
    assert not plan["demand"]["code"]["must_serve"]
    assert plan["demand"]["code"]["fit"]["per_year"]["best"] == pytest.approx(1.05**12, rel=0.03)
    assert plan["offers"]["gpu"]["sites"] == ["iowa"]
    assert (plan["sites"]["iowa"]["standing_w"], plan["sites"]["iowa"]["most_w"]) == (1e6, 4e6)


def test_a_fleet_that_stands_and_plans_tells_both(planned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planned.write_text(POOLS + FLEET)
    assert run(["check", str(planned)]) == 0
    told = capsys.readouterr().out
    assert "One replica" in told
    assert "4 periods from 2026-Q1" in told


@pytest.mark.parametrize(
    "command",
    [
        ["simulate", "FLEET", "servegen-m-small"],
        ["facility", "FLEET"],
        ["serve", "FLEET"],
        ["emulate", "FLEET"],
        ["check", "FLEET", "--report", "halls.html"],
    ],
)
def test_verbs_that_need_machines_refuse(command: list[str], planned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([str(planned) if word == "FLEET" else word for word in command]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert told[0].startswith(f"error: {planned}: has no pools, only a plan")


def test_services_that_only_offers_serve_are_named(planned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planned.write_text(POOLS + FLEET)
    assert run(["simulate", str(planned), "servegen-m-small"]) == 2
    told = capsys.readouterr().err
    assert f"{planned}:6: services.code.model: no pool serves llama-3.1-70b, only the plan's offers; run `merit" in told


@pytest.mark.parametrize("verb", ["check", "plan"])
def test_wrong_traffic_is_told_with_its_line(verb: str, planned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planned.write_text(FLEET.replace("servegen-m-mid", "servegen-m-midd"))
    (planned.parent / "past.csv").write_text("month,requests_per_s\n2024-01,5\n2024-02,-5\n")
    assert run([verb, str(planned)]) == 2
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith(
        f"error: {planned}:10: plan.demand.code.traffic: is no file and no traffic by that name; did"
    )
    assert told[1].startswith(
        f"error: {planned.parent}/past.csv: plan.demand.code.history: has 2 months; give 8 at least"
    )
