"""Cross-validation on InferenceX rows, split as the scoring rows are: configurations, machines and models left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scripts.machine_fit.committed import laid_over
from scripts.machine_fit.data import Data, Row
from scripts.machine_fit.engines import FILE, fit_engines
from scripts.machine_fit.write import Fitted
from scripts.validation import bounds
from scripts.validation.study import Bounds, Fold, Metric, Study, by_hash, by_value

from meritorder.catalog.engine import SAME_SHAPE
from meritorder.catalog.load import catalog
from meritorder.predict.inferencex import point
from meritorder.predict.inferencex_form import INFERENCEX, TPOT, TTFT

SIZES = ("tp_size", "pp_size", "attention_dp_size", "moe_tp_size", "moe_ep_size")
GROUP = ("backend", "model_path", "system", "precision", "mode", *SIZES)
FEATURES = (
    *("backend", "backend_version", "model_path", "system", "precision", "isl", "osl", "gemm_quant_mode"),
    *("moe_quant_mode", "batch_size", "concurrency", "measured", "origin", *SIZES),
)
BARS = {"configurations": (0.18, 0.12), "machines": (0.15, 0.10), "models": (0.30, 0.20)}


def studies() -> list[Study]:
    """Unseen configurations, unseen machines, unseen models."""
    splits = {"configurations": _configurations, "machines": _machines, "models": _models}
    return [
        Study(
            name=f"InferenceX, unseen {what}",
            file=FILE,
            form=INFERENCEX,
            folds=folds,
            metrics=(
                Metric("TPOT", TPOT, "mean", *BARS[what], counts=_sound, bounds=_token_bounds),
                Metric("TTFT", TTFT, "mean", 0.35, 0.25, counts=_prompt, bounds=_prompt_bounds),
            ),
            outcomes=frozenset({TTFT, TPOT, "quality"}),
            refit=refit,
            rows=lambda row: row["mode"] == "agg",
            features=FEATURES,
            group=group,
            remark=f"{REMARKS[what]} {KNOWN}",
        )
        for what, folds in splits.items()
    ]


REMARKS = {
    "configurations": "Five folds over configurations (engine, model, machine, precision, sizes) by hash. Some runs "
    "stand in the table twice under two names of one model, so a twin may be known, as in the scoring set.",
    "machines": "All rows of a machine left out; of its generation only gb200 (30 rows) remains beside B200.",
    "models": "All rows of a model's shape left out, its engine factors with them.",
}

KNOWN = (
    "What all rows know in every fold: which runs speculate is read off their outcomes, as no column says so; what "
    "handing over between prefill and decode takes and how prompts clump together were set by eye from 22 rows of "
    "GB200 racks."
)


def refit(data: Data) -> Mapping[str, Any]:
    """The committed coefficients with engines fitted to the rows that are left."""
    return {**laid_over(Fitted()), "engines": fit_engines(data)}


def group(row: Row) -> str:
    """The configuration that a row belongs to."""
    return "|".join(row[name] for name in GROUP)


def _configurations(rows: Sequence[Row]) -> list[Fold]:
    return by_hash(rows, group)


def _machines(rows: Sequence[Row]) -> list[Fold]:
    return [
        fold for fold in by_value(rows, lambda row: row["system"]) if fold.name in ("h100_sxm", "h200_sxm", "b200_sxm")
    ]


def _models(rows: Sequence[Row]) -> list[Fold]:
    return by_value(rows, lambda row: SAME_SHAPE.get(point(row).model, point(row).model))


def _sound(row: Row) -> bool:
    return row["quality"] in ("ok", "ttft_dominated")


def _prompt(row: Row) -> bool:
    return row["quality"] == "ok"


def _token_bounds(row: Row) -> Bounds:
    run, known = point(row), catalog()
    chip, model = known.accelerators[run.machine], known.models[run.model]
    return bounds.iteration(
        chip, model, run.weights, run.split.chips, run.concurrency, run.prompt + run.output / 2, run.kv
    )


def _prompt_bounds(row: Row) -> Bounds:
    run, known = point(row), catalog()
    chip, model = known.accelerators[run.machine], known.models[run.model]
    return bounds.prompt(chip, model, run.weights, run.split.chips, run.prompt)
