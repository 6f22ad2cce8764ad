"""The report on a plan: the verdict first, the penalty never in the costs, nothing of the user's as markup."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tests.report.test_page import Elements, figures
from tests.report.told_plan import OFFERS, SERVICES, SITES, told_plan, told_proof

from meritorder.report.plan import money, power, studies
from meritorder.report.plan.demand import fan_figures
from meritorder.report.plan.page import render
from meritorder.report.plan.schedule import schedule_table
from meritorder.report.plan.verdict import headline
from meritorder.report.plan.words import listed, usd

EVIL = "<img src=x onerror=alert(1)>"
SECTIONS = ("What is ordered", "Megawatts", "Power and cooling", "Demand", "Money", "Sensitivities", "What binds")


def test_the_page_is_whole_and_says_its_parts() -> None:
    text = render(told_plan(), "merit plan fleet.yaml", "name: <the file>")
    page = Elements(text)
    assert page.unbalanced == []
    said = " ".join(page.text)
    for part in (*SECTIONS, "Alternatives", "Risk", "Assumptions", "Reproduction", "merit plan fleet.yaml"):
        assert part in said, part
    assert "name: <the file>" in said
    assert len(figures(text)) == 2 + 1 + 2 + len(SITES) + len(SERVICES) + 2 + 1 + 1


def test_studies_and_proof_that_were_not_asked_for_leave_no_section() -> None:
    told = told_plan()
    told["studies"] = dict.fromkeys(told["studies"])
    said = " ".join(Elements(render(told)).text)
    for part in ("Sensitivities", "What binds", "Alternatives", "Risk", "Proof"):
        assert part not in said.replace("What binds:", ""), part
    assert "Not proven" in said


def test_names_are_no_markup() -> None:
    def marked(value: Any) -> Any:
        if isinstance(value, dict):
            return {EVIL if key in ("dallas", "chat", "cs-4", "fast") else key: marked(v) for key, v in value.items()}
        if isinstance(value, list):
            return [marked(entry) for entry in value]
        return EVIL if value in ("dallas", "chat", "cs-4", "fast", "Cerebras", "750 MW") else value

    page = render(marked(told_plan()), EVIL, EVIL)
    assert EVIL not in page
    assert Elements(page).unbalanced == []


def test_the_verdict_follows_the_proof_and_says_what_is_unserved() -> None:
    told = told_plan(proof=told_proof() | {"holds": True, "lines": ["All promises hold."]})
    assert headline(told).good
    assert "proven" in headline(told).title
    assert "All promises hold." in headline(told).lines
    told["certificate"]["holds"] = False
    assert not headline(told).good
    told["services"]["chat"]["unmet_share_expected"] = 0.031
    assert "3.1% of chat unserved" in headline(told).title


def test_the_penalty_is_in_no_cost() -> None:
    told = told_plan()
    other = copy.deepcopy(told)
    other["cost"]["penalty_usd"] = 7e9
    assert money.waterfall_figure(told) == money.waterfall_figure(other)
    assert money.cash_figure(told) == money.cash_figure(other)
    assert "7.00 BUSD" in money.penalty_line(other)
    other["cost"]["penalty_usd"] = 0.0
    assert money.penalty_line(other) == ""


def test_the_waterfall_ends_at_the_total() -> None:
    steps, total = money.waterfall_figure(told_plan()).data
    assert steps["base"][-1] + steps["x"][-1] == pytest.approx(total["x"][0], rel=1e-3)
    assert steps["base"][1:] == pytest.approx(
        [b + x for b, x in zip(steps["base"], steps["x"], strict=True)][:-1], rel=1e-3
    )


def test_the_ramp_adds_up() -> None:
    told = told_plan()
    for figure in (*power.ramp_figures(told), power.offers_figure(told)):
        bars = [trace for trace in figure.data if trace["type"] == "bar"]
        for t, whole in enumerate(told["ramp"]["installed_w"]):
            assert sum(bar["y"][t] for bar in bars) == pytest.approx(whole / 1e6, rel=2e-3)


def test_the_fan_holds_every_scenario() -> None:
    told = told_plan()
    figure = fan_figures(told)[1]
    low, high = (trace["y"] for trace in figure.data[:2])
    for trace in figure.data[2:-1]:
        assert all(a <= y <= b for a, y, b in zip(low, trace["y"], high, strict=True))
    alone = told_plan()
    row = alone["services"]["chat"]
    row["demand_tok_s"] = {"expected": row["demand_tok_s"]["expected"]}
    assert len(fan_figures(alone)[1].data) == 2


def test_the_proof_says_every_promise_losses_apart() -> None:
    page = render(told_plan(proof=told_proof()))
    said = " ".join(Elements(page).text)
    proof, losses = said.split("Losses ")[-2:] if said.count("Losses ") > 1 else said.split("Losses ")
    assert "✗ does not hold" in losses
    assert "✓ holds" in proof
    assert "can't say" in proof
    for words in ("loss of dallas", "+1.0%", "+6.1%", "one of 8", "cloud is an API", "its proof does not hold"):
        assert words in said, words
    assert Elements(page).unbalanced == []


def test_ends_without_a_plan_are_said() -> None:
    assert studies.tornado_gaps(told_plan()) == "No plan at all with growth of chat a year at 4."
    assert studies.tornado_figure(told_plan()).data[1]["x"][1] is None


def test_the_schedule_names_scenarios_only_where_they_part() -> None:
    told = told_plan()
    assert "Scenario" in schedule_table(told)
    assert "40 by option" in schedule_table(told)
    for order in told["schedule"]:
        order["scenario"] = "all"
    assert "Scenario" not in schedule_table(told)


def test_a_closet_is_told_in_kilowatts() -> None:
    told = told_plan()
    told["ramp"]["installed_w"] = [4e4] * 12
    told["ramp"]["suppliers"] = {"NVIDIA": [4e4] * 12}
    figure = power.ramp_figures(told)[0]
    assert figure.layout["yaxis"]["title"]["text"] == "kW"
    assert figure.data[0]["y"][0] == 40


def test_words() -> None:
    assert [usd(v) for v in (0.0, 12.0, 3.4e3, -5.6e6, 7.89e9, None)] == [
        *("0 USD", "12.0 USD", "3.40 kUSD", "-5.60 MUSD", "7.89 BUSD", "–")
    ]
    assert listed(["a"]) == "a"
    assert listed(list("abcdef"), 3) == "a, b, c and 3 more"
    assert len(OFFERS) == 4
