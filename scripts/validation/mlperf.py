"""MLPerf: tokens per second of tuned systems, accelerators left out as in the scoring set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.machine_fit.committed import laid_over
from scripts.machine_fit.data import Data, Row
from scripts.machine_fit.mlperf import FILE, fit_mlperf
from scripts.machine_fit.write import Fitted
from scripts.validation.study import Metric, Study, by_value

from meritorder.predict.mlperf import MLPERF, machine
from meritorder.problems import InputError


def studies() -> list[Study]:
    """Every accelerator predicted by the others."""

    def metric(scenario: str) -> Metric:
        return Metric(f"tokens/s {scenario}", "tokens_per_s", "median", counts=lambda row: row["scenario"] == scenario)

    return [
        Study(
            name="MLPerf v5.1, unseen accelerators",
            file=FILE,
            form=MLPERF,
            folds=lambda rows: by_value(rows, _machine),
            metrics=tuple(metric(scenario) for scenario in ("Offline", "Server", "Interactive")),
            outcomes=frozenset({"tokens_per_s", "tokens_per_s_per_accel", "power_result"}),
            refit=refit,
            rows=lambda row: _machine(row) is not None,
            features=("accelerator", "accelerators_total", "model", "scenario", "weight_dtype", "engine"),
            group=lambda row: f"{_machine(row)} {row['model']}",
            remark="Wall power has no row here: boards from the power model, host, fans and supplies assumed.",
        )
    ]


def _machine(row: Row) -> str | None:
    try:
        return machine(row)
    except InputError:
        return None


def refit(data: Data) -> Mapping[str, Any]:
    """The factors of tuned engines fitted to what is left."""
    fitted = Fitted()
    fit_mlperf(data, fitted)
    return laid_over(fitted, without=["mlperf"])
