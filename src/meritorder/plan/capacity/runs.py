"""Simulated runs of one case, each made once: rates on a grid, pools of any size, round trips."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from meritorder.catalog.accelerator import Accelerator
from meritorder.fleet.schema import Fleet
from meritorder.perf.compile import compile_replica
from meritorder.perf.replica import Replica
from meritorder.plan.capacity.case import Case
from meritorder.plan.capacity.draw import Source
from meritorder.plan.capacity.observe import WINDOW, Observation, observe
from meritorder.plan.capacity.rig import rig
from meritorder.simulate.result import Result
from meritorder.simulate.run import simulate
from meritorder.workload.trace import Trace

# Rates are whole powers of this, so that runs are found again.
GRID = 1.02
DOUBLE = 35  # steps
# Requests that are judged in a quick look, an ordinary run, and where chance may have decided.
EFFORTS = (3_000, 16_000, 64_000)
# A run lasts so many times as long as a request stays at full load.
STAYS = 10.0
# Most requests, and prefix blocks of them, in one run.
MOST, MOST_BLOCKS = 200_000, 3_000_000
# A request with so many prefix blocks takes as long to simulate as two without; no run looks at fewer than `FEW`.
HEAVY, FEW = 16.0, 1_500
# Where less than this part of what comes is done, machines are full.
OVERLOAD = 0.85
# Of a run's energy over time.
BINS = 64
# Requests that are looked at alone, and seconds between them.
ALONE, GAP_S = 1_000, 3600.0


def rate_at(step: float) -> float:
    """Requests/s of one replica at a place of the grid."""
    return float(GRID**step)


def step_of(rate: float) -> int:
    """The nearest place of the grid."""
    return round(math.log(rate) / math.log(GRID))


@dataclass
class Runs:
    """A case on rigs that are multiples of `pair`: replicas and, where prompts are computed apart, decoders."""

    fleet: Fleet
    case: Case
    source: Source
    seed: int
    machines: dict[str, Accelerator] = field(default_factory=dict)
    pair: tuple[int, int] = (1, 0)
    made: dict[tuple[int, float, int], tuple[int, Observation]] = field(default_factory=dict)
    count: int = 0
    requests: int = 0

    def __post_init__(self) -> None:
        small = self._rig(1, 0.0)
        self.replicas: tuple[Replica, ...] = tuple(compile_replica(small, name) for name in small.pools)
        self.slo = slo = self.fleet.services[self.case.service].slo
        base = self.source.base
        each = float(base.prompt_tokens.mean()) + 0.5 * float(base.output_tokens.mean())
        last = self.replicas[-1]
        seats = (
            float(np.clip(last.kv_tokens / each, 1.0, last.table.max_sequences)) * self.pair[-1 if self.pair[1] else 0]
        )
        self.seats = seats / self.pair[0]
        self.bound_s = np.inf
        if slo.token_rate is not None:
            self.bound_s = (slo.ttft or 0.0) + float(base.output_tokens.mean()) / slo.token_rate
        blocks = len(base.blocks) / len(base)
        self.limit = int(min(MOST, MOST_BLOCKS / blocks)) if blocks else MOST
        self.efforts = [max(round(effort / (1.0 + blocks / HEAVY)), FEW) for effort in EFFORTS]

    def at(self, pools: int, rtt_s: float, step: int, effort: int) -> Observation:
        """What happens at a rate in `pools` times the smallest pool; a run of as much effort is made once."""
        key = (pools, rtt_s, step)
        known = self.made.get(key)
        if known is None or known[0] < effort:
            self.made[key] = known = (effort, self._run(pools, rtt_s, step, effort))
        return known[1]

    def fits(self, pools: int, rate: float) -> bool:
        """Whether a run of such a pool, at so many requests/s a replica, is long enough with as many as may be."""
        return self._needed_s(rate) * rate * pools * self.pair[0] <= self.limit

    def apart(self) -> Result:
        """A run of requests so far apart that each is alone."""
        few = self.source.draw(self.source.rate, ALONE / self.source.rate)
        return self._simulate(1, 0.0, replace(few, arrival_s=np.arange(len(few), dtype=np.float64) * GAP_S))

    def most(self, pools: int, stay_s: float) -> float:
        """Requests/s of one replica that are done where more wait than can be: no rate above that is carried.

        `stay_s`: mean seconds of a request alone, from which the first guess is made.
        """
        step = step_of(2.0 / stay_s)
        while True:
            look = self.at(pools, 0.0, step, 0)
            if look.done < OVERLOAD * look.rate:
                break
            step += DOUBLE
        step = step_of(look.done / (pools * self.pair[0]) / OVERLOAD**2)
        return self.at(pools, 0.0, step, 2).done / (pools * self.pair[0])

    def _run(self, pools: int, rtt_s: float, step: int, effort: int) -> Observation:
        rate = rate_at(step) * pools * self.pair[0]
        wanted = self.efforts[effort] / (WINDOW[1] - WINDOW[0]) / rate
        span = min(max(wanted, self._needed_s(rate_at(step))), self.limit / rate)
        trace = self.source.draw(rate, span)
        if len(trace) < 2:
            trace = self.source.draw(rate, span * 4)
        return observe(self._simulate(pools, rtt_s, trace))

    def _needed_s(self, rate: float) -> float:
        """Seconds of a run at `rate` requests/s of one replica, by Little's law."""
        return STAYS * min(self.seats / rate, self.bound_s)

    def _simulate(self, pools: int, rtt_s: float, trace: Trace) -> Result:
        self.count += 1
        self.requests += len(trace)
        return simulate(self._rig(pools, rtt_s), trace, seed=self.seed, bins=BINS, replicas=self.replicas)

    def _rig(self, pools: int, rtt_s: float) -> Fleet:
        one, other = self.pair
        return rig(self.fleet, self.case, one * pools, decoders=other * pools, rtt_s=rtt_s, machines=self.machines)
