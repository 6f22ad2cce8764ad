"""vLLM servers under open load (BLIS's training runs): each model predicted from the runs of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scripts.machine_fit.committed import whole
from scripts.machine_fit.data import Data, Row
from scripts.machine_fit.memory import fit_memory
from scripts.machine_fit.vllm import RUNS, fit_vllm
from scripts.machine_fit.write import Fitted
from scripts.validation import bounds
from scripts.validation.study import Bounds, Fold, Metric, Study, by_value

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.load import catalog
from meritorder.catalog.model import ModelSpec
from meritorder.catalog.names import machine_of, model_of
from meritorder.predict.open_loop import OPEN_LOOP
from meritorder.predict.vllm import WEIGHTS

OUTCOMES = frozenset({*OPEN_LOOP.adds, "gpu_kv_blocks", "cpu_kv_blocks"})
REMARK = (
    "vLLM 0.15.1 on H100, five dense models and one of experts in FP8; a stage is a row, and so are both stages of a "
    "run together. Clients that tokenize an answer again count fewer tokens than were made, most of all with Llama-2 "
    "(195 of 247), so its inter-token latency is left out. Runs with long answers (`reasoning-lite`) are predicted but "
    "not used in any fit: which of their prompts were in the cache is not known."
)


def studies() -> list[Study]:
    """All studies of open load."""

    def counted(row: Row) -> bool:
        return "Llama-2-7b" not in row["model"]

    return [
        Study(
            "vLLM under open load, unseen model",
            RUNS,
            OPEN_LOOP,
            folds,
            (
                Metric("E2E mean", "e2e_mean_ms", "median", 0.08, 0.06, bounds=_answer),
                Metric("ITL mean", "itl_mean_ms", "median", 0.08, 0.06, counts=counted, bounds=_token),
                Metric("TTFT mean", "ttft_mean_ms", "median", 0.20, 0.15, bounds=_first),
                Metric("E2E p90", "e2e_p90_ms", "median"),
                Metric("E2E p99", "e2e_p99_ms", "median", 0.11, 0.09),
                Metric("TTFT p90", "ttft_p90_ms", "median"),
                Metric("TTFT p99", "ttft_p99_ms", "median", 0.30, 0.22),
            ),
            OUTCOMES,
            refit=refit,
            group=lambda row: row["exp"],
            remark=REMARK,
        )
    ]


def folds(rows: Sequence[Row]) -> list[Fold]:
    """A fold for each model."""
    return by_value(rows, lambda row: row["model"])


def refit(data: Data) -> Mapping[str, Any]:
    """The part `vllm` and the memory reserve fitted to the models that are left; everything else as committed."""
    fitted = whole(Fitted())
    fit_memory(data, fitted)
    fit_vllm(data, fitted)
    return fitted.document()


def _machine(row: Row) -> tuple[Accelerator, ModelSpec, str, int]:
    known = catalog()
    chip, model = known.accelerators[machine_of(row["gpu"])], known.models[model_of(row["model"])]
    return chip, model, WEIGHTS[row["precision"]], int(row["tp"])


def _tokens(row: Row) -> float:
    return float(row["system_prompt_len"]) + float(row["question_len"])


def _token(row: Row) -> Bounds:
    """Of one sequence alone: how many decode together follows from the load, which a roofline knows nothing of."""
    return bounds.iteration(*_machine(row), batch=1, context=_tokens(row))


def _first(row: Row) -> Bounds:
    return bounds.prompt(*_machine(row), tokens=_tokens(row))


def _answer(row: Row) -> Bounds:
    one, output = _token(row), float(row["output_len_nominal"])
    return Bounds(one.memory * output, one.compute * output, one.kind)
