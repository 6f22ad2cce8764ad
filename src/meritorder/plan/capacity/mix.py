"""Several services on the same replicas: how much of what the linear rule calls full they really carry.

A plan adds services up: sum of (requests/s of a service) / (its rate alone) <= replicas. Batches that are shared, and
targets that differ, make that an approximation; here is how good it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from meritorder.fleet.schema import Fleet
from meritorder.perf.compile import compile_replica
from meritorder.plan.capacity.capacity import Capacity
from meritorder.plan.capacity.case import Case, Key
from meritorder.plan.capacity.draw import Source
from meritorder.plan.capacity.observe import WINDOW, interval
from meritorder.plan.capacity.rig import alone, rig
from meritorder.plan.capacity.runs import EFFORTS, GRID, STAYS
from meritorder.plan.capacity.traffic import traffic_of
from meritorder.simulate.columns import columns
from meritorder.simulate.result import Result
from meritorder.simulate.run import simulate
from meritorder.simulate.service_level import Target, Verdict, judge
from meritorder.workload.trace import Trace
from meritorder.workload.transform import mix

# Steps of the grid in which the load is searched around full: a half to the double.
STEPS = (-35, 35)


@dataclass(frozen=True)
class Mixed:
    """Services together on `replicas` of one kind."""

    keys: tuple[Key, ...]
    shares: tuple[float, ...]  # of the replicas that each would fill alone
    replicas: int
    carried: float  # of the load that the linear rule calls full, with every service level kept
    short: str  # the service whose level breaks first

    @property
    def error(self) -> float:
        """Above 0 where the linear rule promises more than is carried."""
        return 1.0 - self.carried


def mix_error(
    fleet: Fleet,
    found: Mapping[Key, Capacity],
    cases: Sequence[Case],
    *,
    shares: Sequence[float] | None = None,
    replicas: int = 16,
    seed: int = 0,
) -> Mixed:
    """Simulate services of one model on one offer together, at growing load. `shares`: absent: as much of each.

    Raises ValueError where the cases run differently, or one has no capacity in such a pool.
    """
    parts = tuple(shares or [1.0 / len(cases)] * len(cases))
    rates = [found[case.key].rate(replicas) * replicas * part for case, part in zip(cases, parts, strict=True)]
    if len({(case.offer, case.decode, case.model) for case in cases}) != 1 or cases[0].decode or min(rates) <= 0:
        raise ValueError("the cases don't stand on the same replicas, or one of them is not carried there")
    rigged = _together(fleet, cases, replicas)
    compiled = (compile_replica(rigged, "replicas"),)
    sources = [Source(traffic_of(fleet, case.service, seed), seed + i) for i, case in enumerate(cases)]
    stay = max(_stay_s(found[case.key]) for case in cases)
    short = ""

    def kept(step: int) -> bool:
        nonlocal short
        load = GRID**step
        span = max(EFFORTS[2] / (WINDOW[1] - WINDOW[0]) / (sum(rates) * load), STAYS * stay)
        traces = [source.draw(rate * load, span) for source, rate in zip(sources, rates, strict=True)]
        trace = mix([_named(trace) for trace in traces], [case.service for case in cases])
        missed = _missed(simulate(rigged, trace, seed=seed, bins=16, replicas=compiled))
        short = missed or short
        return not missed

    low, high = STEPS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if kept(middle) else (low, middle)
    return Mixed(tuple(case.key for case in cases), parts, replicas, float(GRID**low), short)


def _together(fleet: Fleet, cases: Sequence[Case], replicas: int) -> Fleet:
    one = rig(fleet, cases[0], replicas)
    return one.model_copy(update={"services": {case.service: alone(fleet.services[case.service]) for case in cases}})


def _stay_s(capacity: Capacity) -> float:
    """How long requests stay at most while the service level holds, s; unknown without a token rate: a minute."""
    if capacity.token_rate is None:
        return 60.0
    return (capacity.ttft_s or 0.0) + capacity.output_tokens / capacity.token_rate


def _named(trace: Trace) -> Trace:
    """Warnings of single traces are known."""
    return replace(trace, warnings=())


def _missed(result: Result) -> str:
    """The service that misses its level by most; empty: all keep it."""
    services = result.fleet.services
    targets = [Target(service.slo.ttft, service.slo.token_rate) for service in services.values()]
    verdicts = judge(columns(result), targets)
    span = float(result.arrival_s[-1])
    counted = (result.arrival_s >= WINDOW[0] * span) & (result.arrival_s < WINDOW[1] * span)
    counted &= verdicts != Verdict.NOT_JUDGED
    worst, most = "", 0.0
    for index, (name, service) in enumerate(services.items()):
        met: np.ndarray[tuple[int], np.dtype[np.bool_]] = verdicts[counted & (result.service == index)] == Verdict.MET
        lacking = service.slo.percentile - (float(met.mean()) if len(met) else 1.0)
        if lacking > most and interval(met)[0] < service.slo.percentile:
            worst, most = name, lacking
    return worst
