"""Power of a busy GPU as a share of its range from idle to max: being busy, moving bytes, computing."""

from __future__ import annotations

import numpy as np
from scipy.optimize import lsq_linear
from scripts.machine_fit.data import Data, Floats, Row, with_gpu
from scripts.machine_fit.engine import chip_as_fitted
from scripts.machine_fit.serving import prompt_seconds
from scripts.machine_fit.write import Fitted

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.load import models
from meritorder.perf.gpu import gpu_table
from meritorder.perf.placement import Placement
from meritorder.perf.table import IterationTable

MODELS = {
    "Qwen/Qwen3-8B": "qwen3-8b",
    "Qwen/Qwen3-14B": "qwen3-14b",
    "Qwen/Qwen3-30B-A3B-Instruct-2507": "qwen3-30b-a3b",
    "Qwen/Qwen3-30B-A3B-Thinking-2507": "qwen3-30b-a3b",
    "Qwen/Qwen3-235B-A22B-Instruct-2507": "qwen3-235b-a22b",
    "Qwen/Qwen3-235B-A22B-Thinking-2507": "qwen3-235b-a22b",
    "meta-llama/Llama-3.1-8B-Instruct": "llama-3.1-8b",
    "meta-llama/Llama-3.1-70B-Instruct": "llama-3.1-70b",
    "meta-llama/Llama-3.1-405B-Instruct": "llama-3.1-405b",
    "meta-llama/Llama-3.1-405B-Instruct-FP8": "llama-3.1-405b",
    "openai/gpt-oss-120b": "gpt-oss-120b",
}
WEIGHTS = {"bfloat16": "bf16", "fp8": "fp8", "mxfp4": "mxfp4"}

# Board power that the measurements are of, watts: idle (H100 and B200: guess) and limit.
BOARD = {"h100": (75.0, 700.0), "b200": (140.0, 1000.0)}
PROMPT = 500.0  # tokens; the source doesn't tell
PARTS = ("active_power", "bandwidth_power", "flops_power")
POWER_FROM = {"a100": "h100", "h200": "h100", "gb200": "b200", "b300": "b200", "gb300": "b200"}


def fit_power(data: Data, fitted: Fitted) -> None:
    """Fit the three shares for H100 and B200 (there with kernels too); the others take those of their neighbour."""
    serving = data.rows("mlenergy_v3_llm_calib.csv")
    for machine in ("h100", "b200"):
        use, share = serving_use(chip_as_fitted(machine, fitted), machine, serving)
        all_use, all_share = use, share
        if machine == "b200":
            # Kernels alone show what arithmetic draws; decoding hardly does.
            kernel_use, kernel_share = _kernels(chip_as_fitted(machine, fitted), data.rows("op_power_b200.csv"))
            # There are more of them: each side gets the same weight.
            weight = (len(share) / len(kernel_share)) ** 0.5
            all_use, all_share = np.vstack([use, kernel_use * weight]), np.concatenate([share, kernel_share * weight])
        shares = lsq_linear(all_use, all_share, (0, 1)).x
        idle, limit = BOARD[machine]
        predicted = idle + (limit - idle) * np.minimum(1, use @ shares)
        errors = np.abs(predicted / (idle + (limit - idle) * share) - 1)
        note = f"{len(share)} rows, board watts: median error {np.median(errors):.1%}, mean {np.mean(errors):.1%}"
        for name, value in zip(PARTS, shares, strict=True):
            fitted.add(machine, name, float(value), "mlenergy", "medium", note=note)
    for machine, other in POWER_FROM.items():
        for name in PARTS:
            fitted.add(machine, name, fitted.machines[other][name]["value"], "nearest", "low", note=f"of {other}")


def serving_use(chip: Accelerator, machine: str, table: list[Row]) -> tuple[Floats, Floats]:
    """Use of time, bandwidth and arithmetic (rows x 3) and the measured power as share of the board's range."""
    use, share = [], []
    idle, limit = BOARD[machine]
    for row in table:
        model = MODELS.get(row["model_id"])
        if model is None or row["gpu_model"].lower() != machine or row["quality"] != "ok":
            continue
        if row["expert_parallel"] not in ("", "1") or row["data_parallel"] not in ("", "1"):
            continue
        use.append(_use(chip, model, row))
        share.append((float(row["gpu_power_w_per_gpu"]) - idle) / (limit - idle))
    return np.array(use), np.array(share)


def _use(chip: Accelerator, model: str, row: Row) -> list[float]:
    batch, output = float(row["avg_batch_size"]), float(row["avg_output_len"])
    period = batch / float(row["output_tok_s"])
    whole = max(1, round(batch))
    tensor = int(row["num_gpus"])
    used = []
    for part in PARTS:
        alone = with_gpu(chip, **{name: float(name == part) for name in PARTS})
        place = Placement(
            alone, models()[model], tensor, 1, WEIGHTS[row["weight_precision"]], "fp16", whole, max(8192, whole)
        )
        times = gpu_table(place)
        seconds = times.seconds(whole, batch * (PROMPT + output / 2))
        joules = times.joules(whole, batch * (PROMPT + output / 2))
        prompt = _prompt_joules(times) * batch / output
        seconds += prompt_seconds(PROMPT, times, 0) * batch / output
        used.append((joules + prompt) / ((chip.max - chip.idle) * tensor * max(period, seconds)))
    return used


def _prompt_joules(times: IterationTable) -> float:
    pairs = PROMPT * (PROMPT + 1) / 2
    return times.joules(0, 0, round(PROMPT), pairs)


def _kernels(chip: Accelerator, table: list[Row]) -> tuple[Floats, Floats]:
    """Use of time, bandwidth and arithmetic, and share of the board's range, of B200's 16- and 8-bit GEMMs."""
    use, share = [], []
    idle, limit = BOARD["b200"]
    for row in table:
        bits = {"bfloat16": 16, "fp8": 8}.get(row["dtype"])
        if row["op"] != "gemm" or bits is None:
            continue
        m, n, k = (float(part[1:]) for part in row["shape"].split("_"))
        took = float(row["latency_ms"]) / 1e3
        moved = n * k * bits / 8 + m * k * bits / 8 + m * n * 2
        use.append([1.0, min(1.0, moved / chip.bandwidth / took), 2 * m * n * k / chip.flops(bits) / took])
        share.append((float(row["power_w"]) - idle) / (limit - idle))
    return np.array(use), np.array(share)
