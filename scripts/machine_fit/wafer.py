"""Wafers: latency per layer and time per token, from a research port on WSE-2 and from a CS-3 service."""

from __future__ import annotations

import numpy as np
from scripts.machine_fit.data import Data, columns
from scripts.machine_fit.write import Fitted, seconds

from meritorder.catalog.load import accelerators, models

PORTED = {"LLaMA3-8B": "llama-3.1-8b", "CodeLLaMA-34B": "codellama-34b"}
SERVED = {"qwen-3-32b": "qwen3-32b", "gpt-oss-120b": "gpt-oss-120b"}
WAFERS_70B = 4  # The Register, August 2024 (Hot Chips): four CS-3 for Llama 70B in FP16


def fit_wafer(data: Data, fitted: Fitted) -> None:
    """Fit CS-3; CS-4 is derived from it by its clock."""
    latency, per_hidden, spread = _layers(data)
    intercept, slope = _prompt_line(data)
    floor = _floor(data, latency, per_hidden)
    chip, model = accelerators()["cs-3"], models()["llama-3.1-70b"]
    compute = model.flops_per_token / WAFERS_70B / (chip.flops_16 * slope)
    one = models()["llama-3.1-70b"].layers * (latency + per_hidden * 8192)
    line = f"CS-3 service, Llama 3.3 70B: {intercept * 1e3:.2f} ms + {slope * 1e6:.1f} us per prompt token"
    _add(
        fitted,
        "cs-3",
        {
            "layer_latency": (
                latency,
                "medium",
                "wafer",
                f"WSE-2 at 3 mesh sizes and {line}; layers spread {spread:.0%}",
            ),
            "layer_latency_per_hidden": (per_hidden, "medium", "wafer", f"predicts {one * 1e3:.2f} ms for that model"),
            "token_floor": (floor, "low", "wafer", "prompt tokens of Qwen3-32B and gpt-oss-120b, one call each"),
        },
    )
    fitted.add(
        "cs-3", "compute", float(compute), "wafer", "low", low=0.03, high=0.12, note=f"{line}, {WAFERS_70B} wafers"
    )
    _add(
        fitted,
        "cs-4",
        {
            "layer_latency": (latency / 2, "low", "derived", ""),
            "layer_latency_per_hidden": (per_hidden / 2, "low", "derived", ""),
            "token_floor": (floor / 2, "low", "derived", ""),
        },
    )
    fitted.add("cs-4", "compute", float(compute), "derived", "low", low=0.03, high=0.12, note="share of CS-3")
    for machine in ("cs-3", "cs-4"):
        note = "nobody publishes throughput under concurrency"
        fitted.add(machine, "decode_slot", 1.0, "guess", "guess", low=0.2, high=5.0, note=note)
        note = "a layer reads its KV cache with its own part of the wafer"
        fitted.add(machine, "kv_bandwidth", 0.05, "guess", "guess", low=0.01, high=0.3, note=note)
        note = (
            "four CS-3 held Llama 70B in FP16, 80 % of their SRAM, and its KV cache; 40 of 44 GB is the most reported"
        )
        fitted.add(machine, "sram", 0.85, "guess", "guess", low=0.81, high=0.91, note=note)


def _add(fitted: Fitted, machine: str, figures: dict[str, tuple[float, str, str, str]]) -> None:
    for name, (value, confidence, source, note) in figures.items():
        text = f"{value * 1e9:.4g} ns" if value < 1e-8 else seconds(value)
        fitted.add(machine, name, text, source, confidence, **({"note": note} if note else {}))


def _layers(data: Data) -> tuple[float, float, float]:
    """Seconds per layer, `a + b hidden`, of two ported models and of the service's intercept; and the largest error."""
    widths, times = [], []
    for row in data.rows("wafer_waferllm_calib.csv"):
        if row["phase"] == "decode" and row["system"] == "WaferLLM":
            model = models()[PORTED[row["model"]]]
            widths.append(model.hidden)
            times.append(1 / float(row["value"]) / model.layers)
    model = models()["llama-3.1-70b"]
    intercept, _ = _prompt_line(data)
    # As many votes as a mesh size each: the service is the machine itself.
    widths += [model.hidden] * 3
    times += [intercept / model.layers] * 3
    slope, base = np.polyfit(widths, times, 1)
    errors = np.abs((base + slope * np.array(widths)) / np.array(times) - 1)
    return float(base), float(slope), float(errors.max())


def _prompt_line(data: Data) -> tuple[float, float]:
    """Seconds of a prompt on the CS-3 service, `a + b tokens`, weighted for relative errors."""
    tokens, took = columns(data.rows("wafer_cerebras_llama33_70b_api_calib.csv"), "prompt_tokens", "server_prompt_ms")
    slope, base = np.polyfit(tokens, took / 1e3, 1, w=1 / took)
    return float(base), float(slope)


def _floor(data: Data, latency: float, per_hidden: float) -> float:
    """Seconds per prompt token of the models that are lighter than 70B, pipeline latency taken off."""
    times = []
    for row in data.rows("wafer_api_timings_calib.csv"):
        if row["provider"] == "Cerebras" and row["model"] in SERVED:
            model = models()[SERVED[row["model"]]]
            through = model.layers * (latency + per_hidden * model.hidden)
            times.append((float(row["prompt_s"]) - through) / float(row["prompt_tokens"]))
    return float(np.median(times))
