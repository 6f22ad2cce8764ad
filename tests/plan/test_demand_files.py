"""Files of demand: what was is taken as it was, requests are those of the service, habits of spreadsheets are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_plan import small_fleet

from meritorder.fleet.plan.span import later
from meritorder.plan.demand import DemandTable, demand_of
from meritorder.plan.demand.columns import number, read_rows
from meritorder.problems import InputError, Problem


def with_past(folder: Path, first: str, months: int, start: str = "2026-01") -> DemandTable:
    """Demand of `batch` by a past that grows by 4 % a month from 10; 8 quarters from `start` are planned."""
    rows = "".join(f"{later(first, month)},{10 * 1.04**month!r}\n" for month in range(months))
    (folder / "past.csv").write_text("month,requests_per_s\n" + rows)

    def change(data: dict[str, Any]) -> None:
        data["plan"]["horizon"]["start"] = start
        data["plan"]["demand"]["batch"] = {"traffic": "azure-2023-code", "history": str(folder / "past.csv")}
        data["plan"]["scenarios"] = {
            name: {"probability": share, "growth": name} for name, share in (("low", 0.5), ("high", 0.5))
        }
        data["plan"]["offers"]["node"]["supply"] = 12
        data["plan"]["sites"]["south"]["grid"] = "6 MW"
        del data["plan"]["sites"]["north"]["first"]

    return demand_of(small_fleet(change))


def test_months_that_have_been_are_as_they_were(tmp_path: Path) -> None:
    found = with_past(tmp_path, "2025-01", 18)
    batch = found.names.index("batch")
    assert found.monthly[:6, batch] == pytest.approx(10 * 1.04 ** np.arange(12, 18)[:, None] * [1, 1])
    assert (found.monthly[6:, batch, 0] <= found.monthly[6:, batch, 1]).all()
    assert found.fits["batch"].last == "2026-06"
    assert found.fits["batch"].future[0] == "2026-07"


def test_a_past_that_ended_before_the_horizon_is_followed_into_it(tmp_path: Path) -> None:
    found = with_past(tmp_path, "2023-01", 24, start="2026-01")
    batch = found.names.index("batch")
    assert found.monthly[:, batch] == pytest.approx(10 * 1.04 ** np.arange(36, 60)[:, None] * [1, 1], rel=0.05)


def test_a_horizon_before_its_past_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"history: month: begins with 2026-04, after the horizon's start 2026-01"):
        with_past(tmp_path, "2026-04", 12)


def test_requests_of_a_trace_with_several_services_are_each_its_own(tmp_path: Path) -> None:
    spec = """\
name: two
clients:
  talk: {service: chat, per_s: 5, prompt_tokens: {constant: 300}, output_tokens: {constant: 30}}
  work: {service: batch, per_s: 1, prompt_tokens: {constant: 7000}, output_tokens: {constant: 700}}
"""
    (tmp_path / "two.yaml").write_text(spec)

    def change(data: dict[str, Any]) -> None:
        for asked in data["plan"]["demand"].values():
            asked["traffic"] = str(tmp_path / "two.yaml")

    found = demand_of(small_fleet(change))
    assert dict(zip(found.names, found.prompt_tokens, strict=True)) == {
        "chat@east": 300,
        "chat@west": 300,
        "batch": 7000,
    }
    assert found.output_tokens.tolist() == [30, 30, 700]


@pytest.mark.parametrize(
    "text",
    [
        "month,requests_per_s\n2026-01,5\n",
        "\ufeffmonth,requests_per_s\r\n2026-01,5\r\n",
        '# made by hand\n\n "month" , requests_per_s,note\n2026-01, 5 ,"a, b"\n',
        "requests_per_s,month\n5.0,2026-01-01\n",
    ],
)
def test_spreadsheets_habits_are_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "f.csv").write_bytes(text.encode())
    rows = read_rows(tmp_path / "f.csv", ("month", "requests_per_s"))
    assert len(rows) == 1
    assert number(rows, 0, "requests_per_s") == 5


@given(st.binary(max_size=60), st.booleans())
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, raw: bytes, header: bool) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(b"month,requests_per_s\n" * header + raw)
    told: tuple[Problem, ...] = ()
    try:
        rows = read_rows(path, ("month", "requests_per_s"))
        for row in range(len(rows)):
            assert number(rows, row, "requests_per_s") >= 0
    except InputError as refused:
        told = refused.problems
    assert all(problem.what and str(path) in problem.where for problem in told)
