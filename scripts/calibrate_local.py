"""`python -m scripts.calibrate_local`: calibrate and check engines on this machine, alone and pinned to a core each.

Writes the table of docs/calibrate.md. About 5 minutes an engine; nothing else should run meanwhile. With
`--openvino PYTHON`, the Python of an environment that has openvino-genai, that engine too.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from meritorder.calibrate.session import Wanted, calibrate
from meritorder.files import write_text
from meritorder.serve.engines import weights
from meritorder.serve.engines.engine import Engine, Settings

PAGE = Path(__file__).parent.parent / "docs" / "calibrate.md"
BEGIN, END = "<!-- measured: scripts/calibrate_local.py -->", "<!-- end -->"
SLOTS, CONTEXT, BUDGET = 4, 2048, 256
_KEY = "local"
_LATENCIES = ("ttft_s", "tpot_s", "e2e_s")


@contextmanager
def llama_cpp(kind: weights.Format, core: int, folder: Path) -> Iterator[str]:
    """A llama.cpp engine as `merit up` runs it; gives its address."""
    if not weights.place(kind).exists():
        if not weights.shipped().exists():
            weights.fetch()
        weights.make(kind, lambda share: None)
    settings = Settings(
        kind.name, "smollm2-135m", str(weights.place(kind)), _KEY, SLOTS, CONTEXT, BUDGET, core=core, dry=0.8
    )
    engine = Engine(settings, folder / f"{kind.name}.log", print)
    try:
        engine.wait_ready()
        yield engine.url
    finally:
        engine.stop()


@contextmanager
def openvino(python: str, core: int) -> Iterator[str]:
    """OpenVINO GenAI behind a small server (`scripts/openvino_server.py`); gives its address."""
    server = Path(__file__).with_name("openvino_server.py")
    command = (python, str(server), str(weights.place(weights.F16)), str(SLOTS), str(BUDGET), str(core))
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        ready = next((line for line in process.stdout if line.startswith("ready ")), "")
        if not ready:
            raise SystemExit(f"{server.name} did not start")
        yield f"http://127.0.0.1:{ready.split()[1]}"
    finally:
        process.kill()
        process.wait()


def measure(url: str, sweep_s: float, check_s: float, told: Mapping[str, Any]) -> dict[str, Any]:
    """The profile of an engine, with its check."""
    wanted = Wanted(
        url=url,
        headers=f"authorization: Bearer {_KEY}\r\n".encode(),
        seconds=sweep_s,
        check_seconds=check_s,
        **told,
    )

    def step(label: str) -> nullcontext[Callable[[float], None]]:
        print(f"  {label}", file=sys.stderr, flush=True)
        return nullcontext(lambda share: None)

    found = calibrate(wanted, lambda estimate: True, step, lambda profile: None)
    assert found is not None
    return found


def table(profiles: Mapping[str, Mapping[str, Any]]) -> str:
    """The engines' errors under load, in Markdown."""
    lines = [
        "| engine | error held out | noise, of an iteration / of repeats | load | requests | TTFT | TPOT | E2E "
        "| p90 of TTFT / TPOT / E2E |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, profile in profiles.items():
        quality = profile["quality"]
        noise = f"{_share(quality['noise_of_an_iteration'])} / {_share(quality['noise_of_repeats'])}"
        first = f"{name} | {_share(quality['error_held_out'])} | {noise}"
        for load in profile["check"]["loads"]:
            means = " | ".join(_share(load[latency]["difference_mean"], sign=True) for latency in _LATENCIES)
            tails = " / ".join(_share(load[latency]["difference_p90"], sign=True) for latency in _LATENCIES)
            lines.append(f"| {first} | {load['load']:.0%} | {load['requests']} | {means} | {tails} |")
            first = " | | "
    return "\n".join(lines)


def _share(value: float | None, *, sign: bool = False) -> str:
    return "-" if value is None else f"{100 * value:+.1f} %" if sign else f"{100 * value:.1f} %"


def write_table(text: str) -> None:
    """Put it into the page, between the marks."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    write_text(PAGE, f"{before}{BEGIN}\n{text}\n{END}{after}")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--openvino", metavar="PYTHON", help="Python of an environment with openvino-genai")
    parser.add_argument("--sweep", type=float, default=2.0, help="minutes of the sweep")
    parser.add_argument("--check", type=float, default=2.7, help="minutes of the check")
    parser.add_argument("--only", help="one engine: Q4_0, F16 or OpenVINO")
    parser.add_argument("--save", type=Path, help="folder for the profiles (JSON)")
    parser.add_argument("--dry", action="store_true", help="leave the page as it is")
    asked = parser.parse_args()
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, os.sched_getaffinity(0) - {core} or {core})  # the client keeps off the engine's core
    profiles: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, kind in (("Q4_0", weights.Q4), ("F16", weights.F16)):
            if asked.only in (None, name):
                print(f"llama.cpp {name}", file=sys.stderr, flush=True)
                with llama_cpp(kind, core, Path(folder)) as url:
                    profiles[f"llama.cpp, {name}"] = measure(url, 60 * asked.sweep, 60 * asked.check, {})
        if asked.openvino and asked.only in (None, "OpenVINO"):
            print("OpenVINO GenAI", file=sys.stderr, flush=True)
            told = {"sequences": SLOTS, "budget": BUDGET, "context": CONTEXT, "kv_tokens": 20_000}
            with openvino(asked.openvino, core) as url:
                profiles["OpenVINO GenAI, F16"] = measure(url, 60 * asked.sweep, 60 * asked.check, told)
    if asked.save:
        for name, profile in profiles.items():
            write_text(
                asked.save / f"{name.split(', ')[-1]}-{name.split()[0].strip(',')}.json", json.dumps(profile, indent=1)
            )
    text = (
        f"{table(profiles)}\n\nOne thread, one core ({_processor()}), {SLOTS} sequences, {BUDGET} tokens an iteration."
    )
    print(text)
    if not asked.dry:
        write_table(text)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


if __name__ == "__main__":
    main()
