"""What requests need when nobody else is there: who can't keep the targets at any load is told at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from meritorder.fleet.schema import Slo
from meritorder.plan.capacity.observe import wilson
from meritorder.plan.capacity.runs import Runs
from meritorder.simulate.columns import columns
from meritorder.simulate.result import Status
from meritorder.simulate.service_level import CAUSES, Target, Verdict, judge
from meritorder.workload.trace import Floats


@dataclass(frozen=True)
class Alone:
    """Requests of a case one at a time, at no round trip."""

    slo: Slo
    first_s: Floats  # [n] to the first token; inf: the other targets are not kept
    stay_s: float  # mean time from arrival to end
    why: str  # what those who miss lack, in words

    def kept(self, rtt_s: float = 0.0) -> float:
        """Share that keeps the targets at a round trip."""
        limit = math.inf if self.slo.ttft is None else self.slo.ttft - rtt_s
        return float((np.isfinite(self.first_s) & (self.first_s <= limit)).mean())

    def hopeless(self, rtt_s: float = 0.0) -> bool:
        """Whether even alone too few keep them, whatever chance did."""
        return wilson(self.kept(rtt_s), len(self.first_s))[1] < self.slo.percentile


def alone(runs: Runs) -> Alone:
    """Simulate them."""
    slo = runs.slo
    result = runs.apart()
    quick = judge(columns(result), [Target(None, slo.token_rate)]) == Verdict.MET
    every = judge(columns(result), [Target(slo.ttft, slo.token_rate)])
    lacking = [(float((every == verdict).mean()), words) for verdict, words in CAUSES.items()]
    why = ", ".join(f"{words} ({share:.0%})" for share, words in sorted(lacking, reverse=True) if share > 0)
    done = result.status == Status.COMPLETED
    stay = result.finish_s - result.arrival_s
    return Alone(
        slo=slo,
        first_s=np.where(quick & done, result.first_s - result.arrival_s, np.inf),
        stay_s=float(stay[done].mean()) if done.any() else math.inf,
        why=why,
    )
