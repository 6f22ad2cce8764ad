"""Forms of operator tables: milliseconds of one kernel on one GPU by its shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.load import Catalog
from meritorder.catalog.operators import Operator
from meritorder.perf.operators.attention import Heads, decode_seconds, prefill_seconds
from meritorder.perf.operators.collectives import collective_seconds
from meritorder.perf.operators.efficiency import outside
from meritorder.perf.operators.experts import ExpertLayer, expert_seconds, shape
from meritorder.perf.operators.gemm import gemm_seconds
from meritorder.predict.form import Answer, Progress, Row

Floats: TypeAlias = npt.NDArray[np.float64]
Times: TypeAlias = Callable[[Accelerator, Operator, Sequence[Row]], tuple[Floats, dict[str, Floats]]]

# System names of the tables -> accelerators of the catalog.
SYSTEMS = {
    "a100_sxm": "a100",
    "h100_sxm": "h100",
    "h200_sxm": "h200",
    "b200_sxm": "b200",
    "b300_sxm": "b300",
    "gb200": "gb200",
    "gb300": "gb300",
    "l40s": "l40s",
}

# Formats of the tables -> end of a kernel's name, bits of the arithmetic, bytes of a stored weight or cached element.
FORMATS = {
    "bfloat16": ("bf16", 16, 2.0),
    "fp8": ("fp8", 8, 1.0),
    "fp8_block": ("fp8_block", 8, 1.0),
    "nvfp4": ("nvfp4", 4, 0.5625),
    "int4_wo": ("int4", 16, 0.5625),
    "w4a16_mxfp4": ("mxfp4", 16, 0.53125),
}
# Nemotron 3 (squared ReLU instead of a gated unit): hidden and inner width of its experts; engines that gated them too.
UNGATED = {(2688.0, 1856.0), (2048.0, 5120.0)}
GATED_ALL = {"vllm 0.14.0"}
LIBRARIES = {"nccl": "nccl", "vllm_graph": "graph", "vllm_eager": "eager"}


@dataclass(frozen=True)
class OperatorForm:
    """One kind of operator table; `kernel` names a row's kernel, `times` gives seconds and places on the map."""

    name: str
    needs: frozenset[str]
    kernel: Callable[[Row], str]
    times: Times
    adds: tuple[str, ...] = ("latency_ms",)

    def predict(self, rows: Sequence[Row], catalog: Catalog, progress: Progress) -> list[Answer]:
        """All rows of one kernel on one machine together."""
        answers: list[Answer] = [Answer()] * len(rows)
        together: dict[tuple[str, str], list[int]] = {}
        for number, row in enumerate(rows):
            together.setdefault((row["system"], self.kernel(row)), []).append(number)
        for (system, kernel), members in together.items():
            chip = catalog.accelerators.get(SYSTEMS.get(system, system))
            fit = chip.operators.get(kernel) if chip else None
            if chip is None or fit is None:
                why = f"{system} is not in the catalog" if chip is None else f"no measurements of {kernel} on {system}"
                found = [Answer({}, why)] * len(members)
            else:
                seconds, places = self.times(chip, fit, [rows[number] for number in members])
                found = [
                    Answer({"latency_ms": float(took) * 1e3}, _note(fit, {key: at[i] for key, at in places.items()}))
                    for i, took in enumerate(seconds)
                ]
            for number, answer in zip(members, found, strict=True):
                answers[number] = answer
            progress(len(members))
        return answers


def _note(fit: Operator, place: Mapping[str, float]) -> str:
    notes = [*outside(fit, **place), *([f"measured on {fit.borrowed}"] if fit.borrowed else [])]
    return "; ".join(notes)


def columns(rows: Sequence[Row], *names: str) -> list[Floats]:
    """Columns of numbers."""
    return [np.array([float(row[name]) for row in rows]) for name in names]


def _gemm(chip: Accelerator, fit: Operator, rows: Sequence[Row]) -> tuple[Floats, dict[str, Floats]]:
    m, n, k = columns(rows, "m", "n", "k")
    _, bits, size = FORMATS[rows[0]["gemm_dtype"]]
    return gemm_seconds(chip, fit, m, n, k, size, bits, graph=False), {"m": m, "n": n, "k": k}


