"""Our own files: exact round trip of any trace, and values that can't be are named."""

from __future__ import annotations

import tempfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meritorder.problems import InputError
from meritorder.workload.parquet import read_parquet, write
from meritorder.workload.read import read
from meritorder.workload.trace import Trace, make_trace


@st.composite
def traces(draw: st.DrawFn, max_size: int = 12) -> Trace:
    """Any trace that keeps the contract of `Trace`."""
    n = draw(st.integers(1, max_size))
    seconds = st.floats(0, 1e6, allow_subnormal=False)
    arrival = np.sort(np.array(draw(st.lists(seconds, min_size=n, max_size=n))))
    after = np.array([draw(st.integers(-1, i - 1)) if draw(st.booleans()) else -1 for i in range(n)])
    unknown = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    arrival[(after >= 0) & unknown] = np.nan
    services = tuple(draw(st.lists(st.text(max_size=5), min_size=1, max_size=3, unique=True)))
    regions = tuple(draw(st.lists(st.text(max_size=5), min_size=1, max_size=3, unique=True)))
    counts = draw(st.lists(st.integers(0, 4), min_size=n, max_size=n))
    size = draw(st.sampled_from([0, 1, 16, 512]))
    counts = [0] * n if size == 0 else counts

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return draw(st.lists(values, min_size=n, max_size=n))

    return make_trace(
        arrival,
        np.array(column(st.integers(1, 10_000_000 - 2048))) + np.array(counts) * max(size, 1),
        column(st.integers(1, 10_000_000)),
        service=column(st.integers(0, len(services) - 1)),
        region=column(st.integers(0, len(regions) - 1)),
        session=column(st.integers(-1, 3)),
        turn=column(st.integers(0, 5)),
        after=after,
        think_s=np.where(after >= 0, np.array(column(st.floats(0, 1e5, width=32))), 0),
        cancel_s=column(st.one_of(st.just(np.inf), st.floats(0, 1e5, width=32))),
        block_start=np.concatenate(([0], np.cumsum(counts))),
        blocks=draw(st.lists(st.integers(0, 9), min_size=sum(counts), max_size=sum(counts))),
        block_tokens=size,
        services=services,
        regions=regions,
        source=draw(st.text(max_size=8)),
        warnings=tuple(draw(st.lists(st.text(max_size=8), max_size=2))),
    )


def assert_same(one: Trace, other: Trace) -> None:
    for entry in fields(Trace):
        a, b = getattr(one, entry.name), getattr(other, entry.name)
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype, entry.name
            assert np.array_equal(a, b, equal_nan=a.dtype.kind == "f"), entry.name
        else:
            assert a == b, entry.name


@settings(max_examples=150, deadline=None)
@given(traces())
def test_what_is_written_is_read_back_exactly(trace: Trace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.parquet"
        write(trace, path)
        assert_same(read_parquet(path), trace)
        assert_same(read(path), trace)


def table(**columns: Any) -> pa.Table:
    return pa.table({"arrival_s": [0.0, 1.0], "prompt_tokens": [5, 6], "output_tokens": [7, 8], **columns})


def test_three_columns_are_enough(tmp_path: Path) -> None:
    pq.write_table(table(), tmp_path / "t.parquet")
    trace = read(tmp_path / "t.parquet")
    assert trace.prompt_tokens.tolist() == [5, 6]
    assert trace.services == ("default",)
    assert trace.after.tolist() == [-1, -1]
    assert np.isinf(trace.cancel_s).all()


def test_plain_strings_name_services(tmp_path: Path) -> None:
    pq.write_table(table(service=["chat", "code"]), tmp_path / "t.parquet")
    trace = read(tmp_path / "t.parquet")
    assert trace.services == ("chat", "code")
    assert trace.service.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"prompt_tokens": [5, 0]}, "row 2: prompt_tokens: is 0"),
        ({"prompt_tokens": [5, 2**40]}, "row 2: prompt_tokens: is 1,099,511,627,776"),
        ({"prompt_tokens": [5, None]}, "row 2: prompt_tokens: is missing"),
        ({"prompt_tokens": ["a", "b"]}, "prompt_tokens: has type string"),
        ({"prompt_tokens": [1.5, 2.0]}, "row 1: prompt_tokens: is 1.5"),
        ({"arrival_s": [0.0, float("nan")]}, "row 2: arrival_s: is nan"),
        ({"arrival_s": [2.0, 1.0]}, "row 2: arrival_s: goes back in time"),
        ({"after": [-1, 1]}, "row 2: after: is 1"),
        ({"think_s": [0.0, -1.0]}, "row 2: think_s: is -1"),
        ({"session": [0, -7]}, "row 2: session: is -7"),
        ({"service": [1, 2]}, "service: has type int64"),
        ({"blocks": [[1], [2]]}, "blocks: has ids but the file doesn't say their size"),
        ({"blocks": [1, 2]}, "blocks: has type int64"),
    ],
)
def test_impossible_values_are_named(columns: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(table(**columns), path)
    with pytest.raises(InputError) as error:
        read_parquet(path)
    assert said in str(error.value)
    assert str(path) in str(error.value)


def test_other_versions_and_damaged_metadata_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(table().replace_schema_metadata({b"meritorder": b'{"version": 99}'}), path)
    with pytest.raises(InputError, match="is of version 99"):
        read_parquet(path)
    for damaged in (b"\xff", b"[]", b'{"block_tokens": "x"}', b'{"services": [1]}', b'{"warnings": 3}'):
        pq.write_table(table().replace_schema_metadata({b"meritorder": damaged}), path)
        with pytest.raises(InputError, match="damaged metadata"):
            read_parquet(path)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(table().drop_columns(["output_tokens"]), path)
    with pytest.raises(InputError, match="output_tokens: is missing"):
        read_parquet(path)


def test_open_loop_cuts_links(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write(make_trace([0, 1, 9], [1, 2, 3], [1, 1, 1], after=[-1, 0, -1], think_s=[0, 4, 0]), path)
    assert read(path).closed_loop
    trace = read(path, closed_loop=False)
    assert not trace.closed_loop
    assert trace.arrival_s.tolist() == [0, 1, 9]
    assert trace.think_s.tolist() == [0, 0, 0]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.parquet"
    trace = make_trace([0.0], [1], [1])
    write(trace, path)
    before = path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(InputError, match="no space left"):
        write(trace, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["t.parquet"]
