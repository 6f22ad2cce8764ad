"""`merit up` as a user runs it, with a tiny model on real llama.cpp."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("xllamacpp")
pytest.importorskip("gguf")

from tests.serve.engines.tiny_gguf import write_tiny

from meritorder.cli.main import run

MERIT = [sys.executable, "-c", "from meritorder.cli.main import main; main()"]
START_S = 240  # the very first start compiles


def children(pid: int) -> list[int]:
    """Processes that a process started, and those that they started."""
    own = [child for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]
    return [each for child in map(int, own) for each in (child, *children(child))]


def test_a_port_that_is_taken_is_told_before_anything_starts(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        model = write_tiny(tmp_path / "tiny.gguf")
        assert run(["up", "--model", str(model), "--port", str(port), "--no-browser"]) == 2
    assert f"port {port}: address already in use" in capsys.readouterr().err


def test_a_model_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["up", "--model", "/nowhere/model.gguf", "--port", "0"]) == 2
    assert "/nowhere/model.gguf: is not there" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_it_serves_chat_page_api_and_live_page_and_leaves_nothing_behind(tmp_path: Path) -> None:
    import httpx

    model = write_tiny(tmp_path / "tiny.gguf")
    command = [*MERIT, "up", "--model", str(model), "--port", "0", "--no-browser"]
    # a home of its own, but the compiled policies of this machine
    cache = tmp_path / "cache" / "meritorder"
    cache.mkdir(parents=True)
    here = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "meritorder"
    for folder in here.glob("kernel-*"):
        (cache / folder.name).symlink_to(folder)
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "COLUMNS": "200"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment, cwd=tmp_path)
    said: list[str] = []
    try:
        assert process.stderr is not None
        reader = threading.Thread(target=lambda: said.extend(process.stderr or ()))
        reader.start()
        end = time.monotonic() + START_S
        while "Ctrl-C stops it" not in "".join(said) and time.monotonic() < end and process.poll() is None:
            time.sleep(0.05)
        text = "".join(said)
        chat, live = (re.search(rf"{word}\s+(http://\S+)/", text) for word in ("chat", "live fleet"))
        assert chat, text
        assert live, text
        assert "Ask your fleet" in httpx.get(chat[1] + "/").text
        body = {"model": "chat", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 4}
        with httpx.stream("POST", f"{chat[1]}/v1/chat/completions", json={**body, "stream": True}) as answer:
            lines = [line for line in answer.iter_lines() if line.startswith("data: ")]
        assert lines[-1] == "data: [DONE]"
        assert json.loads(lines[0][6:])["object"] == "chat.completion.chunk"
        assert "live" in httpx.get(live[1] + "/").text
        state = httpx.get(live[1] + "/state").json()
        assert state["pools"][0]["replicas"][0]["health"] == "up"
        assert sum(service["outcomes"]["ok"] for service in state["services"]) <= 1
        family = children(process.pid)
        assert len(family) >= 2  # a worker and an engine
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        reader.join()
        assert "Traceback" not in "".join(said)
        assert [pid for pid in family if Path(f"/proc/{pid}").exists()] == []
        assert {path.name for path in tmp_path.iterdir()} == {"tiny.gguf", "cache"}  # nothing where it was started
    finally:
        process.kill()
        process.wait()
