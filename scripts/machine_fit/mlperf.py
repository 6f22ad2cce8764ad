"""How much faster tuned engines of MLPerf are than the model: factors by scenario, engine and benchmark."""

from __future__ import annotations

import numpy as np
from scripts.machine_fit.committed import laid_over
from scripts.machine_fit.data import Data, Floats, Row
from scripts.machine_fit.write import Fitted

from meritorder.catalog.load import catalog
from meritorder.predict.mlperf import SETUP, Point, benchmark, machine, operating_point, terms
from meritorder.problems import InputError

FILE = "mlperf_v51_llm_calib.csv"
RIDGE = 1.0  # in rows: how strongly a factor is drawn to 1
PIVOT = 0.1  # relative errors above it count less than their square


def fit_mlperf(data: Data, fitted: Fitted) -> None:
    """Fit the factors on the logarithms of tokens/s."""
    base = catalog(laid_over(fitted))
    points: dict[tuple[str, ...], Point] = {}
    rows: list[Row] = []
    wanted: list[float] = []
    for row in data.rows(FILE):
        try:
            key = machine(row), benchmark(row), row["scenario"], row["weight_dtype"]
            point = points[key] if key in points else operating_point(row, base)
        except InputError:
            continue
        points[key] = point
        rows.append(row)
        wanted.append(
            float(np.log(float(row["tokens_per_s"]) / float(row["accelerators_total"]) * point.chips / point.speed))
        )
    names = sorted({term for row in rows for term in terms(row)})
    found = _factors([terms(row) for row in rows], names, np.array(wanted))
    errors = np.abs(
        np.expm1([sum(found[term] for term in terms(row)) - want for row, want in zip(rows, wanted, strict=True)])
    )
    note = f"{len(rows)} rows, median error {np.median(errors):.1%}, mean {np.mean(errors):.1%}"
    for name in names:
        fitted.setup(SETUP, name, float(np.exp(found[name])), "mlperf", "medium", note=note)


def _factors(held: list[tuple[str, ...]], names: list[str], wanted: Floats) -> dict[str, float]:
    """Logarithms of the factors: robust ridge regression."""
    design = np.array([[float(name in terms) for name in names] for terms in held])
    x = np.zeros(len(names))
    for _ in range(10):
        trust = 1.0 / np.sqrt(1.0 + ((design @ x - wanted) / PIVOT) ** 2)
        weighted = design * trust[:, None]
        x = np.linalg.solve(weighted.T @ design + RIDGE * np.eye(len(names)), weighted.T @ wanted)
    return dict(zip(names, map(float, x), strict=True))
