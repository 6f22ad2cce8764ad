"""Parameters of an arrival process whose simulated statistics equal measured ones, by search."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from meritorder.workload.statistics.measures import arrival_statistics
from meritorder.workload.synthesis.arrivals import arrivals
from meritorder.workload.synthesis.spec import Client

Statistics = dict[str, float]
# Lengths don't matter here.
ANY_LENGTHS = {"prompt_tokens": {"constant": 1}, "output_tokens": {"constant": 1}}


def statistics(times: npt.NDArray[np.float64]) -> Statistics:
    """The numbers that a fit is judged by."""
    found: Mapping[str, Any] = arrival_statistics(times)
    return {
        "rate": found["mean_per_s"],
        "CV": found["cv"],
        "IDC 1 s": found["idc"]["1"],
        "IDC 10 s": found["idc"]["10"],
        "IDC 60 s": found["idc"]["60"],
        "empty seconds": found["empty_seconds"],
        "gaps < 10 ms": found["gaps_below_10ms"],
    }


def simulated(client: Mapping[str, Any], span_s: float, runs: int, seed: int = 0) -> Statistics:
    """Median statistics of `runs` traces of this client."""
    model = Client.model_validate({**ANY_LENGTHS, **client})
    rows = []
    for k in range(runs):
        times = arrivals(model, 1.0, 0.0, span_s, np.random.default_rng([seed, k]))
        if len(times) > 100 and times[-1] - times[0] > 180:  # long enough for every statistic
            rows.append(list(statistics(times).values()))
    names = ("rate", "CV", "IDC 1 s", "IDC 10 s", "IDC 60 s", "empty seconds", "gaps < 10 ms")
    return dict(zip(names, np.median(np.array(rows), axis=0).tolist(), strict=True)) if rows else {}


def search(
    build: Callable[[npt.NDArray[np.float64]], dict[str, Any]],
    start: list[float],
    target: Statistics,
    weights: Mapping[str, float],
    span_s: float,
    runs: int = 12,
    steps: int = 250,
) -> dict[str, Any]:
    """`build(parameters)` whose statistics are nearest to `target` (weighted squared log ratios; Nelder-Mead).

    All trials use the same random numbers, so that the search sees a smooth function.
    """

    def loss(parameters: npt.NDArray[np.float64]) -> float:
        try:
            found = simulated(build(parameters), span_s, runs)
        except ValueError:  # outside the model's limits
            return 1e6
        if not found:
            return 1e6
        return sum(w * math.log(max(found[k], 1e-6) / max(target[k], 1e-6)) ** 2 for k, w in weights.items())

    corners = np.vstack((start, np.array(start) + 0.4 * np.eye(len(start))))
    options = {"maxfev": steps, "xatol": 0.01, "fatol": 1e-4, "initial_simplex": corners}
    best = minimize(loss, np.array(start), method="Nelder-Mead", options=options)
    return build(best.x)
