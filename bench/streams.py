"""Many streams for a long time: does the gateway's memory stay flat, and how much does one stream hold?"""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from bench.gateway.contenders import CONTENDERS, Running, started
from bench.gateway.load import LOAD_CORE, build, mocks
from bench.section import Section

STREAMS = 1000
SECONDS = 600
GAP_US = 100_000  # ten tokens a second each
TOKENS = 1500
CYCLE_S = TOKENS * GAP_US / 1e6  # all streams begin together, and so hold most at the same time

TEXT = f"""
{STREAMS:,} streams at a time for {SECONDS // 60} minutes through one worker, {1_000_000 // GAP_US} events a second
each, answers of {TOKENS:,} tokens: resident memory of all the gateway's processes. `per stream` is the memory above
that of the idle gateway, over the streams; `growth` compares the most of the second round of answers, when it has
settled, with that of the last.
"""


def measure(repeats: int) -> Section:
    """One run: it is long."""
    section = Section("Gateway: memory of streams", TEXT, ["figure", "measured", "bar"])
    with (
        tempfile.TemporaryDirectory() as name,
        mocks(8, Path(name), events=TOKENS, first_us=20_000, gap_us=GAP_US) as ports,
        started(CONTENDERS[0], ports, Path(name)) as running,
    ):
        time.sleep(3.0)
        idle = running.rss_bytes()
        samples = _under_load(running, Path(name))
    early = max(size for at, size in samples if CYCLE_S <= at < 2 * CYCLE_S)
    late = max(size for at, size in samples if at >= SECONDS - CYCLE_S)
    each = (max(size for _, size in samples) - idle) / STREAMS / 1e3
    growth = (late - early) / 1e6
    section.add("kB per stream", [each], f"{each:,.1f}", f"below 100: {'held' if each < 100 else '**not held**'}")
    section.add("growth, MB", [growth], f"{growth:,.1f}", f"flat: {'held' if growth < 5 else '**not held**'}")
    section.add("idle, MB", [idle / 1e6], f"{idle / 1e6:,.0f}", "")
    return section


def _under_load(running: Running, folder: Path) -> list[tuple[float, int]]:
    """(second, bytes) while the streams run."""
    body = folder / "long.json"
    message = {"model": "mock", "messages": [{"role": "user", "content": "Go on."}], "stream": True, "max_tokens": 201}
    body.write_text(json.dumps(message, separators=(",", ":")))
    command = [str(build("load")), str(running.port), str(STREAMS), str(SECONDS), "0", str(body), *running.headers]
    samples: list[tuple[float, int]] = []
    done = threading.Event()

    def watch() -> None:
        began = time.monotonic()
        while not done.wait(1.0):
            samples.append((time.monotonic() - began, running.rss_bytes()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        ended = subprocess.run(["taskset", "-c", LOAD_CORE, *command], check=True, capture_output=True, text=True)
    finally:
        done.set()
        watcher.join()
    result = json.loads(ended.stdout)
    if result["errors"] or result["cut"]:
        raise RuntimeError(f"{result['errors']} errors, {result['cut']} cut answers")
    return samples
