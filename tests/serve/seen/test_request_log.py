"""The request log: a JSON line per request, never in the way."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from ended_requests import WALL, ended, fleet, refused

from meritorder.problems import InputError
from meritorder.serve.seen.log import RequestLog
from meritorder.serve.seen.story import Recent


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_a_line_says_what_why_and_how_it_went(tmp_path: Path) -> None:
    log = RequestLog(fleet(), str(tmp_path / "logs" / "requests.log"))
    log(ended(retries=1, tenant="acme", request_id='quo"te\n'))
    log(refused(429, why="the queue is full"))
    log.close()
    first, second = lines(tmp_path / "logs" / "requests.log")
    assert first["time"] == WALL + 50.0
    assert first["id"] == 'quo"te\n'
    assert (first["service"], first["pool"], first["replica"]) == ("chat", "fast", "fast/0")
    assert first["reason"] == "cheapest that meets its targets"
    assert (first["ttft_s"], first["predicted_ttft_s"]) == (pytest.approx(0.2, abs=2e-6), 0.1)
    assert (first["tpot_s"], first["predicted_tpot_s"]) == (pytest.approx(0.01, abs=2e-6), 0.01)
    assert (first["retries"], first["tenant"], first["joules"]) == (1, "acme", 20.0)
    assert (second["outcome"], second["status"], second["why"]) == ("refused", 429, "the queue is full")
    assert second["pool"] == second["replica"] == ""
    assert second["ttft_s"] is second["predicted_ttft_s"] is None


def test_lines_are_appended_in_order_whatever_their_length(tmp_path: Path) -> None:
    path = tmp_path / "requests.log"
    for part in range(2):
        log = RequestLog(fleet(), str(path))
        for number in range(500):
            log(ended(request_id=f"{part}-{number}", why="x" * (200_000 if number == 250 else number)))
        log.close()
    assert [line["id"] for line in lines(path)] == [f"{part}-{number}" for part in range(2) for number in range(500)]


def test_a_reader_that_does_not_read_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    reads, writes = os.pipe()
    with os.fdopen(writes, "wb", 0) as pipe:
        monkeypatch.setattr("sys.stderr", pipe)
        log = RequestLog(fleet(), "-")
        for _ in range(40):
            for _ in range(50):
                log(ended(why="x" * 1000))
            log.flush()
        assert log.lost > 0
        lost = log.lost
        read = 0
        while read < 2000 - lost:
            read += os.read(reads, 1 << 16).count(b"\n")
        log.close()
        assert read + log.lost == 2000
    os.close(reads)


def test_a_full_disk_is_counted_not_raised() -> None:
    log = RequestLog(fleet(), "/dev/full")
    log(ended())
    log.close()
    assert log.lost == 1


def test_a_file_that_cannot_be_written_is_said_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be written: is a directory"):
        RequestLog(fleet(), str(tmp_path))


def test_bodies_only_where_asked(tmp_path: Path) -> None:
    log = RequestLog(fleet(), str(tmp_path / "requests.log"))
    log.prompt("req-1", b'{"messages": "\xff"}')
    log.close()
    (line,) = lines(tmp_path / "requests.log")
    assert (line["id"], line["body"]) == ("req-1", '{"messages": "\N{REPLACEMENT CHARACTER}"}')


def test_recent_requests_the_latest_first() -> None:
    recent = Recent(fleet(), most=3)
    for number in range(5):
        recent(ended(request_id=str(number)))
    assert [story["id"] for story in recent.requests()] == ["4", "3", "2"]
