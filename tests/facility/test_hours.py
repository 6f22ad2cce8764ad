"""Weather, price and carbon of a site over a run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meritorder.catalog.climates import climates, electricity, grids, weather
from meritorder.facility.psychro import dew_point, humidity_ratio
from meritorder.facility.surroundings.hours import hours_of
from meritorder.facility.surroundings.series import YEAR_S, Series, second_of_year
from meritorder.fleet.load import load, loads
from meritorder.problems import InputError

FLEET = """
{start}
sites: {{here: {{usd_per_kwh: 0.08, kg_per_kwh: 0.3, {site}}}}}
pools: {{one: {{site: here, accelerator: h200, tensor: 2, model: qwen3-32b, replicas: 1}}}}
services: {{chat: {{model: qwen3-32b}}}}
"""
PRICES = "time,price (USD/MWh)\n" + "".join(
    f"{datetime(2023, 7, 1, tzinfo=UTC) + timedelta(minutes=15 * i):%Y-%m-%dT%H:%MZ},{i}\n" for i in range(96)
)


def fleet(site: str, start: str = "start: 2023-07-01T12:30Z"):
    return loads(FLEET.format(site=site, start=start), "f.yaml")


def prices(folder: Path) -> str:
    path = folder / "p.csv"
    path.write_text(PRICES)
    return str(path)


def test_a_site_of_which_nothing_is_said_has_one_constant_entry():
    hours = hours_of(fleet("pue: 1.2", start=""), "here", 1e6)
    assert len(hours.table) == 1
    assert hours.table[0].usd_per_kwh == 0.08
    assert hours.table[0].kg_per_kwh == 0.3
    assert hours.table[0].dry_c == 15.0
    assert hours.table[0].wet_c == pytest.approx(10.8, abs=0.1)


def test_prices_hold_from_their_moment_on(tmp_path):
    hours = hours_of(fleet(f"price: {prices(tmp_path)}"), "here", 3600.0)
    assert hours.step_s == 900
    assert hours.first == 0.0
    np.testing.assert_allclose(1e3 * hours.table.usd_per_kwh[:3], [50, 51, 52])
    odd = hours_of(fleet(f"price: {prices(tmp_path)}", "start: 2023-07-01T14:37:30+02:00"), "here", 3600.0)
    assert odd.first == pytest.approx(0.5)
    assert 1e3 * odd.table.usd_per_kwh[0] == pytest.approx(50)


def test_a_run_beyond_the_file_is_an_error(tmp_path):
    site = f"price: {prices(tmp_path)}"
    hours_of(fleet(site), "here", 11.5 * 3600)
    for start, span in (("2023-07-01T12:30Z", 12 * 3600.0), ("2023-06-30T23:00Z", 60.0)):
        with pytest.raises(InputError, match="covers 2023-07-01T00:00Z to 2023-07-02T00:00Z, but the run needs"):
            hours_of(fleet(site, f"start: {start}"), "here", span)


def test_a_start_is_needed_and_must_be_a_moment():
    with pytest.raises(InputError, match="start: is missing"):
        hours_of(fleet("weather: dallas", start=""), "here", 60.0)
    for wrong in ("2023-07-01T12:30", "1688169600", "noon"):
        with pytest.raises(InputError, match="is no moment with its offset from UTC"):
            fleet("pue: 1.2", f"start: {wrong}")


def test_weather_is_linear_between_hours():
    hours = hours_of(fleet("weather: dallas, price: ercot"), "here", 86_400.0)
    dry, _ = weather(climates()["dallas"])
    noon = (31 + 28 + 31 + 30 + 31 + 30) * 24 + 12
    assert hours.first == 0.5
    np.testing.assert_allclose(hours.table.dry_c[:24], dry[noon : noon + 24])
    assert (hours.table.wet_c <= hours.table.dry_c + 1e-9).all()


def test_a_heat_wave_keeps_the_water_in_the_air():
    wave = "scenarios: [{what: heat-wave, start: 6 h, duration: 24 h, add: 8.0}]"
    plain = hours_of(fleet("weather: dallas"), "here", 3 * 86_400.0).table
    hot = hours_of(fleet(f"weather: dallas, {wave}"), "here", 3 * 86_400.0).table
    rise = hot.dry_c - plain.dry_c
    assert rise.max() == pytest.approx(8.0)
    assert rise[:6].max() == 0
    assert rise[31:].max() == 0
    assert np.abs(np.diff(rise)).max() < 2.5  # it comes and goes over hours
    wet = hot.wet_c - plain.wet_c
    assert 0 < wet[18] < 0.5 * rise[18]


def test_price_spikes_and_dirty_grids_are_as_long_as_they_say():
    spike = "{what: price-spike, start: 30 min, duration: 20 min, times: 20.0}"
    dirt = "{what: dirty-grid, duration: 1 h, times: 2.0}"
    hours = hours_of(fleet(f"scenarios: [{spike}, {dirt}]", "start: 2023-07-01T12:00Z"), "here", 3600.0)
    time = (np.arange(len(hours.table)) - hours.first) * hours.step_s
    on = (time >= 1800) & (time < 3000)
    np.testing.assert_allclose(hours.table.usd_per_kwh, np.where(on, 1.6, 0.08))
    np.testing.assert_allclose(hours.table.kg_per_kwh, np.where(time < 3600, 0.6, 0.3))


def test_a_spike_makes_negative_prices_dearer_too(tmp_path):
    path = tmp_path / "n.csv"
    path.write_text("time,price (USD/MWh)\n2023-07-01T12:00Z,-10\n2023-07-01T13:00Z,-10\n2023-07-01T14:00Z,-10\n")
    spike = "scenarios: [{what: price-spike, start: 30 min, duration: 1 h, times: 3.0}]"
    table = hours_of(fleet(f"price: {path}, {spike}"), "here", 3600.0).table
    np.testing.assert_allclose(1e3 * table.usd_per_kwh[:4], [-10, 10, -10, -10])


def test_paths_are_seen_from_the_file_that_names_them(tmp_path, monkeypatch):
    (tmp_path / "deep").mkdir()
    prices(tmp_path / "deep")
    text = FLEET.format(site="price: p.csv", start="start: 2023-07-01T12:00Z")
    (tmp_path / "deep" / "base.yaml").write_text(text)
    (tmp_path / "fleet.yaml").write_text("extends: deep/base.yaml\n")
    monkeypatch.chdir("/")
    assert 1e3 * hours_of(load(tmp_path / "fleet.yaml"), "here", 60.0).table.usd_per_kwh[0] == pytest.approx(48)


@pytest.mark.parametrize(
    ("site", "message"),
    [
        ("weather: dalas", 'f.yaml:3: sites.here.weather: the catalog has no climate "dalas"; did you mean "dallas"?'),
        ("price: dallas", 'sites.here.price: the catalog has no grid "dallas"; known: caiso'),
        ("carbon: ./none.csv", "there is no file"),
    ],
)
def test_names_and_files_that_are_not_there(site, message):
    with pytest.raises(InputError) as caught:
        fleet(site)
    assert message in str(caught.value)


def hourly(start: datetime, hours: int, typical: bool = False) -> Series:
    return Series("x", int(start.timestamp()), 3600, np.arange(hours, dtype=np.float64)[:, None], typical)


@given(st.integers(0, 8759), st.integers(-30, 30), st.booleans())
def test_a_whole_year_repeats_by_the_calendar(hour, years, linear):
    series = hourly(datetime(2023, 1, 1, tzinfo=UTC), 8760)
    moment = datetime(2023, 1, 1, tzinfo=UTC) + timedelta(hours=hour)
    wanted = moment.replace(year=2023 + years)
    found = series.at(np.array([int(wanted.timestamp())]), 0, linear=linear)
    assert found[0, 0] == hour


def test_the_29th_of_february_is_the_28th_and_years_meet():
    series = hourly(datetime(2023, 1, 1, tzinfo=UTC), 8760)
    leap = int(datetime(2024, 2, 29, 5, tzinfo=UTC).timestamp())
    assert series.at(np.array([leap]), leap + 1, linear=True)[0, 0] == (31 + 27) * 24 + 5
    end = int(datetime(2024, 12, 31, 23, 30, tzinfo=UTC).timestamp())
    assert series.at(np.array([end]), end + 1, linear=True)[0, 0] == pytest.approx(8759 / 2)
    assert series.at(np.array([end]), end + 1, linear=False)[0, 0] == 8759


@given(st.integers(-2_000_000_000, 4_000_000_000))
def test_second_of_year_is_that_of_the_calendar(moment):
    found = int(second_of_year(np.array([moment]))[0])
    date = datetime.fromtimestamp(moment, UTC)
    assert 0 <= found < YEAR_S
    if (date.month, date.day) == (2, 29):
        date = date.replace(day=28)
    same = date.replace(year=2001)
    assert found == int((same - datetime(2001, 1, 1, tzinfo=UTC)).total_seconds())


@pytest.mark.parametrize("name", sorted(climates()))
def test_climates_are_near_the_year_they_were_fitted_to(name):
    climate = climates()[name]
    dry, dew = weather(climate)
    assert (dew <= dry).all()
    real = climate.check["real"]
    assert np.percentile(dry, 50) == pytest.approx(real["dry_p50"], abs=1.5)
    assert np.percentile(dry, 99) == pytest.approx(real["dry_p99"], abs=2.0)
    assert dry.max() == pytest.approx(real["dry_p100"], abs=4.5)
    wet = hours_of(fleet(f"weather: {name}", "start: 2023-01-01T00:00Z"), "here", 365 * 86_400.0).table.wet_c
    assert np.percentile(wet, 99) == pytest.approx(real["wet_p99"], abs=2.6)
    assert np.percentile(wet, 50) == pytest.approx(real["wet_p50"], abs=1.2)


def test_grids_keep_the_mean_of_the_year():
    means = {"ercot": 55.9, "pjm": 35.7, "caiso": 61.5, "ontario": 20.0, "germany": 102.6, "singapore": 184.9}
    for name, grid in grids().items():
        price, carbon = electricity(grid)
        assert 1e3 * price.mean() == pytest.approx(means[name], rel=0.01)
        assert 0 < carbon.min() < carbon.max() < 0.6


def test_dew_point_of_the_table_of_a_climate_is_that_of_the_fit():
    dry, dew = weather(climates()["denver"])
    table = hours_of(fleet("weather: denver", "start: 2023-01-01T00:00Z"), "here", 86_400.0).table
    np.testing.assert_allclose(table.dry_c[:24], dry[:24])
    assert (table.wet_c[:24] >= dew[:24] - 1e-6).all()
    assert humidity_ratio(1000.0, 101_325.0) == pytest.approx(0.0062, abs=1e-4)
    assert dew_point(np.array([1227.9])) == pytest.approx(10.0, abs=0.05)
