"""Measured against simulated: the same requests in both, those that completed in both."""

from __future__ import annotations

from typing import Any

import numpy as np

from meritorder.serve.replay.measured import Floats, Measured
from meritorder.simulate.columns import columns, latency
from meritorder.simulate.result import Result
from meritorder.simulate.spread import spread

LATENCIES = ("ttft_s", "tpot_s", "e2e_s")


def simulated_latencies(result: Result) -> dict[str, Floats]:
    """`ttft_s`, `tpot_s`, `e2e_s` of each request (n) as simulated, NaN where it did not complete."""
    requests = columns(result)
    return {name: latency(requests, name) for name in LATENCIES}


def simulated_pools(result: Result) -> dict[str, int]:
    """How many requests each pool was sent in the simulation."""
    counts = np.bincount(result.pool[result.pool >= 0], minlength=len(result.fleet.pools))
    return {name: int(count) for name, count in zip(result.fleet.pools, counts, strict=True) if count}


def compare(measured: Measured, simulated: dict[str, Floats]) -> dict[str, Any]:
    """By latency: spreads measured and simulated, and their ratio less 1 as `difference`; number of `requests`."""
    found: dict[str, Any] = {}
    requests = 0
    for name, live in measured.latencies().items():
        both = ~np.isnan(live) & ~np.isnan(simulated[name])
        requests = max(requests, int(both.sum()))
        ours, theirs = spread(live[both]), spread(simulated[name][both])
        difference = {key: ours[key] / theirs[key] - 1.0 if theirs[key] else None for key in ours}  # type: ignore[operator]
        found[name] = {"measured": ours, "simulated": theirs, "difference": difference}
    return {"requests": requests, **found}
