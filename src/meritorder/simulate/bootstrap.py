"""Confidence intervals for runs whose requests are not independent: the moving-block bootstrap.

Requests that arrive close together share the same queue, so resampling them one by one would make every interval
too narrow. Here the time of arrival is cut into equal cells, and each replicate of the run is put together from
blocks of neighbouring cells drawn with replacement (Kuensch 1989; circular: Politis and Romano 1992). Runs on the
same trace take the same blocks in each replicate, so what the traffic did to both cancels out of a difference.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

CELLS = 240
BLOCK_CELLS = 12  # a twentieth of the run: dependence that lasts longer is not covered
REPLICATES = 1000
MIN_REQUESTS = 100  # fewer say nothing about their own variation

# Values are binned at these quantiles for replicated percentiles: fine everywhere, finer in the tail.
_GRID = np.unique(np.concatenate([np.linspace(0, 1, 401), np.linspace(0.9, 1, 401), np.linspace(0.99, 1, 201)]))


def draw_weights(rng: np.random.Generator) -> Floats:
    """How often each cell occurs in each replicate, [REPLICATES, CELLS]."""
    blocks = CELLS // BLOCK_CELLS
    starts = rng.integers(0, CELLS, (REPLICATES, blocks))
    cells = (starts[:, :, None] + np.arange(BLOCK_CELLS)) % CELLS
    rows = np.arange(REPLICATES)[:, None] * CELLS
    counts = np.bincount((cells.reshape(REPLICATES, -1) + rows).ravel(), minlength=REPLICATES * CELLS)
    return counts.reshape(REPLICATES, CELLS).astype(np.float64)


def cells_of(arrival_s: Floats, span_s: float) -> npt.NDArray[np.int32]:
    """The cell of each request (n); one whose arrival is unknown (NaN) shares that of the one before it."""
    known = ~np.isnan(arrival_s)
    last = np.maximum.accumulate(np.where(known, np.arange(len(arrival_s)), 0))
    filled = np.nan_to_num(arrival_s[last])
    return np.clip(filled / span_s * CELLS, 0, CELLS - 1).astype(np.int32)


def per_cell(cell: npt.NDArray[np.int32], values: npt.NDArray[np.number] | npt.NDArray[np.bool_]) -> Floats:
    """Sum of the values of each cell (CELLS)."""
    return np.bincount(cell, values, CELLS).astype(np.float64)


def ratio(weights: Floats, over: Floats, under: Floats) -> Floats:
    """Replicates of sum(over)/sum(under), both given by cell; NaN where a replicate has nothing below."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return (weights @ over) / (weights @ under)


def share(
    weights: Floats, cell: npt.NDArray[np.int32], hit: npt.NDArray[np.bool_], of: npt.NDArray[np.bool_]
) -> Floats:
    """Replicates of the share of the requests `of` that are `hit`."""
    return ratio(weights, per_cell(cell, hit & of), per_cell(cell, of))


def mean(weights: Floats, cell: npt.NDArray[np.int32], values: Floats) -> Floats:
    """Replicates of the mean of the values that are not NaN."""
    known = ~np.isnan(values)
    return ratio(weights, per_cell(cell, np.where(known, values, 0.0)), per_cell(cell, known))


def percentiles(weights: Floats, cell: npt.NDArray[np.int32], values: Floats, which: tuple[float, ...]) -> list[Floats]:
    """Replicates of percentiles (0..100) of the values that are not NaN.

    Values are counted in some 800 bins between quantiles of the run itself and interpolated within a bin, which
    moves a replicate by far less than one replicate differs from the next.
    """
    known = ~np.isnan(values)
    edges = np.unique(np.quantile(values[known], _GRID)) if known.any() else np.zeros(1)
    if len(edges) < 2:
        return [np.full(len(weights), edges[0] if known.any() else np.nan) for _ in which]
    bins = len(edges) - 1
    place = np.clip(np.searchsorted(edges, values[known], "left") - 1, 0, bins - 1)
    counts = np.bincount(cell[known] * bins + place, minlength=CELLS * bins).reshape(CELLS, bins)
    below = np.zeros((len(weights), bins + 1))
    np.cumsum(weights @ counts.astype(np.float64), axis=1, out=below[:, 1:])
    found = []
    for p in which:
        goal = below[:, -1] * (p / 100.0)
        at = np.clip((below < goal[:, None]).sum(axis=1) - 1, 0, bins - 1)
        low = np.take_along_axis(below, at[:, None], 1)[:, 0]
        step = np.take_along_axis(below, at[:, None] + 1, 1)[:, 0] - low
        part = np.divide(goal - low, step, out=np.zeros_like(goal), where=step > 0)
        found.append(np.where(below[:, -1] > 0, edges[at] + part * (edges[at + 1] - edges[at]), np.nan))
    return found


def interval(replicates: Floats) -> tuple[float, float] | None:
    """The middle 95 % of the replicates; None where too few of them have a value."""
    known = replicates[~np.isnan(replicates)]
    if len(known) < 0.9 * len(replicates):
        return None
    low, high = np.quantile(known, (0.025, 0.975))
    return float(low), float(high)
