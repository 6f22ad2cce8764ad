"""Real llama.cpp servers: they start, need their key, come again when killed, and go when they are no longer wanted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from meritorder.problems import InputError
from meritorder.serve.engines.engine import Engine, Settings


def settings(weights: Path, **other: object) -> Settings:
    return Settings("e", "tiny", str(weights), "secret", **{"context": 512, "slots": 2, **other})  # type: ignore[arg-type]


@contextmanager
def running(weights: Path, folder: Path, told: list[str]) -> Iterator[Engine]:
    engine = Engine(settings(weights), folder / "e.log", told.append)
    try:
        engine.wait_ready()
        yield engine
    finally:
        engine.stop()


def soon(true: Callable[[], object], seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.02)
    return False


def alive(pid: int) -> bool:
    """Neither gone nor a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def ask(engine: Engine, **other: object) -> httpx.Response:
    body = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 4, **other}
    headers = {"authorization": f"Bearer {engine.settings.key}"}
    return httpx.post(f"{engine.url}/v1/chat/completions", json=body, headers=headers, timeout=30)


def test_it_answers_with_its_key_only_and_goes_when_stopped(tiny: Path, tmp_path: Path) -> None:
    told: list[str] = []
    with running(tiny, tmp_path, told) as engine:
        answer = ask(engine).json()
        assert answer["usage"]["completion_tokens"] >= 1
        assert answer["model"] == "tiny"
        assert '"delta"' in ask(engine, stream=True).text
        for path in ("/v1/chat/completions", "/metrics", "/slots"):
            assert httpx.request("POST" if "v1" in path else "GET", engine.url + path, json={}).status_code == 401
        metrics = httpx.get(f"{engine.url}/metrics", headers={"authorization": "Bearer secret"})
        assert "llamacpp:requests_processing" in metrics.text
        pid = engine.pid
        assert pid is not None
        assert alive(pid)
    assert soon(lambda: not alive(pid))
    assert told == []


def test_a_killed_engine_comes_again_at_the_same_address(tiny: Path, tmp_path: Path) -> None:
    told: list[str] = []
    with running(tiny, tmp_path, told) as engine:
        url, pid = engine.url, engine.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

        def answers() -> bool:
            try:
                return engine.pid != pid and ask(engine).status_code == 200
            except httpx.TransportError:
                return False

        assert soon(answers)
        assert engine.url == url
        assert told == ["engine e died (signal 9); starting it again"]


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_it_is_gone_with_its_parent_however_that_ends(tiny: Path, tmp_path: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom meritorder.serve.engines.engine import Engine, Settings\n"
        "engine = Engine(Settings('e', 'tiny', sys.argv[1], 'k', context=256), Path(sys.argv[2]), print)\n"
        "engine.wait_ready()\nprint(engine.pid, flush=True)\nsys.stdin.read()\n"
    )
    command = [sys.executable, "-c", program, str(tiny), str(tmp_path / "log")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
        assert soon(lambda: not alive(pid))


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no pinning here")
def test_it_is_pinned_and_gives_way(tiny: Path, tmp_path: Path) -> None:
    core = max(os.sched_getaffinity(0))
    engine = Engine(settings(tiny, core=core), tmp_path / "log", print)
    try:
        engine.wait_ready()
        assert engine.pid is not None
        assert os.sched_getaffinity(engine.pid) == {core}
        assert os.getpriority(os.PRIO_PROCESS, engine.pid) > os.getpriority(os.PRIO_PROCESS, 0)
    finally:
        engine.stop()


def test_weights_that_are_none_are_told_with_the_place_of_the_log(tmp_path: Path) -> None:
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"GGUF nonsense")
    engine = Engine(settings(bad), tmp_path / "e.log", print)
    with pytest.raises(InputError) as caught:
        engine.wait_ready()
    [problem] = caught.value.problems
    assert problem.where == str(bad)
    assert str(tmp_path / "e.log") in problem.fix
    assert engine.pid is None


def test_the_key_is_not_shown() -> None:
    assert "hush" not in repr(Settings("e", "m", "w", "hush"))
