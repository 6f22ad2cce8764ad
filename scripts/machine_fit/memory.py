"""What vLLM leaves of its share of the memory besides weights, KV cache and activations."""

from __future__ import annotations

import numpy as np
from scripts.machine_fit.data import Data
from scripts.machine_fit.write import Fitted

from meritorder.catalog.load import accelerators, models
from meritorder.catalog.names import model_of
from meritorder.units import show


def fit_memory(data: Data, fitted: Fitted) -> None:
    """The reserve of every GPU, from the KV blocks that vLLM reported on H100."""
    reserves = []
    for row in data.rows("e2e_vllm_blis_calib.csv"):
        if row["stage"] != "all":
            continue
        model, tensor = models()[model_of(row["model"])], int(row["tp"])
        if model.experts:
            continue  # the blocks reported for Mixtral are more than fit beside its weights
        cache = float(row["gpu_kv_blocks"]) * 16 * model.kv_bytes_per_token("fp16")
        held = (model.weight_bytes("bf16") + cache) / tensor
        activations = float(row["max_num_batched_tokens"]) * model.hidden * 4.0
        reserves.append(0.9 * accelerators()["h100"].memory - held - activations)
    low, middle, high = np.quantile(reserves, [0, 0.5, 1])
    note = f"{len(reserves)} runs, {show(float(low), 'B', 3)} to {show(float(high), 'B', 3)}"
    for machine in fitted.machines:
        if accelerators()[machine].kind != "gpu":
            continue
        source, confidence = ("kv-blocks", "high") if machine == "h100" else ("nearest", "medium")
        fitted.add(machine, "memory_reserve", f"{middle / 1e9:.3g} GB", source, confidence, note=note)
