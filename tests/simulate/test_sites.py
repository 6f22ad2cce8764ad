"""Results of the site model: books, sites, footprints, fates, files."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.simulate.fake import fake_result
from tests.simulate.fake_sites import fake_site_result

from meritorder.simulate.accounts import accounts
from meritorder.simulate.compare import compare
from meritorder.simulate.footprint import footprints, shares
from meritorder.simulate.result import Result, Status
from meritorder.simulate.service_level import Target, Verdict, judge
from meritorder.simulate.site_series import Deed, seconds_covered, site_series, spans
from meritorder.simulate.store import load_run, run_of, save
from meritorder.simulate.summary import summarise


@pytest.fixture(scope="module")
def result() -> Result:
    return fake_site_result()


@pytest.fixture(scope="module")
def summary(result):
    return summarise(result)


def test_the_books_are_those_of_the_meter(result, summary):
    books = accounts(result)
    assert books.dynamic_j == pytest.approx(result.series["energy_j"].sum(axis=1), rel=1e-9)
    idle_w = [500.0, 4 * 500.0, 2 * 500.0]
    assert books.idle_j == pytest.approx(np.array(idle_w) * 3600.0, rel=1e-6)
    north = summary["sites"]["north"]
    assert books.facility_j[:2].sum() == pytest.approx(north["facility_energy_j"])
    assert north["facility_energy_j"] == pytest.approx(
        north["it_energy_j"] + north["loss_energy_j"] + north["cooling_energy_j"], rel=1e-9
    )
    assert books.facility_j[2] == pytest.approx(1.4 * books.it_j[2])
    assert books.energy_usd[:2].sum() == pytest.approx(north["energy_usd"])
    assert summary["cost_usd"] == pytest.approx(books.cost_usd.sum())


def test_of_a_sampled_fleet_the_books_have_what_was_simulated(result, summary):
    half = replace(result, weights=np.array([1.0, 2.0, 2.0]))
    series = {name: values / np.array([[1.0], [2.0], [2.0]]) for name, values in result.series.items()}
    books, whole = accounts(replace(half, series=series)), accounts(result)
    assert books.it_j == pytest.approx(whole.it_j / [1, 2, 2])
    assert books.idle_j == pytest.approx(whole.idle_j / [1, 2, 2])
    assert summarise(half)["sites"]["north"] == summary["sites"]["north"]


def test_without_a_site_model_everything_is_as_it_was():
    plain = fake_result(2000)
    books = accounts(plain)
    assert books.facility_j == pytest.approx(books.it_j * [1.1, 1.1, 1.4])
    assert summarise(plain)["sites"] == {}
    assert not run_of(plain).sites.values


def test_a_site_says_peaks_pue_compressors_and_what_bound(summary):
    north, south = summary["sites"]["north"], summary["sites"]["south"]
    assert 1.05 < north["pue"] < 2.0
    assert north["pue_hours"]["low"] <= north["pue"] <= north["pue_hours"]["high"]
    assert south["pue"] == pytest.approx(1.4)
    assert north["it_peak_bin_w"] < north["facility_peak_bin_w"] <= north["grid_peak_w"] * (1 + 1e-9)
    assert north["dry_bulb_c"]["high"] > 20  # Singapore
    assert south["dry_bulb_c"]["median"] == 15.0
    assert set(north["compressors"]) == {"air"}
    assert 0 <= north["compressors"]["air"]["full_load_s"] <= north["compressors"]["air"]["on_s"] <= 3600
    assert south["compressors"] == {}
    assert north["limits"].keys() <= {"grid contract", "power path", "cooling"}
    assert north["limits"]["grid contract"] > 0
    assert south["limits"] == {}


def test_levers_say_how_often_how_long_and_why(summary):
    levers = summary["sites"]["north"]["levers"]
    assert levers["cap"] == {"times": 2, "seconds": 900.0, "why": {"grid contract": 2}, "on": {"h100": 900.0}}
    assert levers["hold"]["seconds"] == 2400.0
    assert levers["hold"]["on"] == {"batch": 2400.0}
    assert summary["sites"]["south"]["levers"] == {}
    assert summary["sites"]["north"]["deeds"]["of_all_sites"] == 4


def test_lost_and_held_requests_are_counted_by_cause(result, summary):
    rows = summary["by_service"].values()
    assert summary["lost"] == sum(row["lost"] for row in rows) == 3
    assert sum(row["lost_by_cause"].get("feed", 0) for row in rows) == 3
    assert sum(row["refused_by_cause"].get("short of power", 0) for row in rows) == 2
    assert sum(row["sent_anew"] for row in rows) == sum(row["delayed"] for row in rows) == 5
    assert sum(row["held"]["requests"] for row in rows) == 4
    failed = sum(row["requests"] * (1 - row["availability"]) for row in rows)
    assert failed == pytest.approx(5)
    whole = ("completed", "rejected", "shed", "cancelled", "unreached", "lost")
    assert sum(summary[key] for key in whole) == summary["requests"]


def test_footprints_share_out_what_was_taken(result):
    books = accounts(result)
    share = shares(result)
    assert share.sum(axis=1) == pytest.approx(1.0)
    taken = footprints(result, books)
    for key, total in (("facility_energy_j", books.facility_j), ("carbon_kg", books.carbon_kg)):
        assert sum(row[key] for row in taken.values()) == pytest.approx(total.sum())
    chat = taken["chat"]
    done = (result.service == 0) & (result.status == Status.COMPLETED)
    assert chat["j_per_ktok"] == pytest.approx(chat["facility_energy_j"] / result.trace.output_tokens[done].sum() * 1e3)


def test_a_pool_that_served_one_service_is_all_its_own(result):
    only = replace(result, service=np.zeros_like(result.service))
    assert shares(only) == pytest.approx(np.tile([1.0, 0, 0], (3, 1)))
    nobody = replace(
        result, start_s=np.full(len(result.status), np.nan), status=np.full_like(result.status, Status.SHED)
    )
    assert shares(nobody) == pytest.approx(np.zeros((3, 3)))
    assert footprints(nobody, accounts(nobody))["chat"]["j_per_ktok"] is None


def test_a_saved_run_has_its_sites_and_deeds_again(result, tmp_path):
    run = save(result, tmp_path / "run")
    assert {"sites.parquet", "deeds.parquet"} <= {entry.name for entry in (tmp_path / "run").iterdir()}
    again = load_run(tmp_path / "run")
    assert again.deeds == run.deeds
    assert again.sites.bin_s == run.sites.bin_s
    for name, values in run.sites.values.items():
        np.testing.assert_array_equal(again.sites.values[name], values)
    np.testing.assert_array_equal(again.requests["cause"], run.requests["cause"])
    save(fake_result(2000), tmp_path / "run")  # replaces it, and leaves nothing of it
    assert not (tmp_path / "run" / "sites.parquet").exists()


def test_the_series_add_up_to_the_totals(result, summary):
    series = site_series(result)
    assert series.values["facility_j"].sum(axis=1) == pytest.approx(
        [site["facility_energy_j"] for site in summary["sites"].values()]
    )
    assert series.values["seconds"].sum(axis=1) == pytest.approx([3600.0, 3600.0])


def test_runs_with_sites_are_compared_in_energy_carbon_and_peak(result):
    runs = [run_of(result, "a"), run_of(fake_site_result(policy="round-robin", grid_w=4.8e3), "b")]
    rows = {row["key"]: row for row in compare(runs)["metrics"]}
    assert {"facility_energy_j", "carbon_kg", "sites.north.pue", "by_service.chat.gco2_per_ktok"} <= rows.keys()
    assert rows["facility_energy_j"]["values"][0] == runs[0].summary["facility_energy_j"]


def deed(time: float, level: int, target: str = "p", site: str = "s") -> Deed:
    return Deed(time, site, -1, "cap", target, level, "grid contract", 0.0)


def test_spans_last_until_the_next_deed_or_the_end():
    found = spans([deed(1, 1), deed(3, 2), deed(4, 1, "q"), deed(6, 0)], 10.0)
    assert [(d.time_s, d.target, d.level, s) for d, s in found] == [(1, "p", 1, 2), (3, "p", 2, 3), (4, "q", 1, 6)]
    assert seconds_covered([(0, 2), (1, 3), (10, 1)]) == 5


def test_a_lever_let_go_for_a_row_ends_what_was_used_for_the_site():
    used = [
        Deed(1.0, "s", -1, "cap", "p", 2, "demand response", 9.0),
        Deed(2.0, "s", -1, "hold", "batch", 1, "demand response", 0.0),
        Deed(5.0, "s", 3, "cap", "p", 0, "row busway", -9.0),
        Deed(6.0, "t", 4, "hold", "batch", 0, "row busway", 0.0),
    ]
    assert [(deed.lever, seconds) for deed, seconds in spans(used, 100.0)] == [("cap", 4.0), ("hold", 4.0)]


def test_requests_held_in_the_gateway_and_lost_ones_are_misses_of_their_own():
    one = np.ones(4)
    requests = {
        "service": np.zeros(4, np.int32), "status": np.array([1, 1, 6, 1], np.uint8), "arrival_s": 0 * one,
        "start_s": np.array([9.0, 9.0, np.nan, 0.1]), "first_s": np.array([10.0, 10.0, np.nan, 0.5]),
        "finish_s": np.array([11.0, 11.0, 5.0, 1.0]), "output_tokens": np.full(4, 2), "preemptions": np.zeros(4),
        "parked_s": np.array([8.5, 2.0, 0.0, 0.0]),
    }  # fmt: skip
    verdicts = judge(requests, [Target(ttft_s=2.0)])
    assert verdicts.tolist() == [Verdict.HELD, Verdict.WAITING, Verdict.LOST, Verdict.MET]
