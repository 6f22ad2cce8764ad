"""Regressions of a short monthly series with autocorrelated errors, and what they predict, with all that is uncertain.

The logarithm of demand is y = X b + s(shape) + u with AR(1) errors u[t] = rho u[t-1] + e[t]. Given rho and shape this
is generalised least squares; rho and shape lie on grids and are weighed by their marginal likelihood (Zellner, An
Introduction to Bayesian Inference in Econometrics, 1971, chapter 4), under flat priors but for rho's, which leans
towards random walks: short series hide their memory, and intervals that miss it are too narrow (measured in
tests/plan/test_demand_coverage.py). Predictions are drawn from that posterior: coefficients, noise, its memory and the
shape are all uncertain in them, so intervals widen with the horizon, and faster where the past may be a random walk.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meritorder.plan.instance import Floats

_RHO = np.concatenate([np.linspace(0.0, 0.9, 19), [0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998]])
_PRIOR = np.gradient(_RHO) * (1.0 - _RHO) ** -1.5  # what a point of the grid stands for
_FLOOR = 1e-12  # variance of logarithms below which a series is exact


@dataclass(frozen=True)
class Family:
    """Curves that may lie under a series of n months and the h months behind it; G shapes of them."""

    name: str
    design: Floats  # [n + h, p]
    shapes: Floats  # [G, n + h] added to the regression; zeros where the family has no shape
    parameters: int  # those of the shape

    def parts(self, n: int) -> tuple[Floats, Floats, Floats, Floats]:
        """Design and shapes of the past, then of the future."""
        return self.design[:n], self.shapes[:, :n], self.design[n:], self.shapes[:, n:]


@dataclass(frozen=True)
class Posterior:
    """A family fitted to y [n]. Axes: P points of rho, G shapes."""

    family: Family
    y: Floats
    weights: Floats  # [P,G] sum 1
    beta: Floats  # [P,G,p]
    roots: Floats  # [P,p,p] beta varies as roots @ normal x sigma
    squares: Floats  # [P,G] residual sum of squares of the whitened errors
    aicc: float

    @property
    def freedom(self) -> int:
        """Months beyond coefficients."""
        freedom: int = len(self.y) - self.family.design.shape[1]
        return freedom

    @property
    def likely(self) -> tuple[int, int]:
        """Indices of the likeliest rho and shape."""
        point, shape = np.unravel_index(int(self.weights.argmax()), self.weights.shape)
        return int(point), int(shape)

    @property
    def memory(self) -> float:
        """Mean of rho."""
        return float(self.weights.sum(axis=1) @ _RHO)

    @property
    def noise(self) -> float:
        """Standard deviation of a month's new error, of the logarithm, at the likeliest point."""
        return float(np.sqrt(self.squares[self.likely] / self.freedom))


def fit(family: Family, y: Floats) -> Posterior:
    """The posterior of a family given the logarithms y [n] of a series; n must exceed the parameters by 2."""
    n, p = len(y), family.design.shape[1]
    design, shapes, _, _ = family.parts(n)
    rest = y - shapes  # [G,n]
    beta = np.empty((len(_RHO), len(shapes), p))
    roots = np.empty((len(_RHO), p, p))
    squares = np.empty((len(_RHO), len(shapes)))
    evidence = np.empty_like(squares)
    for point, rho in enumerate(_RHO):
        x, z = _whitened(design, rho), _whitened(rest.T, rho)  # [n,p], [n,G]
        q, r = np.linalg.qr(x)
        inverse = np.linalg.inv(r)
        projected = q.T @ z
        beta[point] = (inverse @ projected).T
        roots[point] = inverse
        squares[point] = np.maximum(((z - q @ projected) ** 2).sum(axis=0), n * _FLOOR)
        volume = np.log(np.abs(np.diag(r))).sum()
        evidence[point] = 0.5 * np.log1p(-rho * rho) - volume - 0.5 * (n - p) * np.log(squares[point])
    weights = np.exp(evidence - evidence.max()) * _PRIOR[:, None]
    likelihood = -0.5 * n * (np.log(2 * np.pi * squares / n) + 1.0) + 0.5 * np.log1p(-_RHO * _RHO)[:, None]
    k = p + family.parameters + 2  # rho and the noise
    aicc = 2.0 * k - 2.0 * float(likelihood.max()) + 2.0 * k * (k + 1) / (n - k - 1)
    return Posterior(family, y, weights / weights.sum(), beta, roots, squares, aicc)


def draws(posterior: Posterior, count: int, seed: int) -> Floats:
    """[count, h] possible futures of the series (logarithms), noise of the months in them."""
    rng = np.random.default_rng(seed)
    n = len(posterior.y)
    past, shapes, future, later = posterior.family.parts(n)
    chosen = _systematic(posterior.weights.ravel(), count, rng)
    point, shape = np.divmod(chosen, posterior.weights.shape[1])
    sigma = np.sqrt(posterior.squares[point, shape] / rng.chisquare(posterior.freedom, count))
    normal = rng.standard_normal((count, past.shape[1]))
    beta = posterior.beta[point, shape] + sigma[:, None] * np.einsum("dij,dj->di", posterior.roots[point], normal)
    error = posterior.y[-1] - beta @ past[-1] - shapes[shape, -1]
    result: Floats = beta @ future.T + later[shape]
    shocks = sigma[:, None] * rng.standard_normal(result.shape)
    for month in range(result.shape[1]):
        error = _RHO[point] * error + shocks[:, month]
        result[:, month] += error
    return result


def _whitened(columns: Floats, rho: float) -> Floats:
    """[n,...] columns after which AR(1) errors are independent, with the variance of a month's new one."""
    result: Floats = columns - rho * np.concatenate([columns[:1], columns[:-1]])
    result[0] = np.sqrt(1.0 - rho * rho) * columns[0]
    return result


def _systematic(weights: Floats, count: int, rng: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Indices by weight: systematic sampling, so that the grid itself adds next to no noise."""
    edges = np.cumsum(weights / weights.sum())
    places = (np.arange(count) + rng.random()) / count
    index = np.minimum(np.searchsorted(edges, places, side="right"), len(weights) - 1)
    return rng.permutation(index)
