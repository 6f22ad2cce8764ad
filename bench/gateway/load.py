"""The C programs of this folder: backends that answer at once, and a load generator."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.child import CACHE, NotMeasured

HERE = Path(__file__).parent
GATEWAY_CORE, LOAD_CORE = "1", "0"


@dataclass(frozen=True)
class Measured:
    """What the load generator saw after its warm-up; times in milliseconds at 50, 90, 99 and 100 %."""

    requests: int
    errors: int
    cut: int
    events: int
    all_requests: int  # the warm-up's, too
    all_events: int
    requests_per_s: float
    events_per_s: float
    latency_ms: list[float]
    first_byte_ms: list[float]
    one_way_ms: list[float]


@dataclass(frozen=True)
class Bodies:
    """Files with a request's body."""

    small: Path
    paced: Path


def build(name: str) -> Path:
    """The compiled program, made anew when its source has changed."""
    source, program = HERE / f"{name}.c", CACHE / f"gateway-{name}"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        program.parent.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run(["gcc", "-O2", "-o", program, source, "-lm"], check=True, capture_output=True, text=True)
        except FileNotFoundError as error:
            raise NotMeasured("there is no gcc") from error
    return program


@contextmanager
def mocks(
    count: int, folder: Path, *, events: int = 200, first_us: int = 20_000, gap_us: int = 10_000
) -> Iterator[list[int]]:
    """So many backends; yields their ports."""
    command = ["taskset", "-c", LOAD_CORE, str(build("mock")), "0", str(events), str(first_us), str(gap_us)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    try:
        yield [int(process.stdout.readline()) for process in running if process.stdout]
    finally:
        for process in running:
            process.kill()
            process.wait()


def bodies(folder: Path, model: str = "mock") -> Bodies:
    """The two requests that are asked again and again."""
    small, paced = folder / "small.json", folder / "paced.json"
    text = "Say ten words that say nothing much about anything at all, please. " * 3
    message = {"model": model, "messages": [{"role": "user", "content": text[:200]}], "max_tokens": 16}
    small.write_text(json.dumps(message))
    paced.write_text(json.dumps({**message, "stream": True, "max_tokens": 201}, separators=(",", ":")))
    return Bodies(small, paced)


def load(port: int, connections: int, seconds: float, rate: float, body: Path, headers: Sequence[str]) -> Measured:
    """Load on a port; `rate` 0: closed loop, else Poisson arrivals a second."""
    arguments = [str(port), str(connections), f"{seconds:g}", f"{rate:g}", str(body), *headers]
    done = subprocess.run(
        ["taskset", "-c", LOAD_CORE, build("load"), *arguments], check=True, capture_output=True, text=True
    )
    return Measured(**json.loads(done.stdout))
