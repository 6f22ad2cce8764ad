"""Whatever a file of hours holds, a reader gives a series or one clear message."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.facility.test_series_readers import API, GRIDSTATUS, HEADER, STANDARD, epw, epw_row

from meritorder.facility.surroundings.carbon import read_carbon
from meritorder.facility.surroundings.price import read_prices
from meritorder.facility.surroundings.series import Series
from meritorder.facility.surroundings.weather import read_weather
from meritorder.problems import InputError

WHOLE = [
    epw([epw_row(2001, 1, 1, hour, 5.0) for hour in range(1, 5)]),
    API + HEADER + "2023-06-30T19:00,30.0,40\n2023-06-30T20:00,31.0,100\n",
    STANDARD,
    GRIDSTATUS,
    '{"hourly": {"time": ["2023-01-01T00:00", "2023-01-01T01:00"], "temperature_2m": [1, 2], "rh": [50, 60]}}',
    "time,carbon (g/kWh)\n2023-07-01T00:00Z,300\n2023-07-01T01:00Z,310\n",
]
SPLINTERS = st.sampled_from(
    ["", ",", '"', "\n", "\0", "nan", "-1e999", "inf", "99.9", "{", "[]", "null", "(", "+", "é", "1_0"]
)


def reads_or_explains(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "f.csv"
        path.write_bytes(data)
        for read in (read_weather, read_prices, read_carbon):
            try:
                series = read(path)
            except InputError as error:
                told = error
            else:
                assert isinstance(series, Series)
                assert np.isfinite(series.values).all()
                assert series.step_s > 0
                continue
            assert len(told.problems) == 1
            assert told.problems[0].where.startswith(str(path))
            assert "\n" not in str(told)


def test_an_open_quote_in_a_long_file():
    reads_or_explains((STANDARD + '"' + "2023-07-01 02:00:00+00:00,x,70\n" * 20_000).encode())


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes(data):
    reads_or_explains(data)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(WHOLE), st.integers(0, 400), st.integers(0, 12), SPLINTERS)
def test_files_with_something_wrong_in_them(text, start, length, splinter):
    reads_or_explains((text[:start] + splinter + text[start + length :]).encode())
