"""Errors of the catalog as it is, on the calibration data: what docs/machines.md quotes."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from scripts.machine_fit.data import Data
from scripts.machine_fit.engine import trusted
from scripts.machine_fit.serving import predict, runs, table

from meritorder.catalog.load import accelerators, models
from meritorder.perf.placement import Placement
from meritorder.perf.wafer import pipeline_latency

SPEEDS = {
    "Llama 3.1 8B": ("llama-3.1-8b", 1),
    "Llama 3.1 70B": ("llama-3.1-70b", 4),
    "Llama 3.1/3.2 70B": ("llama-3.1-70b", 4),
    "Llama 3.3 70B": ("llama-3.1-70b", 4),
    "Llama 3.1 405B": ("llama-3.1-405b", 24),
    "Qwen3-32B": ("qwen3-32b", 3),
    "gpt-oss-120b": ("gpt-oss-120b", 3),
}


def report(data: Data) -> str:
    """Markdown tables: time per output token, wafer speeds."""
    return "\n\n".join([_tpot(data), _wafer(data)])


def _tpot(data: Data) -> str:
    errors: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for run in runs(data):
        if trusted(run):
            error = predict(run, table(run, accelerators()[run.machine])) / run.tpot - 1
            errors[run.data, run.engine, run.machine, f"{run.model} {run.weights}"].append(error)
            errors["all", run.engine, "", ""].append(error)
            errors["all", "", "", ""].append(error)
    lines = [
        "| data | engine | machine | model | rows | median abs. error | mean | median signed |",
        "|---|---|---|---|--:|--:|--:|--:|",
    ]
    for key, found in sorted(errors.items()):
        signed = np.array(found)
        size = np.abs(signed)
        figures = f"{len(found)} | {np.median(size):.1%} | {np.mean(size):.1%} | {np.median(signed):+.1%}"
        lines.append(f"| {' | '.join(key)} | {figures} |")
    return "Time per output token, predicted against measured:\n\n" + "\n".join(lines)


def _wafer(data: Data) -> str:
    chip = accelerators()["cs-3"]
    lines = ["| model | wafers | predicted tok/s | published | kind |", "|---|--:|--:|--:|---|"]
    for row in data.rows("wafer_vendor_speeds_calib.csv"):
        if row["provider"] == "Cerebras" and row["model"] in SPEEDS:
            name, wafers = SPEEDS[row["model"]]
            model = models()[name]
            place = Placement(chip, model, 1, wafers, model.weights, "fp16", 1, 1)
            speed = 1 / pipeline_latency(place)
            lines.append(f"| {row['model']} | {wafers} | {speed:.0f} | {row['tok_s_per_user']} | {row['kind']} |")
    return "Speed of one user on CS-3, without speculative decoding:\n\n" + "\n".join(lines)
