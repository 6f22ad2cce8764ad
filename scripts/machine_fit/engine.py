"""What the engine adds to the kernels: host time per iteration and sequence, gaps per layer; memory it keeps."""

from __future__ import annotations

from collections import Counter

import numpy as np
from scripts.machine_fit.data import Data, Floats, fit, with_gpu
from scripts.machine_fit.serving import MODELS, Run, predict, runs, table
from scripts.machine_fit.write import Fitted, seconds

from meritorder.catalog.accelerator import Accelerator, GpuCoefficients
from meritorder.catalog.load import accelerators, models
from meritorder.units import FROM_FILE, show

# Machines whose hosts and engine are alike share the engine's times.
FAMILIES = (("h100", "h200"), ("b200",))

# vLLM's FP8 expert kernels of that time were slow at small batch: a property of the version, not of the machine.
SLOW_KERNELS = {"qwen3-235b-a22b"}

# Machines without usable serving runs: whose engine times stand in.
ENGINE_FROM = {"a100": "h100", "gb200": "b200", "b300": "b200", "gb300": "b200"}


def fit_engine(data: Data, fitted: Fitted) -> None:
    """Fit engine times per machine on vLLM's runs, kernels as fitted before; and vLLM's own memory reserve."""
    measured = [run for run in runs(data) if trusted(run) and run.engine == "vllm" and run.model not in SLOW_KERNELS]
    for family in FAMILIES:
        used = [run for run in measured if run.machine in family]
        chips = {machine: chip_as_fitted(machine, fitted) for machine in family}
        found = fit(
            lambda x, chips=chips, used=used: _tpots(x, chips, used),  # type: ignore[misc]
            [1e-3, 1e-5, 3e-6],
            [1e-5, 0.0, 0.0],
            [1e-2, 2e-4, 5e-5],
            np.array([run.tpot for run in used]),
            _weights(used),
        )
        note = f"vLLM TPOT on {', '.join(family)}: {found.note}"
        for machine in family:
            for name, value in zip(("host", "host_sequence", "layer"), found.x, strict=True):
                fitted.add(machine, name, seconds(value), "serving", "medium", note=note)
    for machine, other in ENGINE_FROM.items():
        for name in ("host", "host_sequence", "layer"):
            value = fitted.machines[other][name]["value"]
            fitted.add(machine, name, value, "nearest", "low", note=f"of {other}")
    _memory_reserve(data, fitted)


def chip_as_fitted(machine: str, fitted: Fitted) -> Accelerator:
    """The catalog's machine with the coefficients fitted so far."""
    chip = accelerators()[machine]
    return chip.model_copy(update={"gpu": GpuCoefficients.model_validate(fitted.values(machine), context=FROM_FILE)})


def trusted(run: Run) -> bool:
    """Runs in which decode shows: not those that mostly wait for prompts, nor those beyond saturation."""
    return run.output >= 500 or run.data == "BLIS"


def _tpots(x: Floats, chips: dict[str, Accelerator], used: list[Run]) -> Floats:
    changed = {name: with_gpu(chip, host=x[0], host_sequence=x[1], layer=x[2]) for name, chip in chips.items()}
    return np.array([predict(run, table(run, changed[run.machine])) for run in used])


def _weights(used: list[Run]) -> Floats:
    """Every model on every machine counts the same, however many rows it has."""
    groups = [(run.data, run.machine, run.model, run.weights) for run in used]
    sizes = Counter(groups)
    return np.array([1 / sizes[group] for group in groups])


def _memory_reserve(data: Data, fitted: Fitted) -> None:
    """What vLLM leaves between its memory fraction and weights plus KV cache, activations counted apart."""
    reserves = []
    for row in data.rows("e2e_vllm_blis_calib.csv"):
        if row["stage"] != "all" or row["model"] not in MODELS:
            continue
        model, tensor = models()[MODELS[row["model"]]], int(row["tp"])
        cache = float(row["gpu_kv_blocks"]) * 16 * model.kv_bytes_per_token("fp16")
        held = (model.weight_bytes("bf16") + cache) / tensor
        activations = float(row["max_num_batched_tokens"]) * model.hidden * 4.0
        reserves.append(0.9 * accelerators()["h100"].memory - held - activations)
    low, middle, high = np.quantile(reserves, [0, 0.5, 1])
    note = f"{len(reserves)} runs, {show(float(low), 'B', 3)} to {show(float(high), 'B', 3)}"
    for machine in fitted.machines:
        source, confidence = ("kv-blocks", "high") if machine == "h100" else ("nearest", "medium")
        fitted.add(machine, "memory_reserve", f"{middle / 1e9:.3g} GB", source, confidence, note=note)
