"""Files of weather, prices and carbon, right and wrong."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from meritorder.facility.psychro import saturation_pressure
from meritorder.facility.surroundings.carbon import read_carbon
from meritorder.facility.surroundings.price import read_prices
from meritorder.facility.surroundings.weather import read_weather
from meritorder.problems import InputError

JULY = 1_688_169_600  # 2023-07-01T00:00Z
LOCATION = "LOCATION,Somewhere,XX,USA,TMY3,1,32.2,-110.9,-7.0,1000.0"


def epw(rows: list[str]) -> str:
    return "\n".join([LOCATION, *(f"HEADER {i}" for i in range(7)), *rows]) + "\n"


def epw_row(year: int, month: int, day: int, hour: int, dry: float, rh: float = 50, pressure: float = 90_000) -> str:
    return f"{year},{month},{day},{hour},0,?9?9,{dry},9.0,{rh},{pressure},0,0"


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def said(read, path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read(path)
    assert len(caught.value.problems) == 1
    return str(caught.value).replace(str(path), "FILE")


@pytest.mark.parametrize("name", ["w.epw", "w.epw.gz"])
def test_epw_is_standard_time_of_any_year(tmp_path, name):
    rows = [epw_row(1998, 1, 1, 1, 5.0), epw_row(1998, 1, 1, 2, 7.0, rh=999), epw_row(2003, 1, 1, 3, 6.0)]
    series = read_weather(written(tmp_path, name, epw(rows)))
    assert series.typical
    assert series.step_s == 3600
    # hour 1 ends at 01:00 local, which is 08:00 UTC
    assert (series.start - 978_307_200) / 3600 == 8
    np.testing.assert_allclose(series.values[:, 0], [5, 7, 6])
    dew = np.array([9.0])
    expected = [0.5 * saturation_pressure(5.0), saturation_pressure(dew)[0], 0.5 * saturation_pressure(6.0)]
    np.testing.assert_allclose(series.values[:, 1], expected)


def test_epw_without_pressure_has_that_of_its_height(tmp_path):
    rows = [epw_row(2001, 1, 1, hour, 5.0, pressure=999_999) for hour in (1, 2)]
    series = read_weather(written(tmp_path, "w.epw", epw(rows)))
    np.testing.assert_allclose(series.values[:, 2], 89_875, rtol=1e-3)
    assert any("without pressure" in note for note in series.notes)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([epw_row(2001, 1, 1, 1, 5.0), epw_row(2001, 1, 1, 2, 99.9)], "FILE:10: dry_bulb: is missing (99.9)"),
        (
            [epw_row(2001, 1, 1, 1, 5.0), epw_row(2001, 1, 1, 3, 5.0), epw_row(2001, 1, 1, 4, 5.0)],
            "FILE:10: 2001-01-01",
        ),
        ([epw_row(2001, 1, 1, 1, 5.0), epw_row(2001, 1, 1, 1, 5.0)], "FILE:10: repeats"),
        ([epw_row(2001, 13, 1, 1, 5.0)], "FILE:9: is month 13"),
        ([epw_row(2001, 1, 1, 25, 5.0)], "FILE:9: is month 1, day 1, hour 25"),
        ([epw_row(2001, 1, 1, 1, 5.0), "2001,1,1"], "FILE:10: has 3 of 35 columns"),
        ([epw_row(2001, 1, 1, 1, 5.0).replace("5.0", "warm")], 'FILE:9: dry_bulb: is "warm", not a number'),
        ([], "FILE: has a header but no hours"),
    ],
)
def test_what_is_wrong_in_an_epw_is_said_with_its_line(tmp_path, rows, message):
    assert said(read_weather, written(tmp_path, "w.epw", epw(rows))).startswith(message)


API = "latitude,longitude,elevation,utc_offset_seconds,timezone,timezone_abbreviation\n32.7,-96.8,500.0,-18000,X,X\n\n"
HEADER = "time,temperature_2m (°C),relative_humidity_2m (%)\n"


def test_open_meteo_csv_as_its_api_gives_it(tmp_path):
    text = API + HEADER + "2023-06-30T19:00,30.0,40\n2023-06-30T20:00,31.0,100\n"
    series = read_weather(written(tmp_path, "w.csv", text))
    assert series.start == JULY
    np.testing.assert_allclose(series.values[:, 0], [30, 31])
    np.testing.assert_allclose(series.values[:, 1], saturation_pressure(np.array([30.0, 31.0])) * [0.4, 1.0])
    np.testing.assert_allclose(series.values[:, 2], 95_461, rtol=1e-4)
    assert any("UTC-05:00" in note for note in series.notes)


def test_open_meteo_json_is_the_same_as_its_csv(tmp_path):
    hourly = {"time": ["2023-06-30T19:00", "2023-06-30T20:00"], "temperature_2m": [30.0, 31.0]}
    hourly["dew_point_2m"] = [15.0, 31.0]
    data = {"elevation": 500.0, "utc_offset_seconds": -18000, "hourly": hourly}
    data["hourly_units"] = {"time": "iso8601", "temperature_2m": "°C", "dew_point_2m": "°C"}
    series = read_weather(written(tmp_path, "w.json.gz", json.dumps(data)))
    assert series.start == JULY
    np.testing.assert_allclose(series.values[:, 1], saturation_pressure(np.array([15.0, 31.0])))
    hourly["temperature_2m"][1] = None
    path = written(tmp_path, "bad.json", json.dumps(data))
    assert "temperature_2m (°C): is empty" in said(read_weather, path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER + "2023-07-01T00:00Z,30,40\n2023-07-01T01:00Z,31,\n", "FILE:3: relative_humidity_2m (%): is empty"),
        (
            HEADER + "2023-07-01T00:00Z,88,40\n2023-07-01T01:00Z,31,4\n",
            "FILE:2: temperature_2m (°C): is 88 °C; it must",
        ),
        (HEADER + "2023-07-01T00:00Z,30,0.4\n2023-07-01T01:00Z,31,0.5\n", "FILE:2: relative_humidity_2m (%): is never"),
        (HEADER + "noon,30,40\n", 'FILE:2: time: is "noon", not a time'),
        (HEADER + "2023-07-01T00:00Z,30\n", "FILE:2: has 2 of 3 columns"),
        (HEADER, "FILE: has a header but no rows"),
        (
            HEADER.replace("°C", "°F") + "2023-07-01T00:00Z,30,40\n2023-07-01T01:00Z,3,4\n",
            "FILE:1: temperature_2m (°F)",
        ),
        ("time,wind\n2023-07-01T00:00Z,3\n2023-07-01T01:00Z,3\n", "FILE:1: has no column for temperature"),
        ("", "FILE: is empty"),
        ("\0\0", "FILE: is a binary file"),
        ("{}", "FILE: has no `hourly` arrays"),
    ],
)
def test_what_is_wrong_in_weather_is_said_with_its_line(tmp_path, text, message):
    assert said(read_weather, written(tmp_path, "w.csv", text)).startswith(message)


def test_damaged_gzip_and_missing_files(tmp_path):
    whole = gzip.compress((HEADER * 1000).encode())
    (tmp_path / "cut.gz").write_bytes(whole[: len(whole) // 2])
    assert "is damaged" in said(read_weather, tmp_path / "cut.gz")
    assert "can't be read" in said(read_prices, tmp_path / "none.csv")


STANDARD = "Datetime (UTC),Local,Price (USD/MWh)\n2023-07-01 00:00:00+00:00,x,-5.5\n2023-07-01 01:00:00+00:00,x,70\n"
GRIDSTATUS = (
    "Time,Interval Start,Interval End,Market,Location,SPP\n"
    "2023-06-30 19:00:00-05:00,2023-06-30 19:00:00-05:00,x,DAM,HB_NORTH,-5.5\n"
    "2023-06-30 19:15:00-05:00,2023-06-30 19:15:00-05:00,x,DAM,HB_NORTH,70\n"
)
HOSTED = "interval_start_utc,location,lmp\n2023-07-01T00:00:00+00:00,A,-5.5\n2023-07-01T01:00:00+00:00,A,70\n"
PLAIN = "time,price (USD/kWh)\n2023-07-01T02:00+02:00,-0.0055\n2023-07-01T03:00+02:00,0.07\n"


@pytest.mark.parametrize("text", [STANDARD, GRIDSTATUS, HOSTED, PLAIN])
def test_prices_of_several_kinds_of_file(tmp_path, text):
    series = read_prices(written(tmp_path, "p.csv", text))
    assert series.start == JULY
    assert series.step_s == (900 if text == GRIDSTATUS else 3600)
    np.testing.assert_allclose(series.values[:, 0], [-0.0055, 0.07])


def test_entsoe_is_in_euro_and_begins_its_periods_day_first(tmp_path):
    text = (
        '"MTU (UTC)","Area","Day-ahead Price (EUR/MWh)"\n'
        '"02/07/2023 00:00:00 - 02/07/2023 00:15:00","DE-LU","100"\n'
        '"02/07/2023 00:15:00 - 02/07/2023 00:30:00","DE-LU","50"\n'
    )
    path = written(tmp_path, "p.csv", text)
    series = read_prices(path, 1.08)
    assert series.start == JULY + 86_400
    np.testing.assert_allclose(series.values[:, 0], [0.108, 0.054])
    assert "give `exchange_rate`: USD per EUR" in said(read_prices, path)
    assert "daylight saving" in said(read_prices, written(tmp_path, "q.csv", text.replace("UTC", "CET/CEST")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            STANDARD + "2023-07-01 03:00:00+00:00,x,70\n" + "2023-07-01 04:00:00+00:00,x,7\n",
            "FILE:4: 2023-07-01T03:00Z",
        ),
        (STANDARD + "2023-07-01 01:00:00+00:00,x,70\n", "FILE:4: repeats 2023-07-01T01:00Z"),
        (STANDARD + "2023-06-01 01:00:00+00:00,x,70\n", "FILE:4: comes after a later one"),
        (STANDARD.replace("70", "n/a"), 'FILE:3: Price (USD/MWh): is "n/a", not a number'),
        (STANDARD.replace("70", "70000"), "FILE:3: Price (USD/MWh): is 70000 USD/MWh; it must be"),
        (STANDARD.replace(" (USD/MWh)", ""), "FILE:1: Price: says no unit"),
        (HOSTED.replace("00,A,70", "00,B,70"), "FILE: location: has prices of several places (A, B)"),
    ],
)
def test_what_is_wrong_in_prices_is_said_with_its_line(tmp_path, text, message):
    assert said(read_prices, written(tmp_path, "p.csv", text)).startswith(message)


@pytest.mark.parametrize("spelt", ["gCO₂eq/kWh", "gCO2eq/kWh", "gCO₂/kWh"])
def test_electricity_maps_direct_and_life_cycle(tmp_path, spelt):
    text = (
        f"Datetime (UTC),Zone Id,Carbon intensity {spelt} (direct),Carbon intensity {spelt} (LCA),Data Estimated\n"
        "2023-07-01 00:00:00,DE,300,400,False\n2023-07-01 01:00:00,DE,310,420.5,True\n"
    )
    path = written(tmp_path, "c.csv", text)
    direct, whole = read_carbon(path), read_carbon(path, "life-cycle")
    assert direct.start == JULY
    np.testing.assert_allclose(direct.values[:, 0], [0.3, 0.31])
    np.testing.assert_allclose(whole.values[:, 0], [0.4, 0.4205])
    assert direct.notes == ("1 of 2 hours are estimates of the source",)


def test_what_is_wrong_in_carbon_is_said(tmp_path):
    text = "time,carbon (g/kWh)\n2023-07-01T00:00Z,300\n2023-07-01T01:00Z,{}\n"
    assert "is -1" in said(read_carbon, written(tmp_path, "a.csv", text.format("-1")))
    assert "is 4e5" in said(read_carbon, written(tmp_path, "b.csv", text.format("4e5")))
    one = "Datetime (UTC),Carbon Intensity gCO2eq/kWh (LCA)\n2023-07-01 00:00:00,3\n2023-07-01 01:00:00,3\n"
    assert "has no direct intensity" in said(read_carbon, written(tmp_path, "c.csv", one))


def test_a_changed_file_is_read_anew(tmp_path):
    path = written(tmp_path, "p.csv", STANDARD)
    before = read_prices(path)
    import os

    path.write_text(STANDARD.replace("70", "71"))
    os.utime(path, ns=(1, 1))
    assert read_prices(path).values[1, 0] == pytest.approx(0.071) != before.values[1, 0]


def test_real_files(shared):
    folder = shared / "environment"
    if not folder.is_dir():
        pytest.skip("no weather data")
    weather = read_weather(folder / "weather_US-TEX-ERCO_2023.csv.gz")
    assert (len(weather.values), weather.whole_year) == (8760, True)
    tucson = read_weather(next(folder.glob("USA_AZ_*.epw.gz")))
    assert (len(tucson.values), tucson.whole_year, tucson.typical) == (8760, True, True)
    prices = read_prices(folder / "price_US-TEX-ERCO_2023.csv.gz")
    assert 1e3 * prices.values.mean() == pytest.approx(55.9, abs=0.1)
    assert 1e3 * prices.values.max() == pytest.approx(4112, abs=1)
    carbon = read_carbon(folder / "carbon_DE-LU_2023.csv.gz")
    assert 1e3 * carbon.values.mean() == pytest.approx(308, abs=1)
