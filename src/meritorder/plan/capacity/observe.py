"""What one simulated run says of a rate: how many requests kept their targets, and how many got done."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meritorder.simulate.columns import columns
from meritorder.simulate.result import Result, Status
from meritorder.simulate.service_level import Target, Verdict, judge

# The part of a run's time whose arrivals count: before it caches and batches fill, after it nobody follows.
WINDOW = (0.25, 0.9)
BATCHES = 16
# 97.5 % points of the normal and of Student's distribution with BATCHES - 1 degrees of freedom.
_NORMAL, _STUDENT = 1.96, 2.13

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Observation:
    """One run at one rate. Shares are of the judged requests that arrived within the window."""

    rate: float  # requests/s that arrived within the window, to all replicas
    kept: float  # share that kept its targets
    low: float  # 95 % interval of it
    high: float
    done: float  # requests/s that were completed within the window
    requests: int  # judged
    joules: tuple[float, ...]  # [pools] IT energy above idle within the window, of a request that was completed in it
    misses: dict[str, float]  # share of each verdict that is a miss

    def doubtful(self, percentile: float) -> bool:
        """Whether chance may have decided."""
        return self.low < percentile <= self.high


def observe(result: Result) -> Observation:
    """Judge a run of a fleet with one service."""
    slo = next(iter(result.fleet.services.values())).slo
    verdicts = judge(columns(result), [Target(slo.ttft, slo.token_rate)])
    span = max(float(result.arrival_s[-1]), 1e-9)
    begin, end = WINDOW[0] * span, WINDOW[1] * span
    inside = (result.arrival_s >= begin) & (result.arrival_s < end) & (verdicts != Verdict.NOT_JUDGED)
    judged = verdicts[inside]
    arrived = int(((result.arrival_s >= begin) & (result.arrival_s < end)).sum())
    met = judged == Verdict.MET
    kept = float(met.mean()) if len(met) else 0.0
    low, high = interval(met)
    ended = result.status == Status.COMPLETED
    finish = result.finish_s[ended]
    done = int(((finish >= begin) & (finish < end)).sum()) / (end - begin)
    return Observation(
        rate=arrived / (end - begin),
        kept=kept,
        low=low,
        high=high,
        done=done,
        requests=len(met),
        joules=tuple(float(watts) / done if done else 0.0 for watts in _watts(result, begin, end)),
        misses={v.name: float((judged == v).mean()) for v in Verdict if v != Verdict.MET and (judged == v).any()},
    )


def interval(met: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """95 % interval of the share of True, neighbours being alike: batch means give how many requests it is worth.

    Wilson's interval at that number of independent ones, at most as many as there are.
    """
    n = len(met)
    if n < BATCHES:
        return 0.0, 1.0
    share = float(met.mean())
    means = np.array([part.mean() for part in np.array_split(met, BATCHES)])
    variance = float(means.var(ddof=1)) / BATCHES * (_STUDENT / _NORMAL) ** 2
    worth = n if variance <= 0 else min(float(n), share * (1.0 - share) / variance)
    return wilson(share, max(worth, 1.0))


def wilson(share: float, n: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of n."""
    z2 = _NORMAL * _NORMAL / n
    middle = (share + z2 / 2) / (1 + z2)
    half = _NORMAL / (1 + z2) * math.sqrt(share * (1 - share) / n + z2 / (4 * n))
    return max(middle - half, 0.0), min(middle + half, 1.0)


def _watts(result: Result, begin: float, end: float) -> Floats:
    """[pools] mean power above idle over the bins that lie between two moments."""
    energy = result.series["energy_j"]
    low, high = math.ceil(begin / result.bin_s), math.floor(end / result.bin_s)
    watts: Floats = energy[:, low:high].sum(axis=1) / ((high - low) * result.bin_s)
    return watts
