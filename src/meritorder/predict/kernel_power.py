"""Power of a B200 board while it loops one kernel, by the kernel's shape: a surface over sizes and physical loads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.load import Catalog
from meritorder.predict.cells import number
from meritorder.predict.each import each
from meritorder.predict.form import Answer, Progress, Row
from meritorder.problems import InputError, Problem

Floats: TypeAlias = npt.NDArray[np.float64]

SETUP = "kernel-power"  # `kernel-power-gemm-fp8`: coefficients of one surface, by place
BITS = {"bfloat16": 16, "fp8": 8, "fp8_block": 8, "nvfp4": 4, "w4a16_mxfp4": 4, "w4a8_mxfp4_mxfp8": 4}
SIZE = {16: 2.0, 8: 1.0, 4: 0.5625}
SHAPES = {
    "gemm": ("m", "n", "k"),
    "moe": ("t", "h", "i", "k", "e", "tp", "ep"),
    "attention_prefill": ("b", "isl", "h", "kv"),
    "attention_decode": ("b", "ctx", "h", "kv"),
}
IDLE, SPAN = 180.0, 832.0  # watts: what no kernel falls below, and the range above it
HEAD = 128.0  # width of an attention head in these kernels
CACHE = 1.2e8  # bytes of the second-level cache: kernels that fit run without memory traffic
FIXED = 2e-6, 2e-5  # seconds next to which a kernel's work is short


class KernelPowerForm:
    """One row: an operator, a number format and a shape."""

    name = "power per kernel"
    needs = frozenset(("op", "dtype", "shape", "power_limit_w"))
    adds = ("power_w",)

    def predict(self, rows: Sequence[Row], catalog: Catalog, progress: Progress) -> list[Answer]:
        """An answer for each row, in order."""
        chip = catalog.accelerators["b200"]

        def answer(row: Row) -> Answer:
            number(row, "power_limit_w")
            return Answer({"power_w": watts(features(row, chip), catalog.setups[surface(row)])})

        return each(rows, progress, answer)


KERNEL_POWER = KernelPowerForm()


def surface(row: Row) -> str:
    """The setup that holds the row's surface; the two rare MXFP4 formats share one."""
    if row["op"] not in SHAPES or row["dtype"] not in BITS:
        what, fix = f"no data of {row['op']} in {row['dtype']}", f"known: {', '.join(SHAPES)} in {', '.join(BITS)}"
        raise InputError(Problem(what, key="op", fix=fix))
    return f"{SETUP}-{row['op']}-{'mxfp4' if 'mxfp4' in row['dtype'] else row['dtype']}"


def dimensions(row: Row) -> dict[str, float]:
    """The sizes in a shape such as `m256_n512_k64`."""
    found = {name: float(size) for name, size in re.findall(r"([a-z]+)(\d+)", row["shape"])}
    if set(found) != set(SHAPES[row["op"]]) or not all(found.values()):
        raise InputError(
            Problem(f"can't read {row['shape']!r}", key="shape", fix=f"give {'_'.join(SHAPES[row['op']])}")
        )
    return found


def features(row: Row, chip: Accelerator) -> Floats:
    """Logarithms of the sizes, shares of time that memory and arithmetic would need, and the squares of all."""
    surface(row)
    sizes, moved, flops = _work(row["op"], dimensions(row), SIZE[BITS[row["dtype"]]])
    memory, compute = moved / chip.bandwidth, flops / chip.flops(BITS[row["dtype"]])
    whole = memory + compute
    loads = [np.log2(whole + FIXED[0]), np.tanh(np.log2(moved / CACHE) / 2.0)]
    loads += [part / (whole + fixed) for fixed in FIXED for part in (memory, compute)]
    first = np.concatenate([np.log2(sizes), loads])
    return np.concatenate([[1.0], first, first**2])


def watts(found: Floats, coefficients: Mapping[str, float]) -> float:
    """Watts from features: a logistic curve between what an almost idle and a fully loaded board draw."""
    total = sum(coefficients[f"c{place}"] * value for place, value in enumerate(found))
    return float(IDLE + SPAN / (1.0 + np.exp(-np.clip(total, -8.0, 8.0))))


def _work(op: str, d: Mapping[str, float], size: float) -> tuple[list[float], float, float]:
    """Sizes that matter, bytes moved and FLOPs."""
    if op == "gemm":
        moved = (d["n"] + d["m"]) * d["k"] * size + 2 * d["m"] * d["n"]
        return [d["m"], d["n"], d["k"]], moved, 2 * d["m"] * d["n"] * d["k"]
    if op == "moe":
        inner, held, rows = d["i"] / d["tp"], d["e"] / d["ep"], d["t"] * d["k"] / d["ep"]
        touched = held * (1 - (1 - d["k"] / d["e"]) ** d["t"])
        moved = touched * 3 * d["h"] * inner * size + rows * d["h"] * 4
        return [d["t"], d["h"], inner, touched, d["k"], rows / touched], moved, 6 * rows * d["h"] * inner
    if op == "attention_prefill":
        moved = d["b"] * d["isl"] * HEAD * 4 * (d["h"] + d["kv"])
        return [d["b"], d["isl"], d["h"], d["kv"]], moved, 2 * d["b"] * d["h"] * HEAD * d["isl"] ** 2
    moved = d["b"] * d["ctx"] * d["kv"] * HEAD * 2 * size
    return [d["b"], d["ctx"], d["h"], d["kv"]], moved, 4 * d["b"] * d["ctx"] * d["h"] * HEAD
