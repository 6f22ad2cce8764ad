"""The benchmarks measure what they say: the common workload, the load, the table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import building, common_workload, section, steady


def test_the_common_workload_is_the_published_one() -> None:
    """First rows, last arrival and total tokens, as other measurements of this workload state them."""
    known = {
        "w1": (2_000, 498.2, 1_910_185, 398_671),
        "w16": (10_000, 156.4, 9_738_148, 2_021_297),
        "w64": (20_000, 77.9, 19_316_863, 4_065_442),
    }
    for workload in common_workload.WORKLOADS:
        rows = workload.rows()
        requests, last, prompts, outputs = known[workload.name]
        assert len(rows) == requests
        assert rows[-1][0] == pytest.approx(last, abs=0.05)
        assert (sum(r[1] for r in rows), sum(r[2] for r in rows)) == (prompts, outputs)
    first, second = common_workload.WORKLOADS[0].rows()[:2]
    assert (round(first[0], 6), *first[1:]) == (0.036073, 330, 134)
    assert (round(second[0], 6), *second[1:]) == (0.424719, 1745, 126)


def test_other_simulators_get_the_same_rows(tmp_path: Path) -> None:
    """Both file formats hold the rows, and Mooncake's block ids are all different."""
    workload = common_workload.Workload("small", 1, 50, 4)
    common_workload.write_mooncake(workload, tmp_path / "m.jsonl")
    common_workload.write_vidur(workload, tmp_path / "v.csv")
    rows = [json.loads(line) for line in (tmp_path / "m.jsonl").read_text().splitlines()]
    assert [(r["input_length"], r["output_length"]) for r in rows] == [r[1:] for r in workload.rows()]
    ids = [block for r in rows for block in r["hash_ids"]]
    assert len(ids) == len(set(ids))
    assert len((tmp_path / "v.csv").read_text().splitlines()) == 51


def test_steady_load_has_the_utilisation_it_names() -> None:
    """Arrival rate = utilisation x replicas x what one replica sustains, for short and long outputs."""
    for mean in (100.0, 1000.0):
        trace = steady.trace(20_000, 16, 0.7, mean)
        prompt, output = float(trace.prompt_tokens.mean()), float(trace.output_tokens.mean())
        assert output == pytest.approx(mean, rel=0.05)
        sustained = 16 * steady.saturation_rate(prompt, output)
        assert len(trace) / trace.duration_s == pytest.approx(0.7 * sustained, rel=0.03)


def test_longer_outputs_saturate_earlier() -> None:
    """Ten times the tokens is nearly a tenth of the requests."""
    assert 0.05 < steady.saturation_rate(955, 2000) / steady.saturation_rate(955, 200) < 0.2


def test_a_section_keeps_rows_and_verdicts() -> None:
    """A missed bar is said in bold, a figure that is missing gives its reason."""
    part = section.Section("Title", "Text", ["run", "value", "held"])
    part.add("a", [1.0, 3.0, 2.0], "2", section.verdict([1.0, 3.0, 2.0], at_least=2.5))
    part.add("b", [1.0], "1", section.verdict([1.0], at_most=1.0))
    part.missing("c", "no data | here")
    assert part.markdown().splitlines()[-3:] == [
        "| a | 2 | **no** |",
        "| b | 1 | yes |",
        "| c | not measured: no data / here |  |",
    ]
    assert part.raw["a"] == [1.0, 3.0, 2.0]


def test_a_building_has_its_loops_and_its_load() -> None:
    """As many rows as asked for, of all classes, and steps that leave totals behind."""
    state = building.building(9)
    assert len(state.rows) == 9
    assert set(state.plants.coolant) == {0, 1, 2}
    assert building.day(state, 20) > 0.0
    assert 0.4 < state.sites[0].it_j / (20 * state.sites[0].nameplate_w) < 1.0
