"""A real `merit serve` in front of real backend processes, and clients that notice everything."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml
from tests.serve.fake_backend import Act

ROOT = Path(__file__).parent.parent.parent.parent
MERIT = Path(sys.executable).with_name("merit")
DEADLINES = {"first_token": "1 s", "token": "700 ms", "answer": "10 s"}
WITHIN_S = 12.0  # no client may wait longer than its service's answer deadline and a little
WORDS = 20


class BackendProcess:
    """A model server in a process of its own, to be told, frozen and killed."""

    def __init__(self, port: int = 0) -> None:
        command = [sys.executable, "-m", "tests.serve.faults.backend_process", str(port)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}"

    def always(self, act: Act) -> None:
        """Answer all further requests so."""
        self._say({"usual": asdict(act)})

    def next(self, *acts: Act) -> None:
        """Answer the next requests so."""
        self._say({"acts": [asdict(act) for act in acts]})

    def seen(self) -> int:
        """Model requests that have come."""
        return int(self._say({"count": True}))

    def _say(self, message: dict[str, Any]) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(message, default=bytes.decode) + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def backends(count: int = 2) -> Iterator[list[BackendProcess]]:
    running = [BackendProcess() for _ in range(count)]
    try:
        yield running
    finally:
        for each in running:
            each.kill()


@dataclass
class Serving:
    """A gateway that serves."""

    url: str
    admin: str
    process: subprocess.Popen[str]
    fleet: Path
    errors: Path

    def workers(self) -> list[int]:
        """Process ids of its workers."""
        state = httpx.get(f"{self.admin}/state").json()
        return [worker["pid"] for worker in state["workers"] if worker["pid"]]

    def restarted(self, before: Sequence[int]) -> None:
        """Wait until all workers are there again."""
        wait_for(lambda: len(set(self.workers()) - set(before)) >= 1 and len(self.workers()) == len(before))


def wait_for(true: Any, seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(httpx.HTTPError):
            if true():
                return
        time.sleep(0.05)
    raise AssertionError("it did not come about")


def fleet_of(urls: Sequence[str], **gateway: Any) -> dict[str, Any]:
    """One service over one pool with these backends; every backend takes many requests."""
    return {
        "name": "Faults",
        "sites": {"here": {"usd_per_kwh": 0.1, "kg_per_kwh": "300 g/kWh"}},
        "pools": {
            "all": {
                "site": "here",
                "measured": {
                    "host_s": 0.005,
                    "idle_w": 10,
                    "busy_w": 20,
                    "kv_tokens": 1_000_000,
                    "usd_per_hour": 1,
                },
                "model": "llama-3.1-8b",
                "replicas": len(urls),
                "endpoint": {"kind": "vllm", "urls": list(urls), "model": "fake-model"},
            }
        },
        "services": {"chat": {"model": "llama-3.1-8b", "live": {"deadlines": DEADLINES}}},
        "dispatch": {"policy": "round-robin"},
        "gateway": {"listen": "127.0.0.1:0", "admin": "127.0.0.1:0", "drain_time": "10 s", **gateway},
    }


@contextmanager
def serving(folder: Path, fleet: dict[str, Any]) -> Iterator[Serving]:
    path, errors = folder / "fleet.yaml", folder / "errors.txt"
    fleet["gateway"].setdefault("database", f"sqlite:///{folder}/keys.db")
    path.write_text(yaml.safe_dump(fleet))
    with errors.open("w") as file:
        process = subprocess.Popen(
            [MERIT, "serve", path, "--json"], stdout=subprocess.PIPE, stderr=file, text=True, start_new_session=True
        )
        try:
            assert process.stdout is not None
            said = ""
            while not said.rstrip().endswith("}"):
                line = process.stdout.readline()
                assert line, errors.read_text()
                said += line
            ready = json.loads(said)
            yield Serving(ready["url"], ready["admin"], process, path, errors)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert "Traceback" not in errors.read_text(), errors.read_text()


@dataclass
class Answered:
    """What a client got."""

    status: int = 0
    text: str = ""
    finished: bool = False  # finish_reason and [DONE], or a whole JSON answer
    error: str = ""  # an honest one: error body or error event
    cut: str = ""  # the connection broke, the client can tell
    seconds: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """All the words, each once."""
        return self.finished and self.text.split() == [f"w{i}" for i in range(WORDS)]


def ask(url: str, *, stream: bool = True, headers: dict[str, str] | None = None) -> Answered:
    """One chat request. Whatever happens is noted; nothing is raised."""
    body = {
        "model": "chat",
        "messages": [{"role": "user", "content": "count"}],
        "max_tokens": WORDS,
        "stream": stream,
    }
    got = Answered()
    began = time.monotonic()
    try:
        with (
            httpx.Client(timeout=WITHIN_S + 3) as client,
            client.stream("POST", f"{url}/v1/chat/completions", json=body, headers=headers) as response,
        ):
            got.status = response.status_code
            got.headers = dict(response.headers)
            if response.status_code != 200 or not stream:
                answer = json.loads(response.read())
                got.error = str(answer.get("error", {}).get("message", ""))
                if not got.error:
                    got.text = answer["choices"][0]["message"]["content"]
                    got.finished = bool(answer["choices"][0]["finish_reason"])
            else:
                _read_stream(response, got)
    except httpx.HTTPError as error:
        got.cut = repr(error)
    got.seconds = time.monotonic() - began
    return got


def _read_stream(response: httpx.Response, got: Answered) -> None:
    ended = done = False
    for line in response.iter_lines():
        if not line:
            continue
        assert line.startswith("data: "), line
        if line == "data: [DONE]":
            done = True
            continue
        event = json.loads(line[6:])
        if "error" in event:
            got.error = event["error"]["message"]
            continue
        for choice in event["choices"]:
            got.text += choice["delta"].get("content") or ""
            ended = ended or bool(choice["finish_reason"])
    got.finished = ended and done and not got.error


def ask_many(url: str, count: int, **options: Any) -> list[Answered]:
    """So many clients at the same time."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: ask(url, **options), range(count)))


def nothing_lost(answers: Sequence[Answered]) -> None:
    """Every client has its whole answer, in time."""
    for answer in answers:
        assert answer.whole, answer
        assert answer.seconds < WITHIN_S


def all_honest(answers: Sequence[Answered]) -> None:
    """Every client has its whole answer or an error that says so, in time; nothing cut looks like a clean end."""
    for answer in answers:
        assert answer.whole or answer.error or answer.cut, answer
        assert answer.seconds < WITHIN_S
