"""Recorded traffic: whole files without text, which the simulator takes as they are."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from ended_requests import WALL, ended, fleet, refused

from meritorder.problems import InputError
from meritorder.serve.account import Account
from meritorder.serve.seen import recorder as recorder_module
from meritorder.serve.seen.recorder import Recorder
from meritorder.serve.seen.siphash import siphash
from meritorder.simulate.services import services_of
from meritorder.workload.find import find
from meritorder.workload.trace import Trace

FLEET = fleet()


def recorded(folder: Path, *accounts: Account, worker: int = 0, salt: bytes = b"salt") -> None:
    recorder = Recorder(FLEET, worker, salt, folder=folder)
    for account in accounts:
        recorder(account)
    recorder.close()
    assert recorder.lost == 0


def read(folder: Path) -> Trace:
    return find(str(folder))


def test_what_is_recorded_is_what_is_read(tmp_path: Path) -> None:
    recorded(
        tmp_path,
        ended(3.0, service=1, prompt=700, output=40),
        ended(1.0, prompt=200, output=9),
        ended(2.0, service=2, pool=2, outcome="cancelled", output=5, ttft=0.2, tpot=0.0, wait=0.0),
    )
    trace = read(tmp_path)
    np.testing.assert_allclose(trace.arrival_s, [0.0, 1.0, 2.0], atol=1e-6)
    assert trace.prompt_tokens.tolist() == [200, 100, 700]
    assert trace.output_tokens.tolist() == [9, 5, 40]
    assert [trace.services[index] for index in trace.service] == ["chat", "think", "bulk"]
    np.testing.assert_allclose(trace.cancel_s, [np.inf, 0.2, np.inf], rtol=1e-6)
    assert not trace.warnings


def test_files_of_all_workers_are_one_trace_that_knows_equal_texts(tmp_path: Path) -> None:
    text = [2**63 + 11, 5, 7]
    recorded(tmp_path, ended(1.0, prompt=192, blocks=text), ended(3.0, prompt=150, blocks=text[:2]))
    recorded(tmp_path, ended(2.0, prompt=192, blocks=[*text[:2], 9]), worker=1)
    trace = read(tmp_path)
    assert len(list(tmp_path.glob("traffic-*.parquet"))) == 2
    assert trace.block_tokens == 64
    texts = [trace.blocks[a:b].tolist() for a, b in itertools.pairwise(trace.block_start.tolist())]
    assert texts == [[0, 1, 2], [0, 1, 3], [0, 1]]
    np.testing.assert_allclose(trace.arrival_s, [0, 1, 2], atol=1e-6)


def test_hashes_are_under_the_secret(tmp_path: Path) -> None:
    words = np.array([1, 2, 3], np.uint64)
    kept = []
    for name, salt in (("a", b"one"), ("b", b"two"), ("c", b"one")):
        recorded(tmp_path / name, ended(prompt=192, blocks=words), salt=salt)
        (file,) = (tmp_path / name).glob("traffic-*")
        kept.append(pq.read_table(file)["blocks"].to_pylist()[0])
    assert kept[0] == kept[2]
    assert not set(kept[0]) & (set(kept[1]) | {1, 2, 3})


def test_siphash_is_the_published_one() -> None:
    # the vectors of the paper's reference implementation: key 00 01 ... 0f, message 00 01 ... 07
    word = np.frombuffer(bytes(range(8)), "<u8").astype(np.uint64)
    many = siphash(np.concatenate([word, np.arange(9000, dtype=np.uint64), word]), bytes(range(16)))
    assert hex(int(many[0])) == hex(int(many[-1])) == "0x93f5f5799a932462"
    assert len(np.unique(many)) == 9001


def test_more_blocks_than_a_prompt_has_room_for_are_left_out(tmp_path: Path) -> None:
    recorded(tmp_path, ended(prompt=100, blocks=[1, 2, 3, 4]))
    assert len(read(tmp_path).blocks) == 2


def test_overload_is_traffic_too_and_said(tmp_path: Path) -> None:
    served = [ended(float(number), output=20 + number) for number in range(3)]
    recorded(tmp_path, *served, refused(429, 1.5), refused(401, 1.6), refused(404, 1.7, service=-1))
    trace = read(tmp_path)
    assert trace.output_tokens.tolist() == [20, 21, 21, 22], "the refused one has the mean of its service"
    assert any("1 requests were refused or failed" in warning for warning in trace.warnings)


def test_a_file_appears_whole_when_it_is_due(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(FLEET, 0, b"salt", folder=tmp_path)
    recorder(ended())
    recorder.flush()
    assert not list(tmp_path.iterdir()), "a minute isn't over"
    monkeypatch.setattr(recorder_module, "ROLL_S", 0.0)
    recorder.flush()
    recorder(ended(60.0))
    recorder.close()
    assert WALL == 1_790_000_000.0
    names = sorted(file.name for file in tmp_path.iterdir())
    assert [name[:24] for name in names] == ["traffic-20260921T141410-", "traffic-20260921T141510-"]


def test_a_disk_that_fails_loses_recordings_not_requests(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    recorder = Recorder(FLEET, 0, b"salt", folder=folder)
    folder.rmdir()
    folder.write_text("a file stands where the folder was")
    recorder(ended())
    recorder.close()
    assert recorder.lost == 1


def test_a_folder_that_cannot_be_made_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"gateway.record: can't be used: (file exists|not a directory)"):
        Recorder(FLEET, 0, b"salt", folder=tmp_path / "file")


def test_the_fleets_own_names_split_it_even_where_shares_are_given(tmp_path: Path) -> None:
    recorded(tmp_path, *[ended(float(number), service=number % 2) for number in range(6)])
    assert services_of(FLEET, read(tmp_path), seed=0).tolist() == [0, 1, 0, 1, 0, 1]
