"""What page and command line show of sites."""

from __future__ import annotations

import re

import pytest
from tests.simulate.fake import fake_result
from tests.simulate.fake_sites import fake_site_result

from meritorder.cli.simulate_sites import print_sites
from meritorder.report.page import render
from meritorder.report.site_figures import site_figures, sites_figures, timeline_figure
from meritorder.report.site_words import downtime_lines, fate_lines, lever_lines, limit_lines
from meritorder.simulate.store import Run, run_of


@pytest.fixture(scope="module")
def run() -> Run:
    return run_of(fake_site_result(2000))


def test_sentences_on_limits_levers_and_fates(run):
    assert any(line.startswith("north was at its limit: grid contract ") for line in limit_lines(run))
    assert "north capped h100 for 15.0 min: grid contract 2x" in lever_lines(run)
    told = " ".join(fate_lines(run))
    assert re.search(r"\d lost \(feed \d\)", told)
    assert "refused (short of power " in told
    assert "overloaded" not in told
    assert "held in the gateway, 30.0 s at the median" in told
    assert downtime_lines(run) == []
    run.summary["by_pool"]["h100"].update(down_s=60.0, availability=0.99, down_by_cause={"machine": 60.0})
    assert downtime_lines(run) == ["h100: replicas up 99.0% of the time, down machine 60.0 s"]


def test_figures_of_sites_have_the_series_and_the_units(run):
    power, warm = site_figures(run, 0, "north")
    assert [trace["name"] for trace in power.data] == ["IT", "facility", "IT, at most"]
    assert [trace["name"] for trace in warm.data] == ["dry bulb", "wet bulb", "supply, air"]
    it, facility, _ = (trace["y"] for trace in power.data)
    assert all(a < b for a, b in zip(it, facility, strict=True))
    assert [figure.title.partition(",")[0] for figure in sites_figures(run)] == [
        "PUE",
        "Price",
        "Carbon",
        "Compressors",
    ]


def test_the_timeline_has_limits_and_levers_as_bars(run):
    figure = timeline_figure(run)
    assert figure is not None
    bars = {trace["name"]: trace for trace in figure.data}
    assert set(bars) == {"at its limit", "capped", "held"}
    assert bars["capped"]["y"] == ["north: h100 capped", "north: h100 capped"]
    assert bars["capped"]["base"] == [10.0, 15.0]  # minutes
    assert bars["capped"]["x"] == [5.0, 10.0]
    assert bars["held"]["x"] == [40.0]
    assert timeline_figure(run_of(fake_result(1000))) is None


def test_a_page_has_the_section_with_a_site_model_and_the_footprint_without(run):
    page = render([run])
    assert "Power, heat and limits" in page
    assert "Limits and levers" in page
    plain = render([run_of(fake_result(1000))])
    assert "Power, heat and limits" not in plain
    assert "Footprint" in plain


def test_the_command_line_shows_sites_and_footprints(run, capsys):
    print_sites([run])
    told = capsys.readouterr().out
    assert re.search(r"merit-order +north +3\.\d+ kW", told)
    assert "By service, per 1,000 output tokens" in told
    assert "north was at its limit" in told
    print_sites([run_of(fake_result(1000))])
    assert capsys.readouterr().out == ""
