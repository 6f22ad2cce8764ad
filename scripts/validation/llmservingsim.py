"""Requests of a vLLM run (LLMServingSim's example): predicted from kernel profiles, nothing fitted to the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scripts.machine_fit.committed import whole
from scripts.machine_fit.data import Data, Row
from scripts.machine_fit.vllm_requests import RUN, fit_vllm_requests
from scripts.machine_fit.write import Fitted
from scripts.validation.study import Fold, Metric, Study, by_value

from meritorder.predict.requests import REQUESTS

REMARK = (
    "One run of vLLM 0.19 on one RTX PRO 6000, the only one that the engine's additions can be fitted to. Here they "
    "are left at their starting values: gaps between kernels as on H100, no more. Fitted to the run, its means agree "
    "within 1 %. There is no second run to hold out: other models and another GPU are scored on sealed outcomes. Rows "
    "are requests of one run, so their interval says nothing about other runs."
)


def studies() -> list[Study]:
    """The study of single requests."""
    return [
        Study(
            "vLLM requests, unseen run",
            RUN,
            REQUESTS,
            folds,
            (
                Metric("TPOT", "tpot_ms", "mean", 0.04, 0.02),
                Metric("E2E", "e2e_ms", "mean", 0.04, 0.02),
                Metric("TTFT", "ttft_ms", "mean", 0.12, 0.06),
            ),
            frozenset(REQUESTS.adds),
            refit=refit,
            remark=REMARK,
        )
    ]


def folds(rows: Sequence[Row]) -> list[Fold]:
    """The run as a whole."""
    return by_value(rows, lambda row: row["run"])


def refit(data: Data) -> Mapping[str, Any]:
    """What is known of vLLM 0.19 without the run; everything else as committed."""
    fitted = whole(Fitted())
    fit_vllm_requests(data, fitted)
    return fitted.document()
