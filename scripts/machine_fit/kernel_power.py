"""Power of a B200 board per kernel: one surface for each operator and number format."""

from __future__ import annotations

import numpy as np
from scripts.machine_fit.data import Data, Floats, Row
from scripts.machine_fit.write import Fitted

from meritorder.catalog.load import accelerators
from meritorder.predict.kernel_power import IDLE, SPAN, features, surface, watts

FILE = "op_power_b200.csv"
RIDGE = 0.003  # a row's weight with which every standardised coefficient is drawn to 0
PIVOT = 0.1  # relative errors above it count less than their square


def fit_kernel_power(data: Data, fitted: Fitted) -> None:
    """Fit all surfaces."""
    groups: dict[str, list[Row]] = {}
    for row in data.rows(FILE):
        groups.setdefault(surface(row), []).append(row)
    for name, rows in groups.items():
        _surface(name, rows, fitted)


def _surface(name: str, rows: list[Row], fitted: Fitted) -> None:
    chip = accelerators()["b200"]
    found = np.array([features(row, chip) for row in rows])
    power = np.array([float(row["power_w"]) for row in rows])
    values = dict(zip((f"c{place}" for place in range(found.shape[1])), _least_squares(found, power), strict=True))
    errors = np.abs(np.array([watts(one, values) for one in found]) / power - 1)
    note = f"{len(rows)} rows, median error {np.median(errors):.1%}, mean {np.mean(errors):.1%}"
    for key, value in values.items():
        fitted.setup(name, key, value, "kernel-power", "medium", note=note)


def _least_squares(found: Floats, power: Floats) -> list[float]:
    """Robust ridge regression of the logit of power, weighted for relative errors of watts."""
    share = np.clip((power - IDLE) / SPAN, 0.01, 0.992)
    logit, slope = np.log(share / (1 - share)), share * (1 - share) * SPAN / power
    middle, spread = found[:, 1:].mean(axis=0), found[:, 1:].std(axis=0) + 1e-9
    design = np.hstack([np.ones((len(power), 1)), (found[:, 1:] - middle) / spread])
    trust = np.ones(len(power))
    for _ in range(4):
        rows = design * (slope * trust)[:, None]
        ridge = RIDGE**2 * len(power) * np.eye(design.shape[1])
        x = np.linalg.solve(rows.T @ rows + ridge, rows.T @ (logit * slope * trust))
        predicted = IDLE + SPAN / (1 + np.exp(-np.clip(design @ x, -8, 8)))
        trust = (1 + ((predicted / power - 1) / PIVOT) ** 2) ** -0.25
    slopes = x[1:] / spread
    return [float(x[0] - slopes @ middle), *map(float, slopes)]
