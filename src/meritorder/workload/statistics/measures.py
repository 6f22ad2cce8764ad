"""The plain numbers of arrivals, lengths and sessions, as definitions that anybody can repeat.

CV is the population standard deviation of the inter-arrival times over their mean. IDC(w), the index of dispersion for
counts, is variance over mean of the counts in windows of w seconds that start at the first arrival, the last partial
window left out; a Poisson process has 1 (Gusella, IEEE JSAC 9, 1991). Peak over mean uses the same windows.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from meritorder.workload.trace import Floats, Longs

WINDOWS_S = (1, 10, 60)


def window_counts(arrival_s: Floats, window_s: float) -> Longs:
    """Arrivals in each full window of `window_s` seconds from the first arrival; `arrival_s` sorted."""
    if not len(arrival_s):
        return np.zeros(0, np.int64)
    since = arrival_s - arrival_s[0]
    full = int(since[-1] // window_s)
    return np.bincount((since // window_s).astype(np.int64), minlength=full)[:full]


def coefficient_of_variation(values: npt.NDArray[np.generic]) -> float | None:
    """Population standard deviation over mean; None without values or with mean 0."""
    numbers = np.asarray(values, np.float64)
    if not len(numbers) or numbers.mean() == 0:
        return None
    return float(numbers.std() / numbers.mean())


def index_of_dispersion(arrival_s: Floats, window_s: float) -> float | None:
    """Variance over mean of the counts per full window; None with fewer than two windows."""
    counts = window_counts(arrival_s, window_s)
    if len(counts) < 2 or counts.sum() == 0:
        return None
    return float(counts.var() / counts.mean())


def peak_to_mean(arrival_s: Floats, window_s: float) -> float | None:
    """Largest count of a full window over the mean count."""
    counts = window_counts(arrival_s, window_s)
    return float(counts.max() / counts.mean()) if len(counts) and counts.sum() else None


def arrival_statistics(arrival_s: Floats) -> dict[str, object]:
    """Rate, CV, IDC, peaks and emptiness of sorted arrival times (seconds)."""
    n = len(arrival_s)
    gaps = np.diff(arrival_s)
    span = float(arrival_s[-1] - arrival_s[0]) if n else 0.0
    seconds, minutes = window_counts(arrival_s, 1), window_counts(arrival_s, 60)
    return {
        "count": n,
        "span_s": span,
        "mean_per_s": n / span if span > 0 else None,
        "cv": coefficient_of_variation(gaps),
        "idc": {str(w): index_of_dispersion(arrival_s, w) for w in WINDOWS_S},
        "peak_to_mean": {str(w): peak_to_mean(arrival_s, w) for w in (1, 60)},
        "empty_seconds": float((seconds == 0).mean()) if len(seconds) else None,
        "minutes": len(minutes),
        "empty_minutes": int((minutes == 0).sum()),
        "busiest_minute": int(minutes.max()) if len(minutes) else None,
        "gaps_below_10ms": float((gaps < 0.01).mean()) if len(gaps) else None,
    }


def length_statistics(tokens: npt.NDArray[np.int32]) -> dict[str, float] | None:
    """Mean, p50, p90, p99 and maximum; None for no values."""
    if not len(tokens):
        return None
    p50, p90, p99 = np.percentile(tokens, [50, 90, 99])
    return {
        "mean": float(np.mean(np.asarray(tokens, np.float64))),
        "p50": float(p50),
        "p90": float(p90),
        "p99": float(p99),
        "max": float(np.asarray(tokens).max()),
    }


def spearman(first: npt.NDArray[np.generic], second: npt.NDArray[np.generic]) -> float | None:
    """Rank correlation with mean ranks for ties; None where either is constant."""
    if len(first) < 2:
        return None
    a, b = _ranks(first), _ranks(second)
    spread = a.std() * b.std()
    return float(((a - a.mean()) * (b - b.mean())).mean() / spread) if spread > 0 else None


def weighted_quantiles(
    sorted_values: npt.NDArray[np.generic], weights: npt.NDArray[np.generic], at: tuple[float, ...]
) -> list[float]:
    """The smallest values that at least these shares of the weight don't exceed."""
    total = np.cumsum(weights)
    index = np.searchsorted(total, np.asarray(at) * total[-1])
    return [float(v) for v in sorted_values[np.minimum(index, len(total) - 1)]]


def _ranks(values: npt.NDArray[np.generic]) -> Floats:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: Floats = (ends - (counts - 1) / 2.0)[inverse]
    return ranks
