"""Facility power as a convex piecewise-linear function of IT power: samples' lower convex hull, with few pieces."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from meritorder.plan.instance import Floats


def convex_pieces(loads: Floats, watts: Floats, weight: Floats, most: int) -> Floats:
    """Pieces [..., Q, 2] with Q <= `most` whose maximum is nearest to the hull of samples `watts` [..., L] at `loads`.

    A piece is `[0] + [1] x load`; they join at samples of the hull, those that leave the least relative error, which
    counts by `weight` [L]. Where fewer do, the others are 0.
    """
    hull = lower_hull(loads, watts)
    pieces = min(most, len(loads) - 1)
    best = np.full(hull.shape[:-1], np.inf)
    corners = np.zeros((*hull.shape[:-1], pieces + 1), np.int64)
    for inner in combinations(range(1, len(loads) - 1), pieces - 1):
        chosen = np.array([0, *inner, len(loads) - 1])
        error = (relative_error(hull @ _between(loads, chosen).T, hull) * weight).max(axis=-1)
        better = error < best - 1e-12
        best = np.where(better, error, best)
        corners[better] = chosen
    at = np.take_along_axis(hull, corners, axis=-1)
    slope = np.diff(at, axis=-1) / np.diff(loads[corners], axis=-1)
    start = at[..., :-1] - slope * loads[corners[..., :-1]]
    found = np.stack([start, slope], axis=-1)
    again = np.abs(np.diff(found, axis=-2)).max(axis=-1) < 1e-12
    found[..., 1:, :][again] = 0.0
    return found


def evaluate(pieces: Floats, loads: Floats) -> Floats:
    """What pieces [..., Q, 2] give at `loads` [L]: [..., L]."""
    found: Floats = (pieces[..., :1] + pieces[..., 1:] * loads).max(axis=-2)
    return found


def relative_error(found: Floats, watts: Floats) -> Floats:
    """How far off, in parts of `watts`; where those are 0, 0 or infinity."""
    off = np.abs(found - watts)
    return np.divide(off, watts, out=np.where(off > 0.0, np.inf, 0.0), where=watts > 0.0)


def lower_hull(loads: Floats, watts: Floats) -> Floats:
    """The samples with those that lie above a chord of two others brought down to it: the largest convex function."""
    hull = watts.copy()
    for low, high in combinations(range(len(loads)), 2):
        for middle in range(low + 1, high):
            part = (loads[middle] - loads[low]) / (loads[high] - loads[low])
            chord = watts[..., low] + part * (watts[..., high] - watts[..., low])
            hull[..., middle] = np.minimum(hull[..., middle], chord)
    return hull


def _between(loads: Floats, chosen: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Floats:
    """Matrix [L,L] that interpolates between the chosen samples."""
    return np.stack([np.interp(loads, loads[chosen], row[chosen]) for row in np.eye(len(loads))], axis=1)
