"""Forms of operator tables: milliseconds of one kernel on one GPU by its shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.load import Catalog
from meritorder.catalog.names import machine_of
from meritorder.catalog.operators import Operator
from meritorder.perf.operators.attention import Heads, decode_seconds, prefill_seconds
from meritorder.perf.operators.collectives import collective_seconds
from meritorder.perf.operators.efficiency import outside
from meritorder.perf.operators.experts import ExpertLayer, expert_seconds, shape
from meritorder.perf.operators.gemm import gemm_seconds
from meritorder.predict.cells import choice, number, text, whole
from meritorder.predict.each import together
from meritorder.predict.form import Answer, Progress, Row
from meritorder.problems import InputError, Problem

Floats: TypeAlias = npt.NDArray[np.float64]
Times: TypeAlias = Callable[[Accelerator, Operator, Sequence[Row]], tuple[Floats, dict[str, Floats]]]

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
MESSAGES = {"int8": 1.0, "half": 2.0, "bfloat16": 2.0, "float16": 2.0}  # bytes of an element of a collective
LIBRARIES = {"nccl": "nccl", "vllm_graph": "graph", "vllm_eager": "eager"}


@dataclass(frozen=True)
class OperatorForm:
    """One kind of operator table; `kernel` names a row's kernel, `times` gives seconds and places on the map.

    `sizes`: the columns with numbers.
    """

    name: str
    needs: frozenset[str]
    kernel: Callable[[Row], str]
    times: Times
    sizes: tuple[str, ...]
    adds: tuple[str, ...] = ("latency_ms",)

    def predict(self, rows: Sequence[Row], catalog: Catalog, progress: Progress) -> list[Answer]:
        """All rows of one kernel on one machine together."""

        def key(row: Row) -> tuple[str, str]:
            for name in self.sizes:
                number(row, name)
            return machine_of(text(row, "system")), self.kernel(row)

        def answers(of: tuple[str, str], same: Sequence[Row]) -> list[Answer]:
            machine, kernel = of
            chip = catalog.accelerators[machine]
            fit = chip.operators.get(kernel)
            if fit is None:
                return [Answer({}, f"no measurements of {kernel} on {machine}")] * len(same)
            seconds, places = self.times(chip, fit, same)
            return [
                Answer({"latency_ms": float(took) * 1e3}, _note(fit, {key: at[i] for key, at in places.items()}))
                for i, took in enumerate(seconds)
            ]

        return together(rows, progress, key, answers)


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
    hidden, inner, top, count, tensor, spread = (number(row, name) for name in names)
    ungated = (hidden, inner) in UNGATED and row.get("engine") not in GATED_ALL
    return ExpertLayer(
        hidden, inner, top, count, tensor, spread, 2 if ungated else 3, skewed=text(row, "distribution") != "balanced"
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
    return np.asarray(columns(rows, "message_size")[0] * np.array([choice(row, "dtype", MESSAGES) for row in rows]))


def _collective(chip: Accelerator, fit: Operator, rows: Sequence[Row]) -> tuple[Floats, dict[str, Floats]]:
    message, chips = message_bytes(rows), columns(rows, "num_gpus")[0]
    seconds = collective_seconds(chip, fit, rows[0]["op_name"], message, chips)
    return seconds, {"message": message, "chips": chips}


def _expert_kernel(row: Row) -> str:
    layer = expert_layer(row)
    if layer.top > layer.count:
        raise InputError(Problem(f"is {row['topk']} of {row['num_experts']} experts", key="topk", fix="give fewer"))
    return f"experts_{choice(row, 'moe_dtype', FORMATS)[0]}"


def _collective_kernel(row: Row) -> str:
    whole(row, "num_gpus", least=2)
    choice(row, "dtype", MESSAGES)
    return f"{text(row, 'op_name')}_{choice(row, 'variant', LIBRARIES)}"


_HEAD_SIZES = ("batch_size", "num_heads", "num_key_value_heads", "head_dim")
_HEADS = {*_HEAD_SIZES, "kv_cache_dtype"}

GEMM = OperatorForm(
    "GEMM",
    frozenset({"system", "gemm_dtype", "m", "n", "k"}),
    lambda row: f"gemm_{choice(row, 'gemm_dtype', FORMATS)[0]}",
    _gemm,
    ("m", "n", "k"),
)
PREFILL_ATTENTION = OperatorForm(
    "prefill attention",
    frozenset({"system", "isl", *_HEADS}),
    lambda row: f"prefill_{choice(row, 'kv_cache_dtype', FORMATS)[0]}",
    _attention("prefill"),
    ("isl", *_HEAD_SIZES),
)
DECODE_ATTENTION = OperatorForm(
    "decode attention",
    frozenset({"system", "ctx", *_HEADS}),
    lambda row: f"decode_{choice(row, 'kv_cache_dtype', FORMATS)[0]}",
    _attention("decode"),
    ("ctx", *_HEAD_SIZES),
)
EXPERTS = OperatorForm(
    "expert layers",
    frozenset({"system", "moe_dtype", "num_tokens", "hidden_size", "inter_size", "topk", "num_experts"}),
    _expert_kernel,
    _experts,
    ("num_tokens", "hidden_size", "inter_size", "topk", "num_experts"),
)
COLLECTIVES = OperatorForm(
    "collectives",
    frozenset({"system", "variant", "op_name", "dtype", "num_gpus", "message_size"}),
    _collective_kernel,
    _collective,
    ("message_size",),
)
OPERATOR_FORMS = (GEMM, PREFILL_ATTENTION, DECODE_ATTENTION, EXPERTS, COLLECTIVES)
