"""Whole replicas of a plan: systems with a model loaded, cut into machines that serve."""

from __future__ import annotations

import numpy as np

from meritorder.plan.instance import Floats, Instance, Ints
from meritorder.plan.outcome import Build

_SLACK = 1e-6  # of a replica: what the optimisation's tolerances may lose


def whole_replicas(instance: Instance, build: Build, t: int) -> Ints:
    """Replicas of each model at each site on each system in period t, [S,H,M].

    Parts of replicas are dropped, then systems that this leaves free go to those models that lost most.
    """
    size = instance.stock.replica
    placed = build.placed[t]
    with np.errstate(divide="ignore", invalid="ignore"):
        wanted = np.where(size > 0.0, placed / size, 0.0)
    count = np.floor(wanted + _SLACK)
    for s, h in zip(*np.nonzero(placed.sum(axis=2) > 0.0), strict=True):
        left = max(build.systems[t, s, h], placed[s, h].sum()) - count[s, h] @ size[h]
        for m in np.argsort(count[s, h] - wanted[s, h], kind="stable"):
            if wanted[s, h, m] - count[s, h, m] > _SLACK and left >= size[h, m] - _SLACK:
                count[s, h, m] += 1
                left -= size[h, m]
    return count.astype(np.int64)


def held(instance: Instance, replicas: Ints) -> Floats:
    """Systems that so many replicas [S,H,M] take, [S,H,M]."""
    taken: Floats = replicas * instance.stock.replica
    return taken
