"""`merit emulate` and `merit replay` in processes of their own, as a user runs them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from meritorder.fleet.load import load

ROOT = Path(__file__).parents[2]
LAPTOP, MIXED = ROOT / "examples" / "laptop.yaml", ROOT / "examples" / "mixed.yaml"
MERIT = [sys.executable, "-c", "from meritorder.cli.main import main; main()"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "100"}
# ten requests in a second, in the form of Vidur's traces
TRACE = "arrived_at,num_prefill_tokens,num_decode_tokens\n" + "".join(f"{i / 10},{10 + i},{2 + i}\n" for i in range(10))


def merit(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [*MERIT, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False)


@contextmanager
def emulating(folder: Path, *arguments: object) -> Iterator[str]:
    """An emulator with a live file; gives the address of its first replica."""
    live = folder / "live.yaml"
    command = [*MERIT, "emulate", *map(str, arguments), "--port", "0", "--write", str(live)]
    process = subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    try:
        until = time.monotonic() + 60
        while not live.exists():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < until
            time.sleep(0.05)
        yield re.findall(r"http://\S+", live.read_text())[0]
    finally:
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=20)[1]
    assert process.returncode == 0, told
    assert "tokens asked for" in told
    assert "Traceback" not in told


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "trace.csv"
    path.write_text(TRACE)
    return path


def test_a_replay_measures_compares_and_writes(tmp_path: Path, trace: Path) -> None:
    (tmp_path / "one.yaml").write_text(f"extends: {LAPTOP}\npools: {{llama-cpp: null}}\n")
    with emulating(tmp_path, "one.yaml") as url:
        done = merit("replay", trace, url + "/v1", "--fleet", "one.yaml", "-o", "out", "--json", cwd=tmp_path)
        shown = merit("replay", trace, url, "--limit", 3, "--api", "chat", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["requests"], told["completed"], told["other_length"]) == (10, 10, 0)
    assert told["comparison"]["requests"] == 10
    assert told["comparison"]["by_pool"] == {"vllm-cpu": 10}
    assert abs(told["comparison"]["e2e_s"]["difference"]["mean"]) < 0.1
    assert told["by_service"]["chat"]["completed"] == 10
    assert json.loads((tmp_path / "out" / "replay.json").read_text()) == told
    rows = pq.read_table(tmp_path / "out" / "replay.parquet").to_pylist()
    assert [row["told_output_tokens"] for row in rows] == [2 + i for i in range(10)]
    assert all(row["outcome"] == "completed" and row["simulated_ttft_s"] > 0 for row in rows)
    assert shown.returncode == 0, shown.stderr
    assert "3 of 3 requests completed" in shown.stdout
    assert "TTFT" in shown.stdout


def test_ctrl_c_keeps_what_was_measured(tmp_path: Path) -> None:
    (tmp_path / "long.csv").write_text(TRACE + "500,10,10\n")
    with emulating(tmp_path, LAPTOP) as url:
        command = [*MERIT, "replay", "long.csv", url, "-o", "out"]
        process = subprocess.Popen(
            command, cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        time.sleep(6)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "not asked or not ended when it was stopped" in out
    assert json.loads((tmp_path / "out" / "replay.json").read_text())["completed"] >= 1


def test_the_live_file_is_a_fleet_with_endpoints(tmp_path: Path) -> None:
    with emulating(tmp_path, MIXED):
        fleet = load(tmp_path / "live.yaml")
    assert [len(pool.endpoint.urls) for pool in fleet.pools.values() if pool.endpoint] == [1, 2, 1]
    (tmp_path / "live.yaml").unlink()
    with emulating(tmp_path, MIXED, "--pool", "h200"):
        fleet = load(tmp_path / "live.yaml")
    assert list(fleet.pools) == ["h200"]
    assert list(fleet.services) == ["ultrafast", "chat", "batch"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["emulate", str(LAPTOP), "--pool", "llama"], 'did you mean "llama-cpp"?'),
        (["emulate", str(LAPTOP), "--speed", "0"], "give 0.001 to 1000"),
        (["emulate", str(LAPTOP), "--host", "203.0.113.1"], "can't listen there"),
        (["emulate", str(LAPTOP), "--port", "0", "--write", "trace.csv"], "trace.csv: is there and was not written by"),
        (["replay", "trace.csv", "localhost:8000"], "http://127.0.0.1:8000"),
        (["replay", "trace.csv", "http://127.0.0.1:9"], "is the endpoint up?"),
        (["replay", "trace.csv", "http://127.0.0.1:9", "--key", "sk-abc"], "env:NAME"),
        (["replay", "trace.csv", "http://127.0.0.1:9", "--key", "env:NOT_THERE"], "NOT_THERE is not set"),
        (["replay", "trace.csv", "http://127.0.0.1:9", "--api", "chats"], 'did you mean "chat"?'),
        (["replay", "nothing.csv", "http://127.0.0.1:9"], "nothing.csv"),
    ],
)
def test_what_can_t_be_done_is_said(arguments: list[str], words: str, tmp_path: Path, trace: Path) -> None:
    done = merit(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert "sk-abc" not in done.stderr
