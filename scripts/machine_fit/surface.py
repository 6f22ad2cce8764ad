"""Fitting an operator: its equation by robust least squares, then the map of what the equation leaves over.

The map is a Gaussian process with a Matern kernel in the logarithms of the shape, held at its knots and linear between
them: smooth where there are few measurements, and no correction at all far from any.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from scipy.optimize import least_squares
from scripts.machine_fit.data import Floats

from meritorder.catalog.operators import Operator
from meritorder.perf.operators.efficiency import place

Coefficients = dict[str, float]
Equation = Callable[[Mapping[str, float]], Floats]

# Of the process: how far it strays from 0, and how much single measurements err (natural logarithms).
STRAY, NOISE = 0.3, 0.05
FURTHEST = 1.5


@dataclass(frozen=True)
class Axis:
    """A dimension of the map: its knots, and the distance (in doublings) over which neighbours resemble each other."""

    knots: tuple[float, ...]
    reach: float


def solve(
    equation: Equation, truth: Floats, bounds: Mapping[str, tuple[float, float, float]], starts: Sequence[Coefficients]
) -> Coefficients:
    """Coefficients between their bounds (`name: start, low, high`) by robust least squares on logarithms."""
    names = list(bounds)
    first, low, high = (np.array(column) for column in zip(*bounds.values(), strict=True))

    def residuals(x: Floats) -> Floats:
        error = np.log(equation(dict(zip(names, x, strict=True))) / truth) / 0.1
        return np.asarray(np.sign(error) * np.sqrt(2 * (np.sqrt(1 + error**2) - 1)))

    best = None
    for start in ({}, *starts):
        x = np.clip([start.get(name, value) for name, value in zip(names, first, strict=True)], low, high)
        scale = np.maximum(np.abs(first), 1e-3 * (high - low))
        found = least_squares(residuals, x, bounds=(low, high), x_scale=scale, diff_step=1e-2, max_nfev=30)
        if best is None or found.cost < best.cost:
            best = found
    assert best is not None
    return {name: float(value) for name, value in zip(names, best.x, strict=True)}


def fit_map(axes: Mapping[str, Axis], shape: Sequence[Floats], left: Floats) -> Floats:
    """Values at the knots, flat, of the map of `left` (natural logarithms) at `shape`; outliers count little."""
    basis = _basis(axes, shape)
    knots = np.array(list(product(*(np.log2(axis.knots) / axis.reach for axis in axes.values()))))
    distance = np.sqrt(3.0 * ((knots[:, None] - knots[None]) ** 2).sum(axis=-1))
    prior = STRAY**2 * (1 + distance) * np.exp(-distance)
    precision = np.linalg.inv(prior + 1e-6 * np.eye(len(knots)))
    left = np.clip(left, -FURTHEST, FURTHEST)
    weights: Floats = np.ones(len(left))
    values: Floats = np.zeros(len(knots))
    for _ in range(4):
        weighted = basis * (weights / NOISE**2)[:, None]
        values = np.asarray(np.linalg.solve(basis.T @ weighted + precision, weighted.T @ left))
        weights = np.asarray(1.0 / np.sqrt(1.0 + ((left - basis @ values) / (2 * NOISE)) ** 2))
    return values


def _basis(axes: Mapping[str, Axis], shape: Sequence[Floats]) -> Floats:
    """The weight of every knot at every row `[rows, knots]`."""
    sizes = [len(axis.knots) for axis in axes.values()]
    rows = np.arange(len(shape[0]))
    basis = np.zeros((len(rows), int(np.prod(sizes))))
    places = [place(axis.knots, value) for axis, value in zip(axes.values(), shape, strict=True)]
    for corner in product((0, 1), repeat=len(places)):
        index = np.ravel_multi_index([b + far for far, (b, _) in zip(corner, places, strict=True)], sizes)
        weight = np.prod([s if far else 1 - s for far, (_, s) in zip(corner, places, strict=True)], axis=0)
        basis[rows, index] += weight
    return basis


@dataclass(frozen=True)
class Problem:
    """One kernel of one machine to be fitted.

    `seconds(coefficients)` gives the equation's time of every row, `shape` where the rows lie on the map, `group` what
    is left out together in cross-validation.
    """

    seconds: Callable[[Mapping[str, float], Any], Floats]
    truth: Floats
    shape: tuple[Floats, ...]
    axes: Mapping[str, Axis]
    bounds: Mapping[str, tuple[float, float, float]]
    starts: Sequence[Coefficients]
    facts: Coefficients

    def fit(self, rows: Any = slice(None), near: Mapping[str, float] | None = None) -> Operator:
        """The operator as the given rows have it; `near`: coefficients to start from, in place of all starts."""
        truth = self.truth[rows]
        starts = self.starts if near is None else None
        bounds = self.bounds if near is None else {k: (near[k], low, high) for k, (_, low, high) in self.bounds.items()}
        found = solve(lambda c: self.seconds({**self.facts, **c}, rows), truth, bounds, starts or ())
        found = {**self.facts, **{name: float(f"{value:.4g}") for name, value in found.items()}}
        left = np.log(truth / self.seconds(found, rows))
        values = fit_map(self.axes, [value[rows] for value in self.shape], left)
        knots = {name: axis.knots for name, axis in self.axes.items()}
        whole = tuple(int(v) for v in np.round(values * 1e3))
        return Operator(found, knots, whole, "operators", len(truth), 0.0, 0.0)
