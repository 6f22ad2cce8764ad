"""The check: a Poisson load on the endpoint, and the same requests simulated on the machine that was found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from meritorder.calibrate.asking import Asker
from meritorder.fleet.schema import Fleet
from meritorder.perf.compile import compile_replica
from meritorder.problems import InputError, Problem
from meritorder.serve.http.client import Upstream
from meritorder.serve.replay.compare import LATENCIES, compare, simulated_latencies
from meritorder.serve.replay.measured import Measured
from meritorder.serve.replay.prompts import Prompts
from meritorder.serve.replay.replay import Replay
from meritorder.simulate.run import simulate
from meritorder.workload.trace import Trace, make_trace

LOADS = (0.4, 0.6, 0.8)
_BURST = 200  # requests at once that tell the capacity
_SHOWN = ("mean", "p90")


@dataclass(frozen=True)
class Lengths:
    """Log-normal lengths of prompts and answers, tokens, within bounds."""

    prompt: float = 48.0  # median
    prompt_spread: float = 0.9
    output: float = 24.0
    output_spread: float = 0.6
    longest_prompt: int = 512
    longest_output: int = 128

    def draw(self, n: int, draw: np.random.Generator) -> tuple[Any, Any]:
        """n prompts and n answers."""
        prompts = np.exp(draw.normal(np.log(self.prompt), self.prompt_spread, n)).clip(8, self.longest_prompt)
        outputs = np.exp(draw.normal(np.log(self.output), self.output_spread, n)).clip(4, self.longest_output)
        return prompts.astype(np.int32), outputs.astype(np.int32)


@dataclass(frozen=True)
class Plan:
    """Loads to put on the endpoint: a trace for each share of what it should be able to do."""

    capacity: float  # requests per second, simulated
    traces: tuple[tuple[float, Trace], ...]

    @property
    def requests(self) -> int:
        """Of all loads."""
        return sum(len(trace) for _, trace in self.traces)

    @property
    def seconds(self) -> float:
        """Of all loads, about."""
        return sum(trace.duration_s for _, trace in self.traces)


def plan(fleet: Fleet, lengths: Lengths, seconds: float, loads: Sequence[float] = LOADS, seed: int = 1) -> Plan:
    """So many seconds of Poisson arrivals in all, at shares of the simulated capacity for such requests."""
    draw = np.random.default_rng(seed)
    prompts, outputs = lengths.draw(_BURST, draw)
    burst = simulate(fleet, make_trace(np.zeros(_BURST), prompts, outputs), replicas=_replicas(fleet))
    ended = simulated_latencies(burst)["e2e_s"]
    if np.isnan(ended).any():
        fix = "give more --kv-tokens or a longer --context"
        raise InputError(Problem("the machine found can't serve the check's load", "merit calibrate", fix=fix))
    capacity = _BURST / float(ended.max())
    traces = []
    for load in loads:
        n = max(round(load * capacity * seconds / len(loads)), 10)
        arrivals = np.cumsum(draw.exponential(1.0 / (load * capacity), n))
        traces.append((load, make_trace(arrivals, *lengths.draw(n, draw), services=("load",))))
    return Plan(capacity, tuple(traces))


async def run(
    planned: Plan,
    fleet: Fleet,
    asker: Asker,
    upstream: Upstream,
    headers: bytes,
    loop: Any,
    advance: Callable[[float], None],
) -> list[dict[str, Any]]:
    """Load by load: measured and simulated mean and p90 of TTFT, TPOT and E2E, and their relative difference."""
    found = []
    for number, (load, trace) in enumerate(planned.traces):

        def part(share: float, done: int = number) -> None:
            advance((done + share) / len(planned.traces))

        replay = Replay(
            trace,
            upstream,
            [asker.model] * len(trace),
            Prompts(trace, seed=1000 + number),
            loop=loop,
            api="completions" if asker.manner.tokens else "chat",
            headers=headers,
            progress=part,
        )
        measured = await replay.run()
        found.append(_compared(load, load * planned.capacity, measured, fleet, trace))
    return found


def _compared(load: float, rate: float, measured: Measured, fleet: Fleet, trace: Trace) -> dict[str, Any]:
    result = simulate(fleet, trace, replicas=_replicas(fleet))
    found: Mapping[str, Any] = compare(measured, simulated_latencies(result))
    row: dict[str, Any] = {"load": load, "requests_per_s": rate, "requests": len(trace), "compared": found["requests"]}
    for latency in LATENCIES:
        row[latency] = {
            f"{kind}_{key}": found[latency][kind][key]
            for key in _SHOWN
            for kind in ("measured", "simulated", "difference")
        }
    return row


def worst(loads: Sequence[Mapping[str, Any]]) -> float:
    """The largest difference of a mean; infinite where an answer is missing."""
    differences = [load[latency]["difference_mean"] for load in loads for latency in LATENCIES]
    if any(difference is None for difference in differences) or any(x["compared"] < x["requests"] for x in loads):
        return float("inf")
    return float(max(abs(difference) for difference in differences))


def _replicas(fleet: Fleet) -> tuple[Any, ...]:
    return tuple(compile_replica(fleet, name) for name in fleet.pools)
