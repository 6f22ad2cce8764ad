"""Splitwise: prompt phase, decode step and power of batches, configurations left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.machine_fit.committed import laid_over
from scripts.machine_fit.data import Data, Row
from scripts.machine_fit.splitwise import FILE, STRANGE, fit_splitwise
from scripts.machine_fit.write import Fitted
from scripts.validation import bounds
from scripts.validation.study import Bounds, Metric, Study, by_hash

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.load import catalog
from meritorder.catalog.model import ModelSpec
from meritorder.catalog.names import model_of
from meritorder.predict.splitwise import SPLITWISE, machine


def studies() -> list[Study]:
    """One study: five parts of the configurations, a batch at all tensor degrees and machines together."""
    return [
        Study(
            name="Splitwise, unseen configurations",
            file=FILE,
            form=SPLITWISE,
            folds=lambda rows: by_hash(
                rows, lambda row: f"{row['prompt_size']} {row['batch_size']} {row['token_size']}"
            ),
            metrics=(
                Metric("prompt", "prompt_ms", "median", bounds=_prompt),
                Metric("token", "token_ms", "median", bounds=_token),
                Metric("peak power", "peak_power_frac_tdp", "median"),
                Metric(
                    "mean power",
                    "avg_power_frac_tdp",
                    "median",
                    counts=lambda row: int(row["prompt_size"]) < STRANGE,
                ),
            ),
            outcomes=frozenset({"prompt_ms", "token_ms", "e2e_ms", "peak_power_frac_tdp", "avg_power_frac_tdp"}),
            refit=refit,
            remark="Capped rows are the others with prompts 1.30 times as long: one measurement, not many.",
        )
    ]


def refit(data: Data) -> Mapping[str, Any]:
    """The engine and the clock under a cap fitted to what is left."""
    fitted = Fitted()
    fit_splitwise(data, fitted)
    return laid_over(fitted, without=["splitwise"])


def _server(row: Row) -> tuple[Accelerator, ModelSpec, str, int]:
    known = catalog()
    chip = known.accelerators[machine(row["hardware"])]
    return chip, known.models[model_of(row["model"])], "fp16", int(row["tensor_parallel"])


def _prompt(row: Row) -> Bounds:
    return bounds.prompt(*_server(row), tokens=float(row["prompt_size"]) * float(row["batch_size"]))


def _token(row: Row) -> Bounds:
    context = float(row["prompt_size"]) + float(row["token_size"]) / 2
    return bounds.iteration(*_server(row), batch=float(row["batch_size"]), context=context)
