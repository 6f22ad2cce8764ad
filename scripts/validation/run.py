"""Running a study: every fold predicted by what was fitted without it, and its errors beside the baselines'."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scripts.machine_fit.data import Data, Row
from scripts.validation import baselines
from scripts.validation.study import Fold, Metric, Study

from meritorder.catalog.load import catalog
from meritorder.predict.answer import answered
from meritorder.predict.form import Answer

Floats = npt.NDArray[np.float64]
_DRAWS = 2000


@dataclass(frozen=True)
class Errors:
    """Relative errors (predicted / measured - 1) of the rows that have both, and how many had no answer.

    Statistics of no rows are NaN.
    """

    signed: Floats
    unanswered: int
    groups: tuple[str, ...]

    @property
    def median(self) -> float:
        """Median of the absolute errors."""
        return float(np.median(np.abs(self.signed))) if len(self.signed) else float("nan")

    @property
    def mean(self) -> float:
        """Mean of the absolute errors."""
        return float(np.mean(np.abs(self.signed))) if len(self.signed) else float("nan")

    @property
    def bias(self) -> float:
        """Median of the signed errors."""
        return float(np.median(self.signed)) if len(self.signed) else float("nan")

    def interval(self, statistic: str) -> tuple[float, float]:
        """95 % bootstrap interval of the statistic; whole groups are drawn."""
        if not len(self.signed):
            return float("nan"), float("nan")
        of = np.mean if statistic == "mean" else np.median
        members: dict[str, list[int]] = defaultdict(list)
        for number, group in enumerate(self.groups):
            members[group].append(number)
        parts = [np.abs(self.signed[numbers]) for numbers in members.values()]
        draw = np.random.default_rng(0)
        found = [
            of(np.concatenate([parts[i] for i in draw.integers(0, len(parts), len(parts))])) for _ in range(_DRAWS)
        ]
        low, high = np.quantile(found, [0.025, 0.975])
        return float(low), float(high)


@dataclass(frozen=True)
class Verdict:
    """What a study found for one metric, over all folds (`fold` empty) or in one of them."""

    study: Study
    metric: Metric
    fold: str
    ours: Errors
    roofline: Errors | None
    trees: Errors | None


def run(study: Study, data: Data, tell: Callable[[str], None]) -> list[Verdict]:
    """Predict every fold and judge; a verdict for all folds together first, then one for each fold.

    Catalog coefficients not refitted stay as committed.
    """
    rows = data.rows(study.file)
    taking_part = {n for n, row in enumerate(rows) if study.rows(row)}
    folds = [Fold(fold.name, fold.held & taking_part) for fold in study.folds(rows)]
    per_fold: dict[str, dict[str, Verdict]] = {}
    for fold in folds:
        if fold.held:
            tell(f"{study.name}: {fold.name} ({len(fold.held)} rows)")
            per_fold[fold.name] = _judge(study, data, rows, fold, taking_part)
    verdicts = []
    for metric in study.metrics:
        found = [by_metric[metric.name] for by_metric in per_fold.values() if metric.name in by_metric]
        if not found:
            continue
        whole = replace(
            found[0],
            fold="",
            ours=_joined([v.ours for v in found]),
            roofline=_joined([v.roofline for v in found]) if all(v.roofline for v in found) else None,
            trees=_joined([v.trees for v in found]) if all(v.trees for v in found) else None,
        )
        verdicts += [whole, *(found if len(found) > 1 else [])]
    return verdicts


def _judge(study: Study, data: Data, rows: Sequence[Row], fold: Fold, taking_part: set[int]) -> dict[str, Verdict]:
    left = replace(data, without={**data.without, study.file: fold.held})
    fitted: Mapping[str, Any] | None = study.refit(left) if study.refit else None
    numbers = sorted(fold.held)
    asked = [{k: v for k, v in rows[n].items() if k not in study.outcomes} for n in numbers]
    answers = answered(study.form, asked, catalog(fitted), lambda count: None)
    found = {}
    for metric in study.metrics:
        judged = [i for i, n in enumerate(numbers) if _counts(metric, rows[n])]
        if not judged:
            continue
        known = [rows[n] for n in sorted(taking_part - fold.held) if _counts(metric, rows[n])]
        unknown = [rows[numbers[i]] for i in judged]
        groups = tuple(study.group(row) if study.group else str(i) for i, row in enumerate(unknown))
        ours = _errors(metric, unknown, [answers[i] for i in judged], groups)
        others = _roofline(metric, known, unknown, groups), _trees(study, metric, known, unknown, groups)
        found[metric.name] = Verdict(study, metric, fold.name, ours, *others)
    return found


def _counts(metric: Metric, row: Row) -> bool:
    return bool(row[metric.column]) and float(row[metric.column]) > 0 and metric.counts(row)


def _errors(metric: Metric, rows: Sequence[Row], answers: Sequence[Answer], groups: tuple[str, ...]) -> Errors:
    pairs = [
        (answer.values[metric.column] / float(row[metric.column]) - 1, group)
        for row, answer, group in zip(rows, answers, groups, strict=True)
        if metric.column in answer.values
    ]
    return Errors(np.array([p[0] for p in pairs]), len(rows) - len(pairs), tuple(p[1] for p in pairs))


def _roofline(metric: Metric, known: list[Row], unknown: list[Row], groups: tuple[str, ...]) -> Errors | None:
    if metric.bounds is None or len(known) < baselines.LEAST:
        return None
    predicted = baselines.roofline(
        [metric.bounds(row) for row in known], _truth(metric, known), [metric.bounds(row) for row in unknown]
    )
    return Errors(predicted / _truth(metric, unknown) - 1, 0, groups)


def _trees(
    study: Study, metric: Metric, known: list[Row], unknown: list[Row], groups: tuple[str, ...]
) -> Errors | None:
    if len(known) < baselines.LEAST:
        return None
    columns = study.features or tuple(name for name in known[0] if name not in study.outcomes)
    predicted = baselines.trees(known, _truth(metric, known), unknown, columns)
    return Errors(predicted / _truth(metric, unknown) - 1, 0, groups)


def _truth(metric: Metric, rows: Sequence[Row]) -> Floats:
    return np.array([float(row[metric.column]) for row in rows])


def _joined(parts: Sequence[Errors | None]) -> Errors:
    there = [part for part in parts if part is not None]
    return Errors(
        np.concatenate([part.signed for part in there]),
        sum(part.unanswered for part in there),
        tuple(group for part in there for group in part.groups),
    )
