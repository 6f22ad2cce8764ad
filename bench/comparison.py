"""The same workload, in the same run, on the simulators that install from PyPI."""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.child import CACHE, NotMeasured, run, worker
from bench.common_workload import WORKLOADS, Workload, write_mooncake, write_vidur
from bench.section import Section, verdict

AISIMULATE = "aisimulate==0.13.0.dev202610200000000077"
VIDUR = "vidur==0.0.26"
SR_SIM = "vllm-sr-sim==0.1.0.dev20260713123629"

TEXT = """
Llama-3.1-8B on one A100-80GB per replica, round-robin, at most 256 sequences and 2,048 tokens per step; Poisson
arrivals, lognormal lengths (mean 955 prompt and 199 output tokens), 2,000, 10,000 and 20,000 requests on 1, 16 and 64
replicas. `core` is the simulation loop alone, as each tool reports it or timed around it; `start` what comes before
it; memory is the peak of the largest process. Every run is a fresh process; the table gives medians over the repeats.

* aisimulate ({aisimulate}) with its operator database for that card.
* Vidur ({vidur}) with its compiled predictor and its metrics off. Its profile tables can't be had everywhere, so
  `bench/vidur_driver.py` puts smooth synthetic ones of the same shape in their place: its speed is valid, its
  latencies are not, and are left out.
* vllm-sr-sim ({sr_sim}) simulates whole requests, not iterations: one event a
  request, its service time fixed at admission.

The bar is how many times more requests per second the kernel must simulate.
"""


@dataclass(frozen=True)
class Ran:
    """One run of one simulator."""

    core_s: float
    start_s: float
    rss_bytes: int
    e2e_s: float | None


def environment(name: str, requirement: str) -> Path:
    """The Python of a virtual environment of its own that holds `requirement`, made at first use."""
    folder = CACHE / name
    python = folder / "bin" / "python"
    marker = folder / ".installed"
    if marker.exists() and marker.read_text() == requirement:
        return python
    print(f"installing {requirement} into {folder}", file=sys.stderr)
    run([sys.executable, "-m", "venv", "--clear", folder])
    run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--prefer-binary", requirement])
    marker.write_text(requirement)
    return python


def ours(workload: Workload, folder: Path) -> Ran:
    """Meritorder's kernel."""
    answer, ended = worker("common", workload.name)
    return Ran(answer["core_s"], answer["start_s"], ended.rss_bytes, answer["e2e_s"])


def aisimulate(workload: Workload, folder: Path) -> Ran:
    """NVIDIA's aisimulate, operator-level timing."""
    python = environment("aisimulate", AISIMULATE)
    trace = folder / f"{workload.name}.jsonl"
    write_mooncake(workload, trace)
    config = {
        "traffic": {
            "source": {"type": "trace", "paths": [str(trace)], "format": "mooncake"},
            "load": {"type": "trace_timestamps"},
        },
        "engine": {
            "mode": "aggregated",
            "model": "meta-llama/Meta-Llama-3.1-8B",
            "hardware": "a100_sxm",
            "backend": "vllm",
            "workers": {
                "aggregated": {
                    "parallelism": {"replicas": workload.replicas},
                    "timing": {"type": "default"},
                    "scheduler": {"max_batched_tokens": 2048, "max_sequences": 256},
                }
            },
        },
    }
    settings, out = folder / "aisimulate.yaml", folder / "aisimulate-out"
    settings.write_text(json.dumps(config))  # JSON is YAML too
    command = python.parent / "aisimulate"
    ended = run([command, "predict", "--config", settings, "--output-dir", out, "--overwrite"], folder)
    answer = json.loads((out / "prediction.json").read_text())
    core = answer["wall_time_ms"] / 1000
    if answer["completed_requests"] != workload.requests:
        raise NotMeasured(f"aisimulate completed {answer['completed_requests']} of {workload.requests} requests")
    return Ran(core, ended.wall_s - core, ended.rss_bytes, answer["mean_e2e_latency_ms"] / 1000)


def vidur(workload: Workload, folder: Path) -> Ran:
    """Vidur from PyPI."""
    python = environment("vidur", VIDUR)
    trace = folder / f"{workload.name}.csv"
    write_vidur(workload, trace)
    return _driven(python, "vidur_driver.py", folder, str(trace), str(workload.replicas))


def sr_sim(workload: Workload, folder: Path) -> Ran:
    """vLLM Semantic Router's fleet simulator."""
    python = environment("vllm-sr-sim", SR_SIM)
    trace = folder / f"{workload.name}.csv"
    write_vidur(workload, trace)
    return _driven(python, "sr_sim_driver.py", folder, str(trace), str(workload.replicas))


def _driven(python: Path, driver: str, folder: Path, *arguments: str) -> Ran:
    ended = run([python, Path(__file__).parent / driver, *arguments], folder)
    answer = json.loads(ended.output.strip().splitlines()[-1])
    return Ran(answer["core_s"], answer["start_s"], ended.rss_bytes, None)


SIMULATORS: tuple[tuple[str, Callable[[Workload, Path], Ran], float | None], ...] = (
    ("Meritorder", ours, None),
    ("aisimulate", aisimulate, 150.0),
    ("Vidur", vidur, 3000.0),
    ("vllm-sr-sim", sr_sim, None),
)


def measure(repeats: int) -> Section:
    section = Section(
        "Beside other simulators",
        TEXT.format(aisimulate=AISIMULATE, vidur=VIDUR, sr_sim=SR_SIM),
        [
            *("simulator", "replicas", "core s min", "median", "max", "requests/s", "start s", "peak MB"),
            *("mean E2E s", "ours is faster by", "bar", "held"),
        ],
    )
    with contextlib.suppress(NotMeasured):
        worker("common", WORKLOADS[0].name)  # compiles, where that was never done
    for workload in WORKLOADS:
        our_rate: float | None = None
        for name, simulator, bar in SIMULATORS:
            try:
                with tempfile.TemporaryDirectory() as folder:
                    runs = [simulator(workload, Path(folder)) for _ in range(repeats)]
            except NotMeasured as reason:
                section.missing(f"{name} {workload.name}", reason)
                continue
            cores = sorted(r.core_s for r in runs)
            rate = workload.requests / statistics.median(cores)
            e2e = runs[0].e2e_s
            cells = [
                *(f"{core:.4f}" for core in (cores[0], statistics.median(cores), cores[-1])),
                f"{rate:,.0f}",
                f"{statistics.median(r.start_s for r in runs):.2f}",
                f"{statistics.median(r.rss_bytes for r in runs) / 1e6:.0f}",
                "" if e2e is None else f"{e2e:.2f}",
            ]
            if simulator is ours:
                our_rate = rate
                tail = ["", "", ""]
            elif our_rate is None:
                tail = ["", "" if bar is None else f">= {bar:,.0f}x", ""]
            else:
                ratio = our_rate / rate
                held = "" if bar is None else verdict([ratio], at_least=bar)
                tail = [f"{ratio:,.0f}x", "" if bar is None else f">= {bar:,.0f}x", held]
            section.rows.append([name, str(workload.replicas), *cells, *tail])
            section.raw[f"{name} {workload.name}"] = [vars(r) for r in runs]
    return section
