"""WaferLLM's tables: a research port on WSE-2 beside A100s under SGLang."""

from __future__ import annotations

import re
from collections.abc import Sequence

from meritorder.catalog.load import Catalog
from meritorder.catalog.model import ModelSpec
from meritorder.catalog.names import model_of
from meritorder.perf.wafer_array import (
    decode_layer,
    kv_tokens_on_mesh,
    layer_work,
    prefill_layer,
    product_seconds,
)
from meritorder.predict.form import Answer, Progress, Row

DECODE_SIDE, PREFILL_SIDE = 420, 720  # the fastest meshes of the paper's tables 3 and 4: its energies are of these
BASE_PRODUCT = 16384


class WaferPortForm:
    """One row, one measured `value` in the row's `unit`."""

    name = "WaferLLM"
    needs = frozenset({"phase", "system", "cores_side", "n_gpus", "metric"})
    adds = ("value",)

    def predict(self, rows: Sequence[Row], catalog: Catalog, progress: Progress) -> list[Answer]:
        """An answer for each row."""
        answers = []
        for row in rows:
            answers.append(_answer(row, catalog))
            progress(1)
        return answers


WAFER_PORT = WaferPortForm()


def _answer(row: Row, catalog: Catalog) -> Answer:
    system = row["system"]
    if "naive" in system or "concat" in system:
        return Answer({}, f"{system}: mappings that ignore the mesh are not modelled")
    if row["metric"] == "energy_ratio":
        return Answer({"value": _energy(row, catalog)}, "power taken as the paper states it")
    if row["phase"].startswith("gemv"):
        return Answer({"value": _product(row, catalog) * 1e3}, "scaled from one measured size")
    model = catalog.models[model_of(row["model"])]
    if row["phase"] == "kv_capacity":
        value = float(kv_tokens_on_mesh(catalog.accelerators["cs-2"].wafer, model, int(row["cores_side"])))
        return Answer({"value": value}, "a core's reserve is known from one model only")
    note = "" if row["device"] == "WSE-2" else "A100 under SGLang as two measured models show it"
    if not row["phase"].startswith("e2e"):
        return Answer({"value": 1 / _token(row, model, row["phase"], int(row["context"]), catalog)}, note)
    prompt, output = (int(part) for part in row["phase"].split()[1].split("/"))
    took = prompt * _token(row, model, "prefill", prompt, catalog)
    took += output * _token(row, model, "decode", prompt + output // 2, catalog)
    return Answer({"value": output / took}, note)


def _token(row: Row, model: ModelSpec, phase: str, context: int, catalog: Catalog) -> float:
    """Seconds per token of one phase on the row's device; of two meshes the first is the prompt's."""
    if row["device"] == "A100":
        return _rival(model, phase, row["n_gpus"], catalog)
    sides = [int(side) for side in row["cores_side"].split("/")]
    return _wafer(model, phase, context, sides[0] if phase == "prefill" else sides[-1], catalog)


def _wafer(model: ModelSpec, phase: str, context: int, side: int, catalog: Catalog) -> float:
    wafer = catalog.accelerators["cs-2"].wafer
    if phase == "prefill":
        return model.layers * prefill_layer(wafer, model, context, side) / context
    return model.layers * decode_layer(wafer, layer_work(model, context), side)


def _rival(model: ModelSpec, phase: str, gpus: str, catalog: Catalog) -> float:
    setup = catalog.setups[f"waferllm-a100-{gpus}"]
    return model.layers * setup[f"{phase}_layer"] + model.active_params * setup[f"{phase}_param"]


def _energy(row: Row, catalog: Catalog) -> float:
    """Joules of the GPUs over joules of the wafer, for the same work."""
    phase, gpus = row["phase"], row["n_gpus"]
    if phase.startswith("gemv"):
        theirs, ours = _product({**row, "device": "A100"}, catalog), _product({**row, "device": "WSE-2"}, catalog)
    else:
        model = catalog.models[model_of(row["model"])]
        side = PREFILL_SIDE if phase == "prefill" else DECODE_SIDE
        theirs = _rival(model, phase, gpus, catalog)
        ours = _wafer(model, phase, int(row["context"]), side, catalog)
    return int(gpus) * theirs / (catalog.setups["waferllm"]["power_ratio"] * ours)


def _product(row: Row, catalog: Catalog) -> float:
    """Seconds of a matrix-vector product; on GPUs the weights are read at the share that one GPU reaches."""
    found = re.search(r"\d+", row["phase"])
    width = int(found.group()) if found else BASE_PRODUCT
    if row["device"] == "WSE-2":
        setup = catalog.setups["waferllm"]
        return setup["product_scale"] * product_seconds(catalog.accelerators["cs-2"].wafer, width)
    one = catalog.setups["waferllm-a100-1"]["product"]
    gpus = int(row["n_gpus"])
    fixed = catalog.setups[f"waferllm-a100-{gpus}"]["product"] - one / gpus
    return fixed + one / gpus * (width / BASE_PRODUCT) ** 2
