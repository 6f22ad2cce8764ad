"""Products of factors fitted to sums of parts: `t = sum over kinds of part x base x factors`, factors near 1.

Every sample is measured seconds, its parts by kind, and the conditions it ran under. A level is a set of condition
names: samples that agree in them share a factor per kind (or one on the whole). Factors are drawn to 1 (their
logarithm has a Gaussian prior of width `spread`), so that what a few samples say moves only what all of them share
too little to explain.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Spread: TypeAlias = Callable[[str], float]

STEPS = 15
LONGEST_STEP = 0.7  # of a logarithm


@dataclass(frozen=True)
class Sample:
    """Measured seconds, parts in seconds at factor 1 and base 1, and conditions."""

    when: Mapping[str, str]
    parts: Mapping[str, float]
    seconds: float


@dataclass(frozen=True)
class Level:
    """Samples that agree in `conditions` share factors; `kinds`: one on each kind of part, else one on the whole."""

    conditions: tuple[str, ...]
    spread: Spread
    kinds: bool = True


@dataclass(frozen=True)
class Terms:
    """The terms found, as the catalog holds them (`when`, `factors`, `rows`), and the errors on their own samples."""

    entries: list[dict[str, Any]] = field(default_factory=list)
    median: float = float("nan")
    mean: float = float("nan")


def fit_terms(
    samples: Sequence[Sample],
    base: Mapping[str, float],
    levels: Sequence[Level],
    whole: str,
    noise: float,
    group: Callable[[Mapping[str, str]], str],
    crowding: float,
) -> Terms:
    """Fit the factors. `whole`: name of the factor on everything. `noise`: of one sample, a share.

    A group of `n` samples counts as `n^(1 - crowding)`: samples of one run err alike. Errors count relative to what was
    measured, large ones less than in proportion.
    """
    kinds = list(base)
    parts = np.array([[sample.parts.get(kind, 0.0) * base[kind] for kind in kinds] for sample in samples])
    truth = np.array([sample.seconds for sample in samples])
    design = _design(samples, kinds, parts, levels)
    names = [group(sample.when) for sample in samples]
    sizes = {name: names.count(name) for name in set(names)}
    weights = np.array([sizes[name] ** -crowding for name in names])
    found = np.zeros(len(design.spreads))
    for _ in range(STEPS):
        predicted, shares = design.predict(found, parts)
        error = np.log(truth / predicted)
        # A robust loss, and an error upwards weighs more: it is the larger share of what was measured.
        weight = weights / noise**2 / np.sqrt(1 + (error / (2 * noise)) ** 2) * (predicted / truth)
        slopes = design.slopes(shares)
        normal = (slopes.T * weight) @ slopes + np.diag(design.spreads**-2)
        step = np.linalg.solve(normal, slopes.T @ (weight * error) - found / design.spreads**2)
        step = np.clip(step, -LONGEST_STEP, LONGEST_STEP)
        found += step
        if np.abs(step).max(initial=0.0) < 1e-3:
            break
    errors = np.abs(design.predict(found, parts)[0] / truth - 1)
    return Terms(design.entries(found, whole, kinds), float(np.median(errors)), float(np.mean(errors)))


@dataclass(frozen=True)
class _Design:
    """Which factor of which level acts on which part of which sample; `columns[level]`: [samples, kinds or 1]."""

    keys: list[tuple[int, tuple[str, ...], int]]  # level, values of its conditions, kind (-1: the whole)
    spreads: Floats
    columns: list[npt.NDArray[np.int64]]
    levels: Sequence[Level]
    rows: list[int]

    def predict(self, found: Floats, parts: Floats) -> tuple[Floats, Floats]:
        """Seconds of each sample, and the share of each part in them."""
        padded = np.append(found, 0.0)
        each, whole = np.zeros_like(parts), np.zeros(len(parts))
        for level, column in zip(self.levels, self.columns, strict=True):
            if level.kinds:
                each = each + padded[column]
            else:
                whole = whole + padded[column[:, 0]]
        factored = parts * np.exp(each)
        total = factored.sum(1)
        return total * np.exp(whole), factored / total[:, None]

    def slopes(self, shares: Floats) -> Floats:
        """Derivative of the logarithm of each sample's seconds by each factor's logarithm."""
        out = np.zeros((len(shares), len(self.spreads) + 1))
        rows = np.arange(len(shares))[:, None]
        for level, column in zip(self.levels, self.columns, strict=True):
            np.add.at(out, (np.broadcast_to(rows, column.shape), column), shares if level.kinds else 1.0)
        return out[:, :-1]

    def entries(self, found: Floats, whole: str, kinds: Sequence[str]) -> list[dict[str, Any]]:
        """Terms with the factors that differ from 1."""
        terms: dict[tuple[int, tuple[str, ...]], dict[str, Any]] = {}
        for (level, values, kind), value, rows in zip(self.keys, found, self.rows, strict=True):
            factor = float(f"{np.exp(value):.4g}")
            if abs(factor - 1) < 0.002:
                continue
            when = dict(zip(self.levels[level].conditions, values, strict=True))
            entry = terms.setdefault((level, values), {"when": when, "factors": {}, "rows": rows})
            entry["factors"][whole if kind < 0 else kinds[kind]] = factor
        return list(terms.values())


def _design(samples: Sequence[Sample], kinds: Sequence[str], parts: Floats, levels: Sequence[Level]) -> _Design:
    keys: dict[tuple[int, tuple[str, ...], int], int] = {}
    spreads: list[float] = []
    rows: list[int] = []
    columns = []
    for number, level in enumerate(levels):
        numbers = range(len(kinds)) if level.kinds else (-1,)
        column = np.full((len(samples), len(numbers)), -1, dtype=np.int64)
        for i, sample in enumerate(samples):
            if any(name not in sample.when for name in level.conditions):
                continue
            values = tuple(sample.when[name] for name in level.conditions)
            for j, kind in enumerate(numbers):
                if kind >= 0 and parts[i, kind] <= 0:
                    continue
                key = (number, values, kind)
                if key not in keys:
                    keys[key] = len(spreads)
                    spreads.append(level.spread(kinds[kind] if kind >= 0 else ""))
                    rows.append(0)
                column[i, j] = keys[key]
                rows[keys[key]] += 1
        columns.append(column)
    return _Design(list(keys), np.array(spreads), columns, levels, rows)
