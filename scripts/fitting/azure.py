"""Azure 2023: a near-Poisson chat service with a slow drift, and bursts of code completions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scripts.fitting.arrival_search import search, statistics
from scripts.fitting.tables import quantiles, rounded

from meritorder.workload.trace import Trace

Parameters = npt.NDArray[np.float64]


def conv(trace: Trace) -> dict[str, Any]:
    """One client: Gamma gaps under a fast and a slow drift of the rate."""
    times = trace.arrival_s - trace.arrival_s[0]
    target = statistics(times)

    def build(log_of: Parameters) -> dict[str, Any]:
        cv, fast, fast_memory, slow, slow_memory = np.exp(log_of)
        return {
            "per_s": rounded(target["rate"]),
            "gaps": {"process": "gamma", "cv": rounded(cv, 3)},
            "drift": [
                {"cv": rounded(fast, 3), "memory": f"{rounded(fast_memory, 3)} s"},
                {"cv": rounded(slow, 3), "memory": f"{rounded(slow_memory, 3)} s"},
            ],
        }

    start = [math.log(v) for v in (1.0, 0.1, 5, 0.22, 600)]
    weights = {"CV": 4.0, "IDC 1 s": 2.0, "IDC 10 s": 1.0, "IDC 60 s": 1.0}
    return {**search(build, start, target, weights, float(times[-1]), runs=24), **_lengths(trace)}


def code(trace: Trace) -> dict[str, Any]:
    """One client: bursts of random strength and length, clustered gaps inside, silence between."""
    times = trace.arrival_s - trace.arrival_s[0]
    target = statistics(times)

    def build(log_of: Parameters) -> dict[str, Any]:
        cv, on, on_sigma, off, off_sigma, spread = np.exp(log_of)
        return {
            "per_s": rounded(target["rate"]),
            "gaps": {"process": "gamma", "cv": rounded(cv, 3)},
            "on_off": {
                "on_s": {"lognormal": {"median": rounded(on, 3), "sigma": rounded(on_sigma, 3)}},
                "off_s": {"lognormal": {"median": rounded(off, 3), "sigma": rounded(off_sigma, 3)}},
                "intensity": {"lognormal": {"median": 1, "sigma": rounded(spread, 3)}},
            },
        }

    start = [math.log(v) for v in (2.0, 3.0, 1.0, 6.0, 1.5, 0.5)]
    weights = {"CV": 2.0, "IDC 1 s": 2.0, "IDC 10 s": 2.0, "IDC 60 s": 2.0, "empty seconds": 2.0, "gaps < 10 ms": 1.0}
    return {**search(build, start, target, weights, float(times[-1]), runs=30, steps=300), **_lengths(trace)}


def _lengths(trace: Trace) -> dict[str, Any]:
    return {
        "prompt_tokens": quantiles(trace.prompt_tokens),
        "output_tokens": quantiles(trace.output_tokens),
    }
