"""The period of every year in which a plan has least to spare."""

from __future__ import annotations

import numpy as np

from meritorder.plan.horizon import calendar_year
from meritorder.plan.instance import Instance
from meritorder.plan.outcome import Build
from meritorder.plan.proof.replicas import held, whole_replicas
from meritorder.plan.proof.scale import largest


def tightest_periods(instance: Instance, build: Build, j: int) -> tuple[int, ...]:
    """One period a calendar year, in order: that whose machines carry the smallest multiple of the design hour.

    Years in which nothing stands are left out.
    """
    spare: dict[str, list[tuple[float, int]]] = {}
    for t, name in enumerate(instance.names.periods):
        systems = held(instance, whole_replicas(instance, build, t))
        factor = largest(instance, systems, instance.demand.requests[t, :, -1, j], t, j).factor
        if len(factor):
            spare.setdefault(calendar_year(name), []).append((float(np.min(factor)), t))
    return tuple(min(found)[1] for found in spare.values())
