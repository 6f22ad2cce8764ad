"""Runs on disk: what was written comes back, and a failed write leaves nothing."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.simulate.fake import fake_result

from meritorder.problems import InputError
from meritorder.simulate.columns import INDICES, NUMBERS
from meritorder.simulate.result import Result
from meritorder.simulate.store import load_run, run_of, save


@pytest.fixture(scope="module")
def result() -> Result:
    return fake_result(400, bins=12)


def files(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_round_trip(result: Result, tmp_path: Path) -> None:
    save(result, tmp_path / "deep" / "one")
    assert files(tmp_path / "deep") == ["one"]
    assert files(tmp_path / "deep" / "one") == ["fleet.json", "requests.parquet", "series.parquet", "summary.json"]
    back, fresh = load_run(tmp_path / "deep" / "one"), run_of(result)
    assert back.name == "one"
    assert fresh.name == "merit-order"
    for key in (*NUMBERS, *INDICES):
        np.testing.assert_array_equal(back.requests[key], fresh.requests[key], err_msg=key)
    assert fresh.series.keys() == back.series.keys()
    for key, values in fresh.series.items():
        np.testing.assert_array_equal(back.series[key], values, err_msg=key)
    assert back.summary == orjson.loads(orjson.dumps(fresh.summary))
    assert (back.fleet, back.services, back.pools) == (fresh.fleet, fresh.services, fresh.pools)
    assert (back.bin_s, back.span_s) == (300.0, 3600.0)


def test_other_tools_find_names_in_the_columns(result: Result, tmp_path: Path) -> None:
    save(result, tmp_path / "run")
    table = pq.read_table(tmp_path / "run" / "requests.parquet")
    assert set(table["service"].to_pylist()) == {"chat", "agents", "batch"}
    assert set(table["pool"].to_pylist()) == {"wafer", "h100", "b200-far", None}
    assert set(table["status"].to_pylist()) == {"completed", "too_long", "shed", "cancelled"}
    series = pq.read_table(tmp_path / "run" / "series.parquet")
    assert series.num_rows == 3 * 12
    assert series["site"].to_pylist() == ["north"] * 24 + ["south"] * 12


def test_an_earlier_run_is_replaced(result: Result, tmp_path: Path) -> None:
    save(fake_result(10), tmp_path / "run")
    (tmp_path / "run" / "report.html").write_text("old")
    save(result, tmp_path / "run")
    assert load_run(tmp_path / "run").summary["requests"] == 400
    assert files(tmp_path) == ["run"]
    assert "report.html" not in files(tmp_path / "run")


def test_a_folder_of_somebody_else_is_left_alone(result: Result, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match=r"holds other files \(thesis.txt\)"):
        save(result, tmp_path)
    assert files(tmp_path) == ["thesis.txt"]


def test_a_file_in_the_place_of_the_folder(result: Result, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    with pytest.raises(InputError, match="is a file"):
        save(result, tmp_path / "run")
    with pytest.raises(InputError, match="can't be written"):
        save(result, tmp_path / "run" / "below")
    assert (tmp_path / "run").read_text() == "a file"
    assert files(tmp_path) == ["run"]


@pytest.mark.parametrize("failing", ["write_table", "write_bytes"])
def test_a_full_disk_leaves_the_old_run(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    save(fake_result(10), tmp_path / "run")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(pq if failing == "write_table" else Path, failing, full)
        with pytest.raises(InputError, match="no space left on device"):
            save(result, tmp_path / "run")
    assert files(tmp_path) == ["run"]
    assert load_run(tmp_path / "run").summary["requests"] == 10


def test_a_failing_rename_brings_the_old_run_back(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(fake_result(10), tmp_path / "run")
    rename = Path.rename

    def fails_on_partial(self: Path, target: Path) -> Path:
        if self.parent.name.endswith(".partial") and target.name == "series.parquet":
            raise OSError(errno.EIO, "Input/output error")
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", fails_on_partial)
        with pytest.raises(InputError, match="input/output error"):
            save(result, tmp_path / "run")
    assert files(tmp_path) == ["run"]
    assert load_run(tmp_path / "run").summary["requests"] == 10


def damage_summary(folder: Path) -> None:
    (folder / "summary.json").write_text('{"requests": ')


def damage_requests(folder: Path) -> None:
    data = (folder / "requests.parquet").read_bytes()
    (folder / "requests.parquet").write_bytes(data[: len(data) // 2])


def shorten_requests(folder: Path) -> None:
    pq.write_table(pq.read_table(folder / "requests.parquet").slice(0, 5), folder / "requests.parquet")


def drop_a_column(folder: Path) -> None:
    pq.write_table(pq.read_table(folder / "series.parquet").drop(["busy_s"]), folder / "series.parquet")


def rename_a_pool(folder: Path) -> None:
    table = pq.read_table(folder / "requests.parquet")
    pools = pa.array(["elsewhere"] * table.num_rows).dictionary_encode()
    pq.write_table(table.set_column(table.schema.get_field_index("pool"), "pool", pools), folder / "requests.parquet")


def empty_fleet(folder: Path) -> None:
    (folder / "fleet.json").write_text("[]")


@pytest.mark.parametrize(
    ("damage", "file"),
    [
        (damage_summary, "summary.json"),
        (damage_requests, "requests.parquet"),
        (shorten_requests, "requests.parquet"),
        (rename_a_pool, "requests.parquet"),
        (drop_a_column, "series.parquet"),
        (empty_fleet, "fleet.json"),
    ],
)
def test_damaged_runs_are_named(result: Result, tmp_path: Path, damage: Any, file: str) -> None:
    save(result, tmp_path / "run")
    damage(tmp_path / "run")
    with pytest.raises(InputError) as caught:
        load_run(tmp_path / "run")
    (problem,) = caught.value.problems
    assert problem.where == str(tmp_path / "run" / file)
    assert "is damaged" in problem.what


def test_not_a_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"summary.json, fleet.json, requests.parquet, series.parquet missing"):
        load_run(tmp_path)
    with pytest.raises(InputError, match="is not a folder"):
        load_run(tmp_path / "nowhere")
