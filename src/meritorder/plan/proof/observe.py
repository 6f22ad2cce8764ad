"""What a simulated run says of every service: the share that kept its targets, with an interval; whether it lasts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meritorder.plan.capacity.observe import wilson
from meritorder.simulate.bootstrap import MIN_REQUESTS, cells_of, draw_weights, interval, share
from meritorder.simulate.columns import columns
from meritorder.simulate.result import Result
from meritorder.simulate.service_level import CAUSES, Target, Verdict, judge

STEADY = 0.01  # a queue that grows by less than this part of the arrivals counts as standing still
_MOMENTS = 24


@dataclass(frozen=True)
class Kept:
    """One service in a stretch of time."""

    requests: int  # judged
    share: float  # of them that kept the targets; NaN: there were none
    low: float  # 95 % interval
    high: float
    growth: float  # part of the arrivals by which the number of requests in the system grew
    why: str  # what kept most of the others from it

    def score(self, percentile: float) -> float:
        """Above 0 where the level is kept and the queue stands still."""
        return min(self.share - percentile, STEADY - self.growth)


def kept(result: Result, start_s: float, stop_s: float, seed: int = 0) -> dict[str, Kept]:
    """By service, of the requests that arrive from `start_s` to `stop_s`; services of which nothing comes are left out.

    The interval is the wider of the moving-block bootstrap's, since requests that come together share their queue, and
    Wilson's for as many independent requests, since a run in which nothing failed may have been lucky.
    """
    services = list(result.fleet.services.values())
    verdicts = judge(columns(result), [Target(service.slo.ttft, service.slo.token_rate) for service in services])
    inside = (result.arrival_s >= start_s) & (result.arrival_s < stop_s) & (verdicts != Verdict.NOT_JUDGED)
    cell = cells_of(np.clip(result.arrival_s - start_s, 0.0, stop_s - start_s), stop_s - start_s)
    weights = draw_weights(np.random.default_rng((seed, 3)))
    found = {}
    for index, name in enumerate(result.fleet.services):
        mine = inside & (result.service == index)
        count = int(mine.sum())
        if not count:
            continue
        met = verdicts == Verdict.MET
        part = float((met & mine).sum()) / count
        low, high = wilson(part, count)
        if count >= MIN_REQUESTS:
            drawn = interval(share(weights, cell, met, mine))
            low, high = (min(low, drawn[0]), max(high, drawn[1])) if drawn else (0.0, 1.0)
        causes = [(int((verdicts[mine] == verdict).sum()), words) for verdict, words in CAUSES.items()]
        most, words = max(causes)
        found[name] = Kept(count, part, low, high, _growth(result, index, start_s, stop_s), words if most else "")
    return found


def _growth(result: Result, service: int, start_s: float, stop_s: float) -> float:
    """Slope of the number of a service's requests in the system over a stretch, in parts of its arrivals."""
    mine = result.service == service
    arrival = np.sort(result.arrival_s[mine])
    gone = np.sort(np.where(np.isnan(result.finish_s[mine]), result.arrival_s[mine], result.finish_s[mine]))
    moments = np.linspace(start_s, stop_s, _MOMENTS)
    within = np.searchsorted(arrival, moments, "right") - np.searchsorted(gone, moments, "right")
    slope = float(np.polyfit(moments - start_s, within.astype(float), 1)[0])
    arrived = int(np.searchsorted(arrival, stop_s) - np.searchsorted(arrival, start_s))
    return slope * (stop_s - start_s) / max(arrived, 1)
