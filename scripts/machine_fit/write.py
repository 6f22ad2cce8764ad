"""`fitted.yaml`: coefficients with source, confidence and errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from meritorder.files import write_text

HEAD = """# Coefficients of machines. Written by scripts/fit_machines.py; don't edit by hand.
# `value` of a kernel: fixed (time of the smallest call), shares of bandwidth and FLOP/s, sharpness, quantising traffic.
"""

SOURCES = {
    "operators": ("NVIDIA AISimulate 0.13.0 operator tables, newest vLLM lane (Apache-2.0)", "2026-10"),
    "nearest": ("nearest architecture: no data of this machine", "2026-11"),
    "serving": ("InferenceX runs (AISimulate silicon sample, Apache-2.0)", "2026-04"),
    "kv-blocks": ("KV blocks that vLLM 0.15.1 reported on H100 (BLIS training runs)", "2026-02"),
    "vllm": ("vLLM's default sizes of CUDA graphs", "2026-02"),
    "blis": (
        "load stages of vLLM 0.15.1 servers on H100 (BLIS training runs), simulated request by request",
        "2026-02",
    ),
    "llmss": ("a run of vLLM 0.19.0 on RTX PRO 6000, request by request (LLMServingSim, MIT)", "2026-04"),
    "mlenergy": (
        "ML.ENERGY Benchmark v3, vLLM 0.11.1; for B200 also AISimulate power per kernel (Apache-2.0)",
        "2025-12",
    ),
    "splitwise": ("Splitwise-sim perf_model.csv (MIT): DGX A100 and H100, engine of 2023 (ISCA'24)", "2024-06"),
    "mlperf": ("MLPerf Inference v5.1, closed and open division, data centre (Apache-2.0)", "2025-09"),
    "kernel-power": (
        "NVIDIA AISimulate 0.13.0: board power per kernel on B200, TensorRT-LLM lane (Apache-2.0)",
        "2026-10",
    ),
    "wafer": ("WaferLLM (OSDI'25, arXiv 2502.04563v3) and API timings of the CS-3 service", "2025-07"),
    "guess": ("guess of this project", "2026-11"),
    "derived": ("half the times of CS-3: its clock is about doubled", "2026-11"),
}


SECTIONS = ("accelerators", "setups", "engine_versions")


@dataclass
class Fitted:
    """Coefficients by accelerator: name -> figure."""

    machines: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    setups: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    versions: dict[str, dict[str, Any]] = field(default_factory=dict)  # engines' versions, fitted as a whole

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Fitted:
        """What a `fitted.yaml` holds; a copy."""
        return cls(*(deepcopy(document.get(section) or {}) for section in SECTIONS))

    def add(self, machine: str, name: str, value: object, source: str, confidence: str, **more: object) -> None:
        """Note one coefficient; a kernel's value is a mapping."""
        self.machines.setdefault(machine, {})[name] = _figure(value, source, confidence, more)

    def setup(self, name: str, key: str, value: float, source: str, confidence: str, **more: object) -> None:
        """Note what was fitted about a setup (a test bench, a service) rather than a machine."""
        self.setups.setdefault(name, {})[key] = _figure(value, source, confidence, more)

    def version(self, name: str, when: Mapping[str, Sequence[str]]) -> None:
        """Begin anew what is known of an engine's version, and `when` it holds (`WholeEngine` of the catalog)."""
        self.versions[name] = {"when": {key: list(values) for key, values in when.items()}, "figures": {}}

    def of_version(self, name: str, key: str, value: float, source: str, confidence: str, **more: object) -> None:
        """Note a figure of that version."""
        self.versions[name]["figures"][key] = _figure(value, source, confidence, more)

    def values(self, machine: str) -> dict[str, Any]:
        """The bare coefficients of a machine."""
        return {name: figure["value"] for name, figure in self.machines.get(machine, {}).items()}

    def document(self) -> dict[str, Any]:
        """What `fitted.yaml` holds, for `meritorder.catalog.load.catalog`."""
        sources = {key: {"title": title, "date": date} for key, (title, date) in SOURCES.items()}
        return {"sources": sources, **dict(zip(SECTIONS, (self.machines, self.setups, self.versions), strict=True))}


def seconds(value: float) -> str:
    """Seconds as the catalog writes them."""
    return f"{float(value) * 1e6:.4g} us" if value > 1e-12 else "0 us"


def write(fitted: Fitted, path: Path) -> None:
    """Write the file whole."""
    sources = fitted.document()["sources"]
    text = HEAD + yaml.safe_dump({"sources": sources}, sort_keys=False, width=1000)
    for section, entries in (("accelerators", fitted.machines), ("setups", fitted.setups)):
        text += f"\n{section}:{'' if entries else ' {}'}\n"
        for entry, figures in entries.items():
            text += f"  {entry}:\n" + _lines(figures, 4)
    text += f"\nengine_versions:{'' if fitted.versions else ' {}'}\n"
    for entry, version in fitted.versions.items():
        text += f"  {entry}:\n" + _lines({"when": version["when"]}, 4) + "    figures:\n"
        text += _lines(version["figures"], 6)
    write_text(path, text)


def _lines(entries: Mapping[str, Any], indent: int) -> str:
    """A line for each entry."""
    flows = {
        name: yaml.safe_dump(entry, default_flow_style=True, sort_keys=False, width=1000).strip()
        for name, entry in entries.items()
    }
    return "".join(f"{' ' * indent}{name}: {flow}\n" for name, flow in flows.items())


def _figure(value: object, source: str, confidence: str, more: dict[str, object]) -> dict[str, Any]:
    rest = {key: _rounded(item) for key, item in more.items()}
    return {"value": _rounded(value), "source": source, "confidence": confidence, **rest}


def _rounded(value: object) -> object:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value
