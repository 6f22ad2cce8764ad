"""Ranges of machines, carried into results."""

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.simulate.fake import fake_result

from meritorder.cli.main import run as merit
from meritorder.fleet.load import loads
from meritorder.report.page import render
from meritorder.simulate.ranges import at_ends, uncertain, with_ranges
from meritorder.simulate.store import run_of

FLEET = """
sites: {home: {usd_per_kwh: 0.1, kg_per_kwh: 0.1}}
pools:
  fast: {site: home, accelerator: cs-3, model: llama-3.1-8b, replicas: 1}
  plain: {site: home, accelerator: h100, model: llama-3.1-8b, replicas: 1}
services: {chat: {model: llama-3.1-8b, slo: {ttft: 2 s}}}
"""
TRAFFIC = "arrived_at,num_prefill_tokens,num_decode_tokens\n" + "".join(f"{i / 4},{300 + i},{50}\n" for i in range(40))
FIXED = "accelerators: {cs-3: {base: cs-3, wafer: {decode_slot: 1, sram: 0.85, compute: 0.06}}}"

summaries = st.fixed_dictionaries(
    {
        "cost_usd": st.floats(0, 1e6),
        "ttft_s": st.fixed_dictionaries({"p50": st.one_of(st.none(), st.floats(0, 100))}),
        "wall_s": st.floats(0, 1),
        "slo_met": st.booleans(),
    }
)


@given(st.lists(summaries, min_size=3, max_size=3))
def test_the_range_encloses_every_run_and_leaves_out_what_is_no_result(found):
    ranged = with_ranges(found[0], found[1:], {})["ranges"]["figures"]
    costs = [one["cost_usd"] for one in found]
    if min(costs) == max(costs):
        assert "cost_usd" not in ranged
    else:
        assert ranged["cost_usd"] == {"low": min(costs), "high": max(costs)}
    assert not {"wall_s", "slo_met"} & set(ranged)
    waits = [one["ttft_s"]["p50"] for one in found]
    if waits[0] is None:
        assert "ttft_s" not in ranged


def test_only_the_uncertain_machine_moves():
    fleet = loads(FLEET)
    assert set(uncertain(fleet)) == {"cs-3"}
    bad, good = at_ends(fleet)
    assert bad.accelerators["cs-3"].wafer.decode_slot > good.accelerators["cs-3"].wafer.decode_slot
    assert bad.accelerators["h100"] == good.accelerators["h100"] == fleet.accelerators["h100"]
    assert bad.pools == fleet.pools


def test_figures_that_the_file_gives_are_certain():
    assert uncertain(loads(f"{FIXED}\n{FLEET}")) == {}


def test_merit_simulate_carries_them(tmp_path, capsys):
    fleet, traffic = tmp_path / "fleet.yaml", tmp_path / "trace.csv"
    fleet.write_text(FLEET)
    traffic.write_text(TRAFFIC)
    assert merit(["simulate", str(fleet), str(traffic), "--json", "-o", str(tmp_path / "out")]) == 0
    ranges = json.loads(capsys.readouterr().out)["ranges"]
    assert ranges["machines"]["cs-3"]["wafer.decode_slot"] == {"low": 0.2, "high": 5.0}
    cost = ranges["figures"]["cost_usd"]
    assert cost["low"] < json.loads((tmp_path / "out/summary.json").read_text())["cost_usd"] < cost["high"]
    assert "h100" not in ranges["machines"]
    assert "all its ranges at either end" in (tmp_path / "out/report.html").read_text()

    assert merit(["simulate", str(fleet), str(traffic)]) == 0
    assert "Ranges, with cs-3 at both ends" in capsys.readouterr().out
    assert merit(["simulate", str(fleet), str(traffic), "--no-ranges", "--json"]) == 0
    assert "ranges" not in json.loads(capsys.readouterr().out)


def test_merit_check_names_them(tmp_path, capsys):
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(FLEET)
    assert merit(["check", str(fleet), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ranges"]["cs-3"]["idle"] == {"low": 8e3, "high": 20e3}
    assert merit(["check", str(fleet)]) == 0
    assert "known as ranges only" in capsys.readouterr().out


def test_an_end_at_which_the_model_does_not_fit_is_told(tmp_path, capsys):
    # 70B in FP16 on four wafers: 80 % of the SRAM, which the unfavourable 0.8 of it does not hold
    tight = "accelerators: {tight: {base: cs-3, ranges: {wafer.sram: {low: 0.8, high: 0.9}}}}"
    text = FLEET.replace("llama-3.1-8b", "llama-3.1-70b").replace(
        "accelerator: cs-3,", "accelerator: tight, pipeline: 4,"
    )
    fleet, traffic = tmp_path / "fleet.yaml", tmp_path / "trace.csv"
    fleet.write_text(f"{tight}\n{text.replace('accelerator: h100,', 'accelerator: h100, tensor: 4,')}")
    traffic.write_text(TRAFFIC)
    assert merit(["simulate", str(fleet), str(traffic)]) == 0
    assert "no results at the unfavourable end of the ranges" in " ".join(capsys.readouterr().err.split())


def test_the_report_shows_low_and_high():
    run = run_of(fake_result(300))
    other = run.summary | {"cost_usd": 2 * run.summary["cost_usd"]}
    ranged = replace(run, summary=with_ranges(run.summary, [other], {"cs-3": {}}, ["at the favourable end: too large"]))
    page = render([ranged])
    assert "Cost, USD" in page
    assert "No results at the favourable end: too large" in page
    assert "Ranges</h2>" not in render([run])
