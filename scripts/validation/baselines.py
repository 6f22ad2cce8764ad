"""What a model must beat: a fitted roofline, and gradient-boosted trees that know no physics."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares
from scripts.machine_fit.data import Row
from scripts.validation.study import Bounds
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.preprocessing import OrdinalEncoder
from threadpoolctl import threadpool_limits

Floats = npt.NDArray[np.float64]
LEAST = 20  # rows that a baseline must have to learn from
_DATE = re.compile(r"(\d{4})-(\d\d)(-\d\d)?")


def roofline(known: Sequence[Bounds], truth: Floats, unknown: Sequence[Bounds]) -> Floats:
    """`a + max(memory / b, compute / c)` with a, b, c fitted to the known rows (least squares of logarithms).

    One for each kind of row; a kind with too few known rows is predicted by one fitted to all.
    """
    predicted = np.empty(len(unknown))
    for kind in {bound.kind for bound in unknown}:
        own = [i for i, bound in enumerate(known) if bound.kind == kind]
        used = own if len(own) >= LEAST else range(len(known))
        asked = [i for i, bound in enumerate(unknown) if bound.kind == kind]
        x = _fitted([known[i] for i in used], truth[list(used)])
        predicted[asked] = _seconds(x, *_sides([unknown[i] for i in asked]))
    return predicted


def _fitted(known: Sequence[Bounds], truth: Floats) -> Floats:
    memory, compute = _sides(known)
    # Whatever the unit of the truth is, the first guess has its size.
    scale = np.median(truth) / max(np.median(np.maximum(memory, compute)), 1e-12)
    start = np.log([max(float(truth.min()) / 2, 1e-12), scale, scale])

    def residuals(x: Floats) -> Floats:
        return np.asarray(np.log(_seconds(x, memory, compute) / truth))

    return np.asarray(least_squares(residuals, start, loss="soft_l1", f_scale=0.2).x)


def _seconds(x: Floats, memory: Floats, compute: Floats) -> Floats:
    a, b, c = np.exp(x)
    return np.asarray(a + np.maximum(memory * b, compute * c))


def _sides(bounds: Sequence[Bounds]) -> tuple[Floats, Floats]:
    return np.array([b.memory for b in bounds]), np.array([b.compute for b in bounds])


def trees(known: Sequence[Row], truth: Floats, unknown: Sequence[Row], columns: Sequence[str]) -> Floats:
    """Gradient-boosted trees (scikit-learn, 400 of them) on the bare columns; they learn the logarithm."""
    numeric = [name for name in columns if all(_is_number(row[name]) for row in (*known, *unknown))]
    named = [name for name in columns if name not in numeric]
    numeric = [name for name in numeric if len({_number(row[name]) for row in known if row[name]}) > 1]
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1)
    words = [[row[name] for name in named] for row in known]
    if named:
        encoder.fit(words)

    def table(rows: Sequence[Row]) -> Floats:
        figures = np.array([[_number(row[name]) for name in numeric] for row in rows], dtype=np.float64)
        if not named:
            return figures
        codes = encoder.transform([[row[name] for name in named] for row in rows])
        return np.hstack([figures.reshape(len(rows), len(numeric)), codes])

    model = HistGradientBoostingRegressor(
        max_iter=400, learning_rate=0.06, max_leaf_nodes=31, min_samples_leaf=8, l2_regularization=1.0, random_state=0
    )
    with threadpool_limits(1):  # threads that wait by spinning are slower than one where others work too
        model.fit(table(known), np.log(truth))
        return np.asarray(np.exp(model.predict(table(unknown))))


def _number(text: str) -> float:
    """A number, or the months of a date, in which rows of other days are comparable; NaN where there is nothing."""
    date = _DATE.fullmatch(text)
    return 12.0 * int(date[1]) + int(date[2]) if date else float(text or "nan")


def _is_number(text: str) -> bool:
    try:
        _number(text)
    except ValueError:
        return False
    return True
