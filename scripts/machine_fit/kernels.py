"""All kernels of all measured machines: which rows make one, how they are left out, and `operators.json`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from scripts.machine_fit import problems
from scripts.machine_fit.data import Data, Floats, Row
from scripts.machine_fit.surface import Problem

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.load import accelerators
from meritorder.catalog.names import SYSTEMS
from meritorder.catalog.operators import Operator
from meritorder.files import write_text
from meritorder.perf.operators.efficiency import factor
from meritorder.predict.operators import (
    COLLECTIVES,
    DECODE_ATTENTION,
    EXPERTS,
    FORMATS,
    GEMM,
    PREFILL_ATTENTION,
    OperatorForm,
)

SOURCE = {
    "title": "NVIDIA AISimulate 0.13.0 operator tables, newest vLLM lane (Apache-2.0)",
    "date": "2026-10",
}


@dataclass(frozen=True)
class Table:
    """One operator table: its kernels by name, how a kernel's problem is set up, what is left out together."""

    file: str
    form: OperatorForm
    problem: Callable[[str, Accelerator, Sequence[Row]], Problem]
    group: Callable[[Row], str]


def attention_shape(row: Row) -> str:
    """Head combinations are left out together."""
    return f"{row['num_heads']},{row['num_key_value_heads']}"


def expert_shape(row: Row) -> str:
    """All splits of a model's layer are left out together."""
    return ",".join(row[name] for name in ("hidden_size", "inter_size", "topk", "num_experts"))


def _phase(phase: str) -> Callable[[str, Accelerator, Sequence[Row]], Problem]:
    return lambda name, chip, rows: problems.attention(name, chip, phase, rows[0]["kv_cache_dtype"], rows)


TABLES = {
    "gemm": Table(
        "op_gemm.csv",
        GEMM,
        lambda name, chip, rows: problems.gemm(name, chip, rows[0]["gemm_dtype"], rows),
        lambda row: f"{row['n']},{row['k']}",
    ),
    "prefill": Table(
        "op_attention_prefill.csv",
        PREFILL_ATTENTION,
        _phase("prefill"),
        attention_shape,
    ),
    "decode": Table(
        "op_attention_decode.csv",
        DECODE_ATTENTION,
        _phase("decode"),
        attention_shape,
    ),
    "experts": Table(
        "op_moe.csv",
        EXPERTS,
        lambda name, chip, rows: problems.experts(name, chip, rows[0]["moe_dtype"], rows),
        expert_shape,
    ),
    "collectives": Table(
        "op_collectives.csv",
        COLLECTIVES,
        lambda name, chip, rows: problems.collective(name, chip, rows[0]["op_name"], rows),
        lambda row: row["message_size"],
    ),
}

# Kernels without a table on a machine: (machine, kernel) -> whose stands in, at the same absolute speed.
BORROWED = {
    ("h100", "experts_bf16"): ("h100", "experts_fp8_block"),
    ("h200", "experts_bf16"): ("h200", "experts_fp8_block"),
    ("b300", "experts_bf16"): ("b200", "experts_bf16"),
    ("gb200", "experts_bf16"): ("b200", "experts_bf16"),
    ("b200", "experts_nvfp4"): ("gb200", "experts_nvfp4"),
    ("h100", "experts_mxfp4"): ("h100", "experts_fp8_block"),
    ("h200", "experts_mxfp4"): ("h200", "experts_fp8_block"),
}


def fit_kernels(data: Data, tables: Sequence[str] = tuple(TABLES), judge: bool = True) -> dict[str, Any]:
    """A document like `operators.json`, of some of the tables; `judge`: with errors on shapes left out."""
    machines: dict[str, dict[str, Operator]] = {name: {} for name in SYSTEMS.values()}
    for table in tables:
        for machine, kernel, problem, rows in kernels(data, TABLES[table]):
            found = problem.fit()
            if judge:
                errors = left_out(problem, [TABLES[table].group(row) for row in rows], found)
                found = replace(found, median=float(np.median(errors)), mean=float(np.mean(errors)))
            machines[machine][kernel] = found
    for (machine, kernel), (other, stand_in) in BORROWED.items():
        if stand_in in machines[other]:
            machines[machine][kernel] = _borrow(machine, kernel, other, stand_in, machines[other][stand_in])
    for kernel, found in machines["b300"].items():
        if kernel not in machines["gb300"]:
            machines["gb300"][kernel] = _borrow("gb300", kernel, "b300", kernel, found)
    entries = {name: {kernel: _entry(found) for kernel, found in own.items()} for name, own in machines.items() if own}
    return {"sources": {"operators": SOURCE}, "machines": entries}


def kernels(data: Data, table: Table) -> Iterator[tuple[str, str, Problem, list[Row]]]:
    """Machine, kernel, problem and rows of every kernel of a table."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in data.rows(table.file):
        groups.setdefault((SYSTEMS[row["system"]], table.form.kernel(row)), []).append(row)
    for (machine, kernel), rows in groups.items():
        yield machine, kernel, table.problem(machine, accelerators()[machine], rows), rows


def left_out(problem: Problem, groups: Sequence[str], near: Operator | None = None, parts: int = 5) -> Floats:
    """Relative errors on the first of `parts` of the groups, fitted without it (where there is one group: with it).

    `near`: the operator as all rows have it, near which the fit starts.
    """
    part = np.array([crc32(group.encode()) % parts for group in groups])
    judged = np.flatnonzero(part == part.min())
    rest = np.flatnonzero(part != part.min())
    found = problem.fit(rest if len(rest) else judged, near.coefficients if near else None)
    predicted = problem.seconds(found.coefficients, judged) * factor(found, *(v[judged] for v in problem.shape))
    return np.asarray(np.abs(predicted / problem.truth[judged] - 1))


def write_kernels(document: dict[str, Any], path: Path) -> None:
    """Write `operators.json`, a kernel a line."""
    lines = []
    for machine, own in document["machines"].items():
        body = ",\n".join(f"   {json.dumps(kernel)}: {json.dumps(entry)}" for kernel, entry in own.items())
        lines.append(f"  {json.dumps(machine)}: {{\n{body}\n  }}")
    sources = json.dumps(document["sources"])
    write_text(path, f'{{\n "sources": {sources},\n "machines": {{\n' + ",\n".join(lines) + "\n }\n}\n")


def _borrow(machine: str, kernel: str, other: str, stand_in: str, found: Operator) -> Operator:
    """The same kernel on another machine or in another format: shares of the peak change so that the speed doesn't."""
    coefficients = dict(found.coefficients)
    if "flops" in coefficients:
        coefficients["flops"] *= _peak(other, stand_in) / _peak(machine, kernel)
    return replace(found, coefficients=coefficients, borrowed=other if other != machine else f"{other} {stand_in}")


def _peak(machine: str, kernel: str) -> float:
    bits = {name: bits for name, bits, _ in FORMATS.values()}[kernel.split("_", 1)[1]]
    chip = accelerators()[machine]
    return chip.flops_16 if kernel.startswith(("prefill", "decode")) else chip.flops(bits)


def _entry(found: Operator) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "coefficients": {name: float(f"{value:.4g}") for name, value in found.coefficients.items()},
        "axes": {name: list(knots) for name, knots in found.axes.items()},
        "values": " ".join(map(str, found.values)),
        "source": found.source,
        "rows": found.rows,
        "median": round(found.median, 4),
        "mean": round(found.mean, 4),
    }
    return {**entry, "borrowed": found.borrowed} if found.borrowed else entry
