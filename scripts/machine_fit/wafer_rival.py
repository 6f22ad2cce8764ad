"""The GPUs that WaferLLM compares with (A100 under SGLang): time per layer and per byte, for 1, 8 and 16 of them."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from scipy.optimize import nnls
from scripts.machine_fit.data import Data, Row
from scripts.machine_fit.wafer_array import PORTED
from scripts.machine_fit.write import Fitted

from meritorder.catalog.load import models
from meritorder.catalog.wafer import WaferCoefficients
from meritorder.perf.wafer_array import product_seconds

PRODUCT = 16384  # side of the matrix-vector product of the paper's table 6
POWER_RATIO = 37.0  # a WSE-2 over an A100 (section 7.5)


def fit_rival(data: Data, fitted: Fitted, array: WaferCoefficients) -> None:
    """Note setups `waferllm-a100-N` (decode, prefill and a matrix-vector product on N GPUs) and `waferllm`."""
    rows = data.rows("wafer_waferllm_calib.csv")
    fitted.setup("waferllm", "power_ratio", POWER_RATIO, "wafer", "high", note="WSE-2 over one A100, by the paper")
    for row in rows:
        if row["system"] == "MeshGEMV":
            scale = float(row["value"]) / 1e3 / product_seconds(array, PRODUCT)
            fitted.setup("waferllm", "product_scale", scale, "wafer", "low", note="one size of product")
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        if row["device"] == "A100":
            groups[row["n_gpus"], row["phase"]].append(row)
    for (gpus, phase), found in groups.items():
        name = f"waferllm-a100-{gpus}"
        if phase in ("decode", "prefill"):
            per_layer, per_param = _line(found)
            fitted.setup(name, f"{phase}_layer", per_layer, "wafer", "low", note=f"{len(found)} models")
            fitted.setup(name, f"{phase}_param", per_param, "wafer", "low", note=f"{len(found)} models")
        else:
            fitted.setup(name, "product", float(found[0]["value"]) / 1e3, "wafer", "low", note="16384 x 16384")


def _line(rows: list[Row]) -> tuple[float, float]:
    """Seconds per token, `a layers + b parameters`, of the models in `rows`."""
    shapes = [models()[PORTED[row["model"]]] for row in rows]
    matrix = np.array([[shape.layers, shape.active_params] for shape in shapes], dtype=np.float64)
    took = np.array([1 / float(row["value"]) for row in rows])
    scale = matrix.max(axis=0)
    found = nnls(matrix / scale / took[:, None], np.ones(len(took)))[0] / scale
    return float(found[0]), float(found[1])
