"""The report holds what the run says, works offline, and lets nothing of the user's become markup."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.simulate.fake import fake_result

from meritorder.problems import InputError
from meritorder.report.page import render, write_report
from meritorder.simulate.store import Run, run_of


class Elements(HTMLParser):
    """Every start tag with its attributes, the text, and what is in scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("script", "style"):
            self.text.append(data)


@pytest.fixture(scope="module")
def single(run: Run) -> str:
    return render([run], "merit simulate fleet.yaml trace.csv")


@pytest.fixture(scope="module")
def several(runs: list[Run]) -> str:
    return render(runs)


def figures(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="figures">(.*?)</script>', page, re.DOTALL)
    assert found
    loaded: dict[str, Any] = json.loads(found[1])
    return loaded


@pytest.mark.parametrize("kind", ["single", "several"])
def test_nothing_is_fetched_from_outside(kind: str, request: pytest.FixtureRequest) -> None:
    page = Elements(request.getfixturevalue(kind))
    for tag, attributes in page.tags:
        for key in ("src", "href", "srcset", "action", "data", "poster"):
            value = attributes.get(key)
            if value is not None and not (tag == "a" and key == "href"):
                assert value == "data:,", f"<{tag} {key}={value}>"
        assert tag not in ("iframe", "object", "embed", "img")
    styles = "".join(re.findall(r"<style>(.*?)</style>", request.getfixturevalue(kind), re.DOTALL))
    assert "url(" not in styles
    assert "@import" not in styles


@pytest.mark.parametrize("kind", ["single", "several"])
def test_the_markup_is_whole(kind: str, request: pytest.FixtureRequest) -> None:
    page = Elements(request.getfixturevalue(kind))
    assert page.unbalanced == []
    assert page.open == []
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    anchors = [a["href"] for tag, a in page.tags if tag == "a"]
    assert anchors
    assert {str(anchor).removeprefix("#") for anchor in anchors} <= set(ids)
    plots = [a["id"] for _, a in page.tags if a.get("class") == "plot"]
    assert plots == list(figures(request.getfixturevalue(kind)))
    assert all(a.get("aria-label") for _, a in page.tags if a.get("class") == "plot")
    heads = [a.get("scope") for tag, a in page.tags if tag == "th"]
    assert set(heads) == {"col", "row"}


def test_the_verdict_stands_first_and_names_every_missed_service(run: Run, single: str) -> None:
    text = " ".join(Elements(single).text)
    assert "2 of 3 service levels missed" in text
    assert text.index("2 of 3 service") < text.index("Share of the time that each pool") < text.index("same bits")
    for name in ("chat", "agents"):
        row = run.summary["by_service"][name]
        short = 100 * (row["slo"]["percentile"] - row["slo_attainment"])
        assert f"{name}: {row['slo_attainment']:.1%} of requests within targets" in text
        assert f"{short:.1f} percentage points short" in text
    assert "merit simulate fleet.yaml trace.csv" in text
    assert "decode bandwidth under load is a range" in text
    assert "made-up traffic of one hour" in text


@pytest.mark.parametrize("kind", ["single", "several"])
def test_the_first_screen_says_what_leans_on_guesses(kind: str, run: Run, request: pytest.FixtureRequest) -> None:
    page = Elements(request.getfixturevalue(kind))
    text = " ".join(page.text)
    assert run.summary["notes"]
    for pool, lines in run.summary["notes"].items():
        machine = run.summary["by_pool"][pool]["machine"]
        assert f"{pool} {len(lines)}" in text or f"{pool} ({machine}) {len(lines)}" in text
    assert text.index("Some inputs are guesses") < text.index("Share of the time that each pool")
    assert ("a", {"href": "#assumptions"}) in page.tags


def test_the_nearest_run_is_named_when_none_meets_all(several: str) -> None:
    text = " ".join(Elements(several).text)
    assert "None of 3 runs meets every service level" in text
    assert "Nearest: merit-order, whose worst service, chat, is" in text


def lenient(run: Run, name: str, cost: float, joules: float) -> Run:
    """The run as if it had met everything."""
    services = {n: row | {"slo_met": True} for n, row in run.summary["by_service"].items()}
    told = {"by_service": services, "usd_per_good_mtok": cost, "energy_j_per_output_token": joules}
    return replace(run, name=name, summary=run.summary | told)


def test_the_cheapest_of_those_that_meet_all_is_named(runs: list[Run]) -> None:
    passing = [lenient(runs[1], "dear", 9.0, 1.0), lenient(runs[2], "cheap", 8.0, 5.0)]
    text = " ".join(Elements(render([runs[0], *passing])).text)
    assert "2 of 3 runs meet every service level" in text
    assert "Cheapest: cheap: 8.00 USD" in text
    assert "The figures below are those of cheap" in text


def test_equal_costs_are_told_apart_by_energy(runs: list[Run]) -> None:
    passing = [lenient(runs[1], "hot", 8.0, 5.0), lenient(runs[2], "cool", 8.05, 4.0)]
    text = " ".join(Elements(render(passing)).text)
    assert "All 2 runs meet every service level" in text
    assert "Cheapest, equal within 1%: hot, cool" in text
    assert "Least energy of these: cool, 4.00 J" in text
    assert "The figures below are those of cool" in text


def test_latency_curves_are_the_quantiles_of_the_requests(run: Run, single: str) -> None:
    ttft = next(f for f in figures(single).values() if f["layout"].get("xaxis", {}).get("type") == "log")
    (curve,) = [trace for trace in ttft["data"] if trace["name"] == "chat"]
    q = run.requests
    mine = (q["service"] == 0) & (q["status"] == 1)
    exact = np.quantile((q["first_s"] - q["arrival_s"])[mine], np.array(curve["y"]) / 100)
    assert curve["x"] == pytest.approx(exact, rel=2e-3)
    (target,) = [trace for trace in ttft["data"] if trace["name"] == "target chat"]
    assert (target["x"], target["y"]) == ([0.5], [95.0])


def test_power_over_time_adds_up_to_the_energy(run: Run, single: str) -> None:
    power = next(f for f in figures(single).values() if f["layout"].get("yaxis", {}).get("ticksuffix") == "W")
    joules = sum(sum(trace["y"]) for trace in power["data"]) * run.bin_s
    assert joules == pytest.approx(run.summary["energy_j"], rel=1e-3)


def test_the_flow_holds_every_request(run: Run, single: str) -> None:
    (flow,) = [f for f in figures(single).values() if f["data"][0]["type"] == "sankey"]
    link = flow["data"][0]["link"]
    services = flow["data"][0]["meta"]["columns"][0]
    into_reasons = sum(v for v, s in zip(link["value"], link["source"], strict=True) if s < services)
    assert into_reasons == run.summary["requests"]
    assert sum(link["value"]) == 2 * into_reasons


def test_many_pools_stay_readable() -> None:
    """Curves beyond the eighth are one together, and nothing gets lost."""
    result = fake_result(500, bins=10)
    names = [f"pool-{i}" for i in range(12)]
    fleet = result.fleet.model_copy(update={"pools": dict.fromkeys(names, result.fleet.pools["h100"])})
    series = {key: np.repeat(values[:1], 12, axis=0) for key, values in result.series.items()}
    wide = replace(result, fleet=fleet, replicas=result.replicas[:1] * 12, series=series)
    page = render([run_of(wide)])
    power = next(f for f in figures(page).values() if f["layout"].get("yaxis", {}).get("ticksuffix") == "W")
    assert len(power["data"]) == 9
    assert power["data"][-1]["name"] == "4 other pools"
    assert power["data"][-1]["y"] == pytest.approx([4 * y for y in power["data"][0]["y"]], rel=1e-3)


EVIL = "<script>alert(1)</script>$css&\"'"


def test_names_of_the_user_never_become_markup(runs: list[Run]) -> None:
    def evil(run: Run) -> Run:
        def renamed(value: Any) -> Any:
            if isinstance(value, dict):
                return {renamed(k): renamed(v) for k, v in value.items()}
            if isinstance(value, list | tuple):
                return type(value)(renamed(v) for v in value)
            return EVIL if value in ("chat", "wafer", "north", "made up", "Three pools, two sites") else value

        return replace(
            run,
            name=run.name + EVIL,
            summary=renamed(run.summary) | {"trace": {**run.summary["trace"], "source": EVIL}},
            fleet=renamed(run.fleet),
            services=renamed(run.services),
            pools=renamed(run.pools),
        )

    clean = Elements(render(runs, "merit"))
    page = render([evil(run) for run in runs], f"merit {EVIL}")
    dirty = Elements(page)
    assert [tag for tag, _ in dirty.tags] == [tag for tag, _ in clean.tags]
    assert "<script>alert" not in page
    assert EVIL in " ".join(dirty.text)
    assert any(trace.get("name") == EVIL for figure in figures(page).values() for trace in figure["data"])


def test_a_run_in_which_nothing_completed_has_a_report(run: Run) -> None:
    result = fake_result(50)
    nan = np.full(50, np.nan)
    dead = replace(
        result,
        status=np.full(50, 3, np.uint8),
        pool=np.full(50, -1, np.int32),
        start_s=nan,
        first_s=nan,
        finish_s=nan,
        hit_tokens=np.zeros(50, np.int32),
        series={key: np.zeros_like(values) for key, values in result.series.items()},
    )
    assert "3 of 3 service levels missed" in render([run_of(dead)])
    assert "None of 2 runs meets" in render([run_of(dead), run_of(dead)])


def test_size_of_eight_runs() -> None:
    page = render([run_of(fake_result(2000, policy=str(i))) for i in range(8)])
    assert len(page.encode()) < 8e6


def test_runs_of_other_services_are_refused(run: Run, tmp_path: Path) -> None:
    other = replace(run, services=("chat", "other", "batch"))
    with pytest.raises(InputError, match="compare runs of the same services"):
        write_report([run, other], tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_a_report_that_cannot_be_written(run: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be written"):
        write_report(run, tmp_path)


def test_plotly_is_not_imported() -> None:
    code = "import sys, meritorder.report.body as b; b._plotly(); sys.exit('plotly' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
