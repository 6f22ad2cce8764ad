"""The gateways that are compared, each started on one core in front of the same backends."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from bench.child import NotMeasured
from bench.comparison import environment
from bench.gateway.load import GATEWAY_CORE

START_S = 120.0
VLLM_ROUTER = "vllm-router==0.1.17"
SGLANG_ROUTER = "sglang-router==0.3.2"
LITELLM = "litellm[proxy]==1.106.2"
MASTER_KEY = "sk-0123456789abcdef0123456789abcdef"


@dataclass(frozen=True)
class Command:
    """How a gateway is started, what its clients must send, and where it says that it is ready."""

    command: Sequence[str | Path]
    headers: tuple[str, ...] = ()
    ready: str = "/health"
    env: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Contender:
    """A gateway by name."""

    name: str
    prepare: Callable[[int, Sequence[int], Path], Command]  # port, ports of the backends, folder
    slow: bool = False  # gets fewer connections, or it would only queue


@dataclass(frozen=True)
class Running:
    """A gateway that takes requests."""

    port: int
    headers: tuple[str, ...]
    pid: int
    slow: bool

    def cpu_s(self) -> float:
        """Processor seconds of all its processes so far."""
        return sum(_cpu_s(pid) for pid in family(self.pid))

    def rss_bytes(self) -> int:
        """Resident memory of all its processes."""
        pages = 0
        for pid in family(self.pid):
            with contextlib.suppress(OSError):
                pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


def family(pid: int) -> list[int]:
    """A process and all that it has started."""
    found = [pid]
    for each in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{each}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def _cpu_s(pid: int) -> float:
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(contender: Contender, backends: Sequence[int], folder: Path) -> Iterator[Running]:
    """The gateway, ready; it is gone afterwards."""
    port = free_port()
    what = contender.prepare(port, backends, folder)
    with (folder / "gateway.log").open("w+") as log:
        process = subprocess.Popen(
            ["taskset", "-c", GATEWAY_CORE, *map(str, what.command)],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **dict(what.env)},
            cwd=folder,
            start_new_session=True,
        )
        try:
            _wait(f"http://127.0.0.1:{port}{what.ready}", process, log.name)
            time.sleep(1.0)
            yield Running(port, what.headers, process.pid, contender.slow)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], log: str) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=1):
            return
        time.sleep(0.1)
    lines = [line for line in Path(log).read_text(errors="replace").splitlines() if line.strip()]
    raise NotMeasured(f"it did not start: {lines[-1][:200] if lines else 'no message'}")


def ours(port: int, backends: Sequence[int], folder: Path) -> Command:
    """Meritorder with keys, limits, merit-order over as many pools as backends."""
    fleet, key = write_fleet(port, backends, folder)
    merit = Path(sys.executable).with_name("merit")
    return Command([merit, "serve", fleet], headers=(f"authorization: Bearer {key}",))


def write_fleet(port: int, backends: Sequence[int], folder: Path) -> tuple[Path, str]:
    """A fleet file for the backends, and a key that it lets in."""
    merit = Path(sys.executable).with_name("merit")
    model = "llama-3.1-8b"
    fleet = {
        "name": "Bench",
        "sites": {"here": {"usd_per_kwh": 0.1, "kg_per_kwh": "300 g/kWh"}},
        "pools": {
            f"pool-{i}": {
                "site": "here",
                "accelerator": "h100",
                "model": model,
                "replicas": 1,
                "endpoint": {"urls": [f"http://127.0.0.1:{backend}"], "model": "mock"},
            }
            for i, backend in enumerate(backends)
        },
        "services": {
            "chat": {"model": model, "slo": {"ttft": "1 s", "token_rate": "20 tok/s"}, "live": {"names": ["mock"]}}
        },
        "gateway": {
            "listen": f"127.0.0.1:{port}",
            "admin": f"127.0.0.1:{free_port()}",
            "keys": "required",
            "database": f"sqlite:///{folder}/keys-{port}.db",
        },
    }
    path = folder / f"fleet-{port}.yaml"
    path.write_text(yaml.safe_dump(fleet))
    command = [str(merit), "keys", "create", str(path), "--name", "bench", "--rpm", "100000000", "--json"]
    made = subprocess.run(command, check=True, capture_output=True, text=True)
    key = yaml.safe_load(made.stdout)["key"]
    return path, key


def vllm_router(port: int, backends: Sequence[int], folder: Path) -> Command:
    """vLLM's router (Rust)."""
    program = environment("vllm-router", VLLM_ROUTER).with_name("vllm-router")
    return Command([program, *_rust(port, backends)])


def sglang_router(port: int, backends: Sequence[int], folder: Path) -> Command:
    """SGLang's router (Rust)."""
    program = environment("sglang-router", SGLANG_ROUTER).with_name("smg")
    return Command([program, "launch", *_rust(port, backends)])


def _rust(port: int, backends: Sequence[int]) -> list[str]:
    urls = [f"http://127.0.0.1:{backend}" for backend in backends]
    place = ["--host", "127.0.0.1", "--port", str(port), "--prometheus-port", str(free_port())]
    return ["--worker-urls", *urls, "--policy", "round_robin", "--log-level", "error", *place]


def litellm(port: int, backends: Sequence[int], folder: Path) -> Command:
    """LiteLLM's proxy (Python)."""
    program = environment("litellm", LITELLM).with_name("litellm")
    models = [
        {
            "model_name": "mock",
            "litellm_params": {"model": "openai/mock", "api_base": f"http://127.0.0.1:{backend}/v1", "api_key": "none"},
        }
        for backend in backends
    ]
    config = {
        "model_list": models,
        "router_settings": {"num_retries": 0},
        "general_settings": {"master_key": MASTER_KEY},
    }
    path = folder / f"litellm-{port}.yaml"
    path.write_text(yaml.safe_dump(config))
    command = [str(program), "--config", str(path), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    env = (("LITELLM_MODE", "PRODUCTION"), ("LITELLM_LOG", "ERROR"))
    return Command(command, (f"authorization: Bearer {MASTER_KEY}",), "/health/liveliness", env)


CONTENDERS = (
    Contender("meritorder", ours),
    Contender("vllm-router", vllm_router),
    Contender("sglang-router", sglang_router),
    Contender("LiteLLM", litellm, slow=True),
)
