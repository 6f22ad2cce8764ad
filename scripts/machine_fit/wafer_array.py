"""The array of a WSE-2: WaferLLM's prefill and decode of two models on three meshes, and its KV capacity."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import nnls
from scripts.machine_fit.data import Data, Floats, Row
from scripts.machine_fit.write import Fitted

from meritorder.catalog.load import models
from meritorder.catalog.model import ModelSpec
from meritorder.catalog.wafer import WaferCoefficients
from meritorder.perf.wafer_array import decode_layer, kv_tokens_on_mesh, layer_work, prefill_layer

# Names of the paper -> the catalog.
PORTED = {
    "LLaMA3-8B": "llama-3-8b",
    "LLaMA2-13B": "llama-2-13b",
    "CodeLLaMA-34B": "codellama-34b",
    "QWen2-72B": "qwen2-72b",
}
# Device facts of the paper (section 7): cores, 1.1 GHz, 48 KB a core, two 16-bit multiply-adds a cycle.
WSE2 = WaferCoefficients(
    cores=850_000,
    cycle=1 / 1.1e9,
    core_memory=49152.0,
    mac_cycles=0.5,
    **dict.fromkeys(("hop_cycles", "message_cycles", "shift_cycles", "step_cycles", "core_reserve"), 0.0),
)


def fit_array(data: Data, fitted: Fitted) -> WaferCoefficients:
    """Fit hops and messages (decode), shifts and steps (prefill) and the reserve of a core; note them for cs-2."""
    rows = [row for row in data.rows("wafer_waferllm_calib.csv") if row["system"].startswith("WaferLLM")]
    decode = [row for row in rows if row["phase"] == "decode"]
    prefill = [row for row in rows if row["phase"] == "prefill"]
    hop, message, worst_decode = _two(decode, ("hop_cycles", "message_cycles"), _decode)
    shift, step, worst_prefill = _two(prefill, ("shift_cycles", "step_cycles"), _prefill)
    found = {"hop_cycles": hop, "message_cycles": message, "shift_cycles": shift, "step_cycles": step}
    array = WSE2.model_copy(update=found)
    reserve = _reserve(array, rows)
    figures = {"hop_cycles": hop, "message_cycles": message}
    for name, value in figures.items():
        fitted.add("cs-2", name, value, "wafer", "medium", note=f"{len(decode)} rows, within {worst_decode:.1%}")
    for name, value in (("shift_cycles", shift), ("step_cycles", step)):
        fitted.add("cs-2", name, value, "wafer", "medium", note=f"{len(prefill)} rows, within {worst_prefill:.1%}")
    facts = {"cores": WSE2.cores, "cycle": f"{WSE2.cycle * 1e9:.4g} ns", "core_memory": f"{WSE2.core_memory:.0f} B"}
    for name, given in {**facts, "mac_cycles": WSE2.mac_cycles}.items():
        fitted.add("cs-2", name, given, "wafer", "high")
    fitted.add("cs-2", "core_reserve", f"{reserve:.0f} B", "wafer", "low", note="one KV capacity, 8B at 360 cores")
    fitted.add("cs-2", "software", 1.0, "wafer", "medium", note="the research kernels themselves")
    fitted.add("cs-2", "pass_fixed", "0 us", "wafer", "medium", note="the paper's rates are of the layers alone")
    return array.model_copy(update={"core_reserve": reserve})


def _decode(array: WaferCoefficients, model: ModelSpec, row: Row) -> float:
    side = int(row["cores_side"])
    return model.layers * decode_layer(array, layer_work(model, float(row["context"])), side)


def _prefill(array: WaferCoefficients, model: ModelSpec, row: Row) -> float:
    return model.layers * prefill_layer(array, model, int(row["context"]), int(row["cores_side"]))


Seconds = Callable[[WaferCoefficients, ModelSpec, Row], float]


def _two(rows: list[Row], names: tuple[str, str], seconds: Seconds) -> tuple[float, float, float]:
    """Two coefficients in which the time is linear, by least squares on relative errors; and the largest error."""
    parts, rest, truth = [], [], []
    for row in rows:
        model = models()[PORTED[row["model"]]]
        tokens = 1 if row["phase"] == "decode" else int(row["context"])
        truth.append(tokens / float(row["value"]))
        rest.append(seconds(WSE2, model, row))
        parts.append([seconds(WSE2.model_copy(update={name: 1.0}), model, row) - rest[-1] for name in names])
    took, matrix, known = np.array(truth), np.array(parts), np.array(rest)
    found: Floats = nnls(matrix / took[:, None], 1 - known / took)[0]
    worst = float(np.abs((matrix @ found + known) / took - 1).max())
    return float(found[0]), float(found[1]), worst


def _reserve(array: WaferCoefficients, rows: list[Row]) -> float:
    """Bytes of a core that are neither weights nor KV cache, from the tokens that fitted."""
    found = []
    for row in rows:
        if row["phase"] == "kv_capacity":
            model, side = models()[PORTED[row["model"]]], int(row["cores_side"])
            regions = array.cores // side**2
            surplus = kv_tokens_on_mesh(array, model, side) - float(row["value"])
            found.append(surplus / side * model.layers / regions * model.kv_bytes_per_layer("fp16") / side)
    return float(np.mean(found)) if found else 8e3
