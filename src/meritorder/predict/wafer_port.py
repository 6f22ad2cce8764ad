"""WaferLLM's tables: a research port on WSE-2 beside A100s under SGLang."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

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
from meritorder.predict.cells import choice, text, whole
from meritorder.predict.each import each
from meritorder.predict.form import Answer, Progress, Row
from meritorder.problems import InputError, Problem

DECODE_SIDE, PREFILL_SIDE = 420, 720  # the fastest meshes of the paper's tables 3 and 4: its energies are of these
BASE_PRODUCT = 16384
METRICS = ("tpr", "latency", "energy_ratio", "max_decode_tokens")


class WaferPortForm:
    """One row, one measured `value` in the row's `unit`."""

    name = "WaferLLM"
    needs = frozenset({"phase", "system", "cores_side", "n_gpus", "metric"})
    adds = ("value",)

    def predict(self, rows: Sequence[Row], catalog: Catalog, progress: Progress) -> list[Answer]:
        """An answer for each row."""
        return each(rows, progress, lambda row: _answer(row, catalog))


WAFER_PORT = WaferPortForm()


def _answer(row: Row, catalog: Catalog) -> Answer:
    system, phase = text(row, "system"), _phase(row)
    metric = choice(row, "metric", {name: name for name in METRICS})
    if "naive" in system or "concat" in system:
        return Answer({}, f"{system}: mappings that ignore the mesh are not modelled")
    if metric == "energy_ratio":
        return Answer({"value": _energy(row, catalog)}, "power taken as the paper states it")
    if phase.startswith("gemv"):
        return Answer({"value": _product(row, catalog) * 1e3}, "scaled from one measured size")
    model = catalog.models[model_of(text(row, "model"))]
    if phase == "kv_capacity":
        value = float(kv_tokens_on_mesh(catalog.accelerators["cs-2"].wafer, model, whole(row, "cores_side")))
        return Answer({"value": value}, "a core's reserve is known from one model only")
    note = "" if _device(row) == "WSE-2" else "A100 under SGLang as two measured models show it"
    if not phase.startswith("e2e"):
        return Answer({"value": 1 / _token(row, model, phase, whole(row, "context"), catalog)}, note)
    prompt, output = (int(part) for part in phase.split()[1].split("/"))
    took = prompt * _token(row, model, "prefill", prompt, catalog)
    took += output * _token(row, model, "decode", prompt + output // 2, catalog)
    return Answer({"value": output / took}, note)


def _token(row: Row, model: ModelSpec, phase: str, context: int, catalog: Catalog) -> float:
    """Seconds per token of one phase on the row's device; of two meshes the first is the prompt's."""
    if _device(row) == "A100":
        return _rival(model, phase, whole(row, "n_gpus"), catalog)
    cells = text(row, "cores_side").split("/")
    sides = [whole({"cores_side": side}, "cores_side") for side in cells]
    return _wafer(model, phase, context, sides[0] if phase == "prefill" else sides[-1], catalog)


def _wafer(model: ModelSpec, phase: str, context: int, side: int, catalog: Catalog) -> float:
    wafer = catalog.accelerators["cs-2"].wafer
    if phase == "prefill":
        return model.layers * prefill_layer(wafer, model, context, side) / context
    return model.layers * decode_layer(wafer, layer_work(model, context), side)


def _rival(model: ModelSpec, phase: str, gpus: int, catalog: Catalog) -> float:
    setup = _gpus(catalog, gpus)
    return model.layers * setup[f"{phase}_layer"] + model.active_params * setup[f"{phase}_param"]


def _energy(row: Row, catalog: Catalog) -> float:
    """Joules of the GPUs over joules of the wafer, for the same work."""
    phase, gpus = row["phase"], whole(row, "n_gpus")
    if phase.startswith("gemv"):
        theirs, ours = _product({**row, "device": "A100"}, catalog), _product({**row, "device": "WSE-2"}, catalog)
    else:
        model = catalog.models[model_of(text(row, "model"))]
        side = PREFILL_SIDE if phase == "prefill" else DECODE_SIDE
        theirs = _rival(model, phase, gpus, catalog)
        ours = _wafer(model, phase, whole(row, "context"), side, catalog)
    return gpus * theirs / (catalog.setups["waferllm"]["power_ratio"] * ours)


def _product(row: Row, catalog: Catalog) -> float:
    """Seconds of a matrix-vector product; on GPUs the weights are read at the share that one GPU reaches."""
    found = re.search(r"\d+", row["phase"])
    width = int(found.group()) if found else BASE_PRODUCT
    if _device(row) == "WSE-2":
        setup = catalog.setups["waferllm"]
        return setup["product_scale"] * product_seconds(catalog.accelerators["cs-2"].wafer, width)
    one = _gpus(catalog, 1)["product"]
    gpus = whole(row, "n_gpus")
    fixed = _gpus(catalog, gpus)["product"] - one / gpus
    return fixed + one / gpus * (width / BASE_PRODUCT) ** 2


def _device(row: Row) -> str:
    return choice(row, "device", {"WSE-2": "WSE-2", "A100": "A100"})


def _phase(row: Row) -> str:
    """What was timed: one of the words, a product by its width, or a prompt and an answer in tokens."""
    phase = text(row, "phase")
    if not re.fullmatch(r"prefill|decode|kv_capacity|gemv.*|e2e [1-9]\d*/[1-9]\d*", phase):
        fix = "known: prefill, decode, kv_capacity, gemv 16384, e2e 2048/128"
        raise InputError(Problem(f"is {phase!r}", key="phase", fix=fix))
    return phase


def _gpus(catalog: Catalog, count: int) -> Mapping[str, float]:
    """What was measured on so many A100s."""
    start = "waferllm-a100-"
    known = {name.removeprefix(start): setup for name, setup in catalog.setups.items() if name.startswith(start)}
    return choice({"n_gpus": str(count)}, "n_gpus", known)
