"""How long replicas take from "repaired" (or "power is back") to "takes requests": engine start, then the weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from meritorder.catalog.failures import reload_of
from meritorder.fleet.schema import Fleet
from meritorder.perf.replica import Replica


def reload_s(fleet: Fleet, replicas: Sequence[Replica]) -> npt.NDArray[np.float64]:
    """Seconds per pool; `replicas` has one a pool. Every accelerator loads its part of the weights at the same time."""
    seconds = []
    for name, replica in zip(fleet.pools, replicas, strict=True):
        known = reload_of(kind_of(fleet, name))
        start = fleet.faults.engine_start
        rate = fleet.faults.load_rate or known.load_bytes_per_s
        weights = replica.weight_bytes / (rate * replica.accelerators)
        seconds.append((known.engine_start_s if start is None else start) + weights)
    return np.array(seconds)


def kind_of(fleet: Fleet, pool: str) -> str:
    """`gpu` or `wafer`; a measured pool's machine counts as a GPU."""
    accelerator = fleet.pools[pool].accelerator
    return "gpu" if accelerator is None else fleet.accelerators[accelerator].kind
