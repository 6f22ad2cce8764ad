"""Kernels by shape: a fifth of the shapes left out at a time, as the scoring sets do; and a whole GPU, to be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from scripts.machine_fit.committed import laid_over
from scripts.machine_fit.data import Data, Row
from scripts.machine_fit.kernels import TABLES, fit_kernels
from scripts.machine_fit.write import Fitted
from scripts.validation import bounds
from scripts.validation.study import Fold, Metric, Study, by_hash

from meritorder.catalog.operators import bundled

BARS = {"gemm": (0.09, 0.06), "prefill": (0.08, 0.06), "decode": (0.12, 0.08), "experts": (0.24, None)}
TITLES = {
    "gemm": "GEMM, unseen (n, k)",
    "prefill": "prefill attention, unseen heads",
    "decode": "decode attention, unseen heads",
    "experts": "expert layers, unseen shape",
    "collectives": "collectives, unseen message size",
}


def studies() -> list[Study]:
    """One for each operator table."""
    return [_study(name) for name in TABLES]


def refit(table: str, data: Data) -> Mapping[str, Any]:
    """The kernels of one table fitted to what is left; everything else as committed."""
    fitted = fit_kernels(data, [table], judge=False)["machines"]
    machines = {name: {**own, **fitted.get(name, {})} for name, own in bundled()["machines"].items()}
    return {**laid_over(Fitted()), "operators": {"sources": bundled()["sources"], "machines": machines}}


def _study(name: str) -> Study:
    table = TABLES[name]
    floor, aim = BARS.get(name, (0.23, None))

    def folds(rows: Sequence[Row]) -> list[Fold]:
        return by_hash(rows, table.group)

    return Study(
        TITLES[name],
        table.file,
        table.form,
        folds,
        (Metric("latency", "latency_ms", "median", floor, aim, bounds=getattr(bounds, name)),),
        frozenset({"latency_ms"}),
        partial(refit, name),
        group=table.group,
    )
