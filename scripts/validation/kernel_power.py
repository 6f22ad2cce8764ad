"""Power of a B200 board per kernel, weight shapes and head counts left out as in the scoring set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.machine_fit.committed import laid_over
from scripts.machine_fit.data import Data, Row
from scripts.machine_fit.kernel_power import FILE, fit_kernel_power
from scripts.machine_fit.write import Fitted
from scripts.validation.study import Metric, Study, by_hash

from meritorder.predict.kernel_power import KERNEL_POWER, SHAPES, dimensions

KEPT = {
    "gemm": ("n", "k"),
    "moe": ("h", "i", "k", "e"),
    "attention_prefill": ("h", "kv"),
    "attention_decode": ("h", "kv"),
}


def studies() -> list[Study]:
    """One study, a metric for each operator."""

    def metric(op: str) -> Metric:
        return Metric(op.replace("_", " "), "power_w", "median", counts=lambda row: row["op"] == op)

    return [
        Study(
            name="power per kernel, unseen shapes",
            file=FILE,
            form=KERNEL_POWER,
            folds=lambda rows: by_hash(rows, weight_shape),
            metrics=tuple(metric(op) for op in SHAPES),
            outcomes=frozenset({"power_w", "latency_ms"}),
            refit=refit,
            group=weight_shape,
            remark="Boards that loop one kernel, so its data stay in the cache: an upper bound of serving.",
        )
    ]


def weight_shape(row: Row) -> str:
    """What neighbours in the number of tokens have in common."""
    sizes = dimensions(row)
    return " ".join([row["op"], *(f"{name}{sizes[name]:.0f}" for name in KEPT[row["op"]])])


def refit(data: Data) -> Mapping[str, Any]:
    """All surfaces fitted to what is left."""
    fitted = Fitted()
    fit_kernel_power(data, fitted)
    return laid_over(fitted, without=["kernel-power"])
