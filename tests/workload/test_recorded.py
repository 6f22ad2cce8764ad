"""A folder of recorded traffic is read as one trace."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from meritorder.problems import InputError
from meritorder.workload import parquet
from meritorder.workload.convert import convert
from meritorder.workload.formats import recorded
from meritorder.workload.read import read
from meritorder.workload.trace import make_trace

NAMES = ("chat", "batch")


def record(
    folder: Path, name: str, began: float, arrivals: list[float], services: tuple[str, ...] = NAMES, block: int = 64
) -> None:
    n = len(arrivals)
    service = np.arange(n) % len(services)
    trace = make_trace(arrivals, [100] * n, [10] * n, service=service, services=services, source="recorded")
    hashes = np.arange(n, dtype=np.int64) + (-(2**62) if began < 1000 else 2**62)
    recorded.write(trace, folder / f"traffic-{name}.parquet", began, np.arange(n + 1), hashes, block)


def test_files_are_put_in_order_of_time(tmp_path: Path) -> None:
    record(tmp_path, "b", 900.0, [0.0, 5.0, 20.0])
    record(tmp_path, "a", 910.0, [0.0, 1.0])
    (tmp_path / ".traffic-c.parquet.12.partial").write_bytes(b"half")
    (tmp_path / "notes.txt").write_text("not traffic")
    trace = read(tmp_path)
    np.testing.assert_allclose(trace.arrival_s, [0.0, 5.0, 10.0, 11.0, 20.0])
    assert trace.blocks.tolist() == [0, 1, 0, 1, 2], "equal hashes are equal text in whatever file"
    assert (trace.services, trace.block_tokens, len(trace.warnings)) == (NAMES, 64, 0)
    assert trace.source == f"traffic recorded in {tmp_path.name}"


def test_services_of_all_files_are_there_by_name(tmp_path: Path) -> None:
    record(tmp_path, "a", 0.0, [0.0, 1.0])
    record(tmp_path, "b", 10.0, [0.0, 1.0, 2.0], ("new", "batch", "chat"))
    trace = read(tmp_path)
    assert [trace.services[index] for index in trace.service] == ["chat", "batch", "new", "batch", "chat"]


def test_it_becomes_a_trace_file_of_our_own(tmp_path: Path) -> None:
    record(tmp_path, "a", 1_790_000_000.0, [0.0, 1.0, 4.0])
    done = convert(tmp_path, tmp_path / "all.parquet")
    assert (done.requests, done.format) == (3, "recorded")
    np.testing.assert_array_equal(read(tmp_path / "all.parquet").blocks, read(tmp_path).blocks)


def test_one_file_alone_is_a_trace_too(tmp_path: Path) -> None:
    record(tmp_path, "a", 1_790_000_000.0, [0.0, 1.0, 4.0])
    trace = read(tmp_path / "traffic-a.parquet")
    assert trace.arrival_s.tolist() == [0.0, 1.0, 4.0]
    assert trace.blocks.tolist() == [0, 1, 2]


def test_the_first_requests(tmp_path: Path) -> None:
    record(tmp_path, "a", 0.0, [0.0, 1.0, 4.0])
    assert len(read(tmp_path, limit=2)) == 2


def test_what_is_no_recording_is_said(tmp_path: Path) -> None:
    record(tmp_path, "a", 0.0, [0.0])
    parquet.write(make_trace([0.0], [1], [1]), tmp_path / "traffic-b.parquet")
    with pytest.raises(InputError, match=r"traffic-b\.parquet: began: doesn't say when it was recorded"):
        read(tmp_path)


def test_blocks_of_two_sizes_are_refused(tmp_path: Path) -> None:
    record(tmp_path, "a", 0.0, [0.0])
    record(tmp_path, "b", 0.0, [0.0], block=32)
    with pytest.raises(InputError, match=r"has blocks of \[32, 64\] tokens"):
        read(tmp_path)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    record(tmp_path, "a", 0.0, [0.0])
    (tmp_path / "traffic-b.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match=r"traffic-b\.parquet: can't be read"):
        read(tmp_path)


def test_it_has_no_sessions_to_close_a_loop_over(tmp_path: Path) -> None:
    record(tmp_path, "a", 0.0, [0.0])
    with pytest.raises(InputError, match="has no sessions"):
        read(tmp_path, closed_loop=True)
