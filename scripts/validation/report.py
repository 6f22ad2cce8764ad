"""docs/accuracy.md: what the studies found, in tables."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from math import isnan

from scripts.validation.run import Errors, Verdict

HEAD = """# Accuracy

How well the cost models, and simulations with them, predict measurements that they were not fitted to. Written by
`make validate` (`python -m scripts.validate DATA`): don't edit. DATA is the folder of calibration files; nothing of it
is part of this repository.

Every figure is **cross-validated**: a part of the rows is held out, the coefficients are fitted to the rest, the
held-out rows are predicted by the code behind `merit predict`, and so on for every part. What is held out together
stands in each table: whole models, whole GPUs, whole configurations, or shapes. The error of a row is
`|predicted / measured - 1|`.

* **rows**: how many were judged; **no answer**: how many got none. **bias**: median of the signed errors.
* **95 %**: bootstrap interval of the statistic in bold (whole groups of alike rows are drawn, 2,000 times).
* **floor** and **aim**: what we set ourselves before. The floor is to be respectable, the aim to be better than
  everything published on that data.
* **roofline**: `a + max(memory / b, compute / c)` of the data sheet's peaks, a, b and c fitted to the same rows.
  **trees**: gradient-boosted trees on the same columns, without physics. Both in the statistic in bold.
"""


def accuracy_page(verdicts: Sequence[Verdict]) -> str:
    """The page: one table for all, then each study with its folds."""
    parts = [HEAD, "## In one table\n", _overview(verdicts)]
    for name, found in groupby(verdicts, key=lambda v: v.study.name):
        of_study = list(found)
        parts += [f"## {name}\n", *([of_study[0].study.remark.strip() + "\n"] if of_study[0].study.remark else [])]
        parts.append(_table([v for v in of_study if not v.fold]))
        for metric, by_fold in groupby([v for v in of_study if v.fold], key=lambda v: v.metric.name):
            parts.append(_folds(metric, list(by_fold)))
    return "\n".join(parts)


def _overview(verdicts: Sequence[Verdict]) -> str:
    lines = [
        "| data and split | metric | rows | error | floor / aim | roofline | trees |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for v in verdicts:
        if not v.fold:
            others = f"{_share(_of(v.roofline, v))} | {_share(_of(v.trees, v))}"
            lines.append(
                f"| {v.study.name} | {v.metric.name}, {v.metric.statistic} | {len(v.ours.signed):,} "
                f"| **{_share(_of(v.ours, v))}** | {_bars(v)} | {others} |"
            )
    return "\n".join(lines) + "\n"


def _table(verdicts: Sequence[Verdict]) -> str:
    lines = [
        "| metric | rows | no answer | median | mean | bias | 95 % | floor / aim | roofline | trees |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for v in verdicts:
        low, high = v.ours.interval(v.metric.statistic)
        lines.append(
            f"| {v.metric.name} | {len(v.ours.signed):,} | {v.ours.unanswered} "
            f"| {_bold(v, 'median')} | {_bold(v, 'mean')} | {v.ours.bias:+.1%} | {low:.1%} to {high:.1%} | {_bars(v)} "
            f"| {_share(_of(v.roofline, v))} | {_share(_of(v.trees, v))} |"
        )
    return "\n".join(lines) + "\n"


def _folds(metric: str, verdicts: Sequence[Verdict]) -> str:
    lines = [
        f"<details><summary>{metric} by what was held out</summary>\n",
        "| held out | rows | no answer | median | mean | bias | trees |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for v in verdicts:
        lines.append(
            f"| {v.fold} | {len(v.ours.signed):,} | {v.ours.unanswered} | {v.ours.median:.1%} | {v.ours.mean:.1%} "
            f"| {v.ours.bias:+.1%} | {_share(_of(v.trees, v))} |"
        )
    return "\n".join(lines) + "\n\n</details>\n"


def _of(errors: Errors | None, verdict: Verdict) -> float | None:
    return None if errors is None else float(getattr(errors, verdict.metric.statistic))


def _share(value: float | None) -> str:
    return "–" if value is None or isnan(value) else f"{value:.1%}"


def _bold(v: Verdict, statistic: str) -> str:
    text = f"{getattr(v.ours, statistic):.1%}"
    return f"**{text}**" if statistic == v.metric.statistic else text


def _bars(v: Verdict) -> str:
    floor, aim = v.metric.floor, v.metric.aim
    return "–" if floor is None else f"{floor:.0%} / {aim:.0%}" if aim is not None else f"{floor:.0%}"