def _attention(phase: str) -> Times:
    length = "isl" if phase == "prefill" else "ctx"

    def times(chip: Accelerator, fit: Operator, rows: Sequence[Row]) -> tuple[Floats, dict[str, Floats]]:
        names = ("batch_size", length, "num_heads", "num_key_value_heads", "head_dim")
        batch, tokens, queries, kv, size = columns(rows, *names)
        heads = Heads(queries, kv, size, FORMATS[rows[0]["kv_cache_dtype"]][2])
        if phase == "prefill":
            places = {"queries": batch * queries, "length": tokens, "group": queries / kv}
            return prefill_seconds(chip, fit, batch, tokens, heads), places
        places = {"items": batch * kv, "context": tokens, "group": queries / kv}
        return decode_seconds(chip, fit, batch, tokens, heads), places

    return times


def expert_layer(row: Row) -> ExpertLayer:
    """The layer of a row of an expert table; newer engines know that Nemotron's experts have no gate."""
    names = ("hidden_size", "inter_size", "topk", "num_experts", "moe_tp_size", "moe_ep_size")
    hidden, inner, top, count, tensor, spread = (float(row[name]) for name in names)
    ungated = (hidden, inner) in UNGATED and row["engine"] not in GATED_ALL
    return ExpertLayer(
        hidden, inner, top, count, tensor, spread, 2 if ungated else 3, skewed=row["distribution"] != "balanced"
    )


def _experts(chip: Accelerator, fit: Operator, rows: Sequence[Row]) -> tuple[Floats, dict[str, Floats]]:
    _, bits, size = FORMATS[rows[0]["moe_dtype"]]
    tokens = columns(rows, "num_tokens")[0]
    layers = [expert_layer(row) for row in rows]
    seconds = np.empty(len(rows))
    for layer in dict.fromkeys(layers):
        members = [number for number, other in enumerate(layers) if other == layer]
        seconds[members] = expert_seconds(chip, fit, tokens[members], layer, size, bits)
    places = [shape(t, layer) for t, layer in zip(tokens, layers, strict=True)]
    return np.asarray(seconds), {
        name: np.array(at) for name, at in zip(fit.axes, zip(*places, strict=True), strict=True)
    }


def message_bytes(rows: Sequence[Row]) -> Floats:
    """Bytes of the messages of a collectives table, which counts elements of the row's type."""
    return np.asarray(
        columns(rows, "message_size")[0] * np.array([1.0 if row["dtype"] == "int8" else 2.0 for row in rows])
    )


def _collective(chip: Accelerator, fit: Operator, rows: Sequence[Row]) -> tuple[Floats, dict[str, Floats]]:
    message, chips = message_bytes(rows), columns(rows, "num_gpus")[0]
    seconds = collective_seconds(chip, fit, rows[0]["op_name"], message, chips)
    return seconds, {"message": message, "chips": chips}


_HEADS = {"batch_size", "num_heads", "num_key_value_heads", "head_dim", "kv_cache_dtype"}

GEMM = OperatorForm(
    "GEMM",
    frozenset({"system", "gemm_dtype", "m", "n", "k"}),
    lambda row: f"gemm_{FORMATS[row['gemm_dtype']][0]}",
    _gemm,
)
PREFILL_ATTENTION = OperatorForm(
    "prefill attention",
    frozenset({"system", "isl", *_HEADS}),
    lambda row: f"prefill_{FORMATS[row['kv_cache_dtype']][0]}",
    _attention("prefill"),
)
DECODE_ATTENTION = OperatorForm(
    "decode attention",
    frozenset({"system", "ctx", *_HEADS}),
    lambda row: f"decode_{FORMATS[row['kv_cache_dtype']][0]}",
    _attention("decode"),
)
EXPERTS = OperatorForm(
    "expert layers",
    frozenset({"system", "moe_dtype", "num_tokens", "hidden_size", "inter_size", "topk", "num_experts"}),
    lambda row: f"experts_{FORMATS[row['moe_dtype']][0]}",
    _experts,
)
COLLECTIVES = OperatorForm(
    "collectives",
    frozenset({"system", "variant", "op_name", "dtype", "num_gpus", "message_size"}),
    lambda row: f"{row['op_name']}_{LIBRARIES[row['variant']]}",
    _collective,
)
OPERATOR_FORMS = (GEMM, PREFILL_ATTENTION, DECODE_ATTENTION, EXPERTS, COLLECTIVES)
