"""How near synthetic traffic comes to real traffic that it was not fitted to."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from meritorder.workload.statistics.describe import describe
from meritorder.workload.synthesis.spec import TrafficSpec
from meritorder.workload.trace import Trace

Row = dict[str, float]
CACHES = (1_024_000, 5_120_000, 10_240_000, 25_600_000)


def numbers(trace: Trace) -> Row:
    """What is compared, by name."""
    found: Any = describe(trace, CACHES)
    row: Row = {}
    if not trace.closed_loop:
        arrivals = found["arrivals"]
        row = {"requests/s": arrivals["mean_per_s"], "CV": arrivals["cv"]}
        row |= {f"IDC {w} s": arrivals["idc"][w] for w in ("1", "10", "60")}
    for short, name in (("in", "prompt_tokens"), ("out", "output_tokens")):
        row |= {f"{short} {q}": found[name][q] for q in ("p50", "p90", "p99")}
    row["Spearman"] = found["spearman"] or 0.0
    if found["prefix"]:
        row["hit, unlimited"] = found["prefix"]["hit_ratio"]
        for size in found["prefix"]["lru"]:
            row[f"hit, {size['cache_tokens'] / 1e6:.0f}M"] = size["hit_ratio"]
    return row


def median(rows: Iterable[Row]) -> Row:
    """Median of each number."""
    every = list(rows)
    return {name: float(np.median([row[name] for row in every])) for name in every[0]}


def spec(name: str, clients: dict[str, Any], **more: Any) -> TrafficSpec:
    """Fitted clients as a workload."""
    return TrafficSpec.model_validate({"name": name, "clients": clients, **more})


def table(title: str, fitted: Row, held_back: Row, synthetic: Row) -> str:
    """A Markdown table; the last column is the synthetic number against the held-back one."""
    lines = [
        f"### {title}",
        "",
        "| | real, fitted on | real, held back | synthetic | difference |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, real in held_back.items():
        off = f"{synthetic[name] / real - 1:+.0%}" if real and name != "Spearman" else "-"
        lines.append(f"| {name} | {_say(fitted[name])} | {_say(real)} | {_say(synthetic[name])} | {off} |")
    return "\n".join([*lines, ""])


def _say(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
