"""Kernels by shape: a fifth of the shapes left out at a time, as the scoring sets do; and a whole GPU, to be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

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
REMARK = (
    "All GPUs but A100 and L40S were measured with one shape per number format. Where it is left out, nothing of that "
    "kernel is left: it is predicted at the shares of the peaks that a kernel of another machine or format reaches."
)
COLLECTIVE = ("all_", "alltoall", "reduce_")  # other links: nothing to borrow from
Machines: TypeAlias = dict[str, dict[str, dict[str, Any]]]


def studies() -> list[Study]:
    """One for each operator table."""
    return [_study(name) for name in TABLES]


def refit(table: str, data: Data) -> Mapping[str, Any]:
    """The kernels of one table fitted to what is left; everything else as committed."""
    fitted: Machines = fit_kernels(data, [table], judge=False)["machines"]
    machines: Machines = {}
    for machine, own in bundled()["machines"].items():
        found = fitted.get(machine, {})
        gone = [kernel for kernel in own if _table(kernel) == table and kernel not in found]
        borrowed = {kernel: entry for kernel in gone if (entry := stand_in(machine, kernel, fitted))}
        machines[machine] = {k: e for k, e in own.items() if _table(k) != table} | found | borrowed
    return {**laid_over(Fitted()), "operators": {"sources": bundled()["sources"], "machines": machines}}


def stand_in(machine: str, kernel: str, fitted: Machines) -> dict[str, Any] | None:
    """A fitted kernel in the place of one that has no rows left, at the same shares of the peaks.

    The same kernel of another machine, another format on the same one, or any of the table: the one with most rows.
    """
    own = [(machine, other) for other in fitted.get(machine, {})]
    same = [(other, kernel) for other in fitted if kernel in fitted[other]]
    every = [(other, name) for other in fitted for name in fitted[other]]
    for known in (same, own, every):
        measured = [(fitted[m][k]["rows"], m, k) for m, k in known if "borrowed" not in fitted[m][k]]
        if measured and not kernel.startswith(COLLECTIVE):
            _, other, name = max(measured)
            return {**fitted[other][name], "borrowed": f"{other} {name}"}
    return None


def _table(kernel: str) -> str:
    """The table that a kernel is fitted to."""
    name = kernel.split("_")[0]
    return name if name in TABLES else "collectives"


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
        remark=REMARK if name == "experts" else "",
    )
