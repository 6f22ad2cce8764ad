"""Reading the calibration files, and least squares on relative errors."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares

from meritorder.catalog.accelerator import Accelerator, GpuCoefficients

Floats: TypeAlias = npt.NDArray[np.float64]
Row: TypeAlias = dict[str, str]


@dataclass(frozen=True)
class Data:
    """The folder of calibration files, some rows left out: file name -> row numbers (for cross-validation)."""

    folder: Path
    without: Mapping[str, frozenset[int]] = field(default_factory=dict)

    def rows(self, name: str) -> list[Row]:
        """The rows of a calibration file that are not left out; the file's first line is a comment."""
        out = self.without.get(name, frozenset())
        return [row for number, row in enumerate(_read(self.folder, name)) if number not in out]


@cache
def _read(folder: Path, name: str) -> list[Row]:
    if "heldout" in name or "eval" in name:
        raise ValueError(f"{name} belongs to a scoring set")
    with (folder / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def columns(table: Iterable[Row], *names: str) -> list[Floats]:
    """Columns of numbers."""
    table = list(table)
    return [np.array([float(row[name]) for row in table]) for name in names]


@dataclass(frozen=True)
class Fit:
    """A solution with its median and mean absolute relative error."""

    x: Floats
    rows: int
    median: float
    mean: float

    @property
    def note(self) -> str:
        """For the catalog: how many rows, what error."""
        return f"{self.rows} rows, median error {self.median:.1%}, mean {self.mean:.1%}"


def fit(
    model: Callable[[Floats], Floats],
    start: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    truth: Floats,
    weights: Floats | None = None,
) -> Fit:
    """Least squares on log(model / truth), robust against outliers."""
    scale = 1.0 if weights is None else np.sqrt(weights)

    def residuals(x: Floats) -> Floats:
        error = np.log(model(x) / truth) / 0.2
        # soft_l1 by hand: weights must not change what counts as an outlier
        return np.asarray(scale * np.sign(error) * np.sqrt(2 * (np.sqrt(1 + error**2) - 1)))

    solution = least_squares(residuals, start, bounds=(low, high), x_scale=np.abs(start), diff_step=1e-3)
    errors = np.abs(model(solution.x) / truth - 1)
    return Fit(solution.x, len(truth), float(np.median(errors)), float(np.mean(errors)))


def with_gpu(chip: Accelerator, **coefficients: object) -> Accelerator:
    """The chip with some of its coefficients replaced, unchecked."""
    known = {name: getattr(chip.gpu, name) for name in GpuCoefficients.model_fields}
    return chip.model_copy(update={"gpu": GpuCoefficients.model_construct(**{**known, **coefficients})})
