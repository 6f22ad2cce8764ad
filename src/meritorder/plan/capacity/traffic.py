"""What a service's requests are like: the traffic that its demand names, steady and by the clock."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from meritorder.fleet.schema import Fleet
from meritorder.problems import InputError, Problem
from meritorder.workload.fetch import TRACES
from meritorder.workload.find import find, specified
from meritorder.workload.rows import opened, take
from meritorder.workload.synthesis.arrivals import mean_rate
from meritorder.workload.synthesis.spec import Client, TrafficSpec
from meritorder.workload.synthesis.synthesize import span_s, synthesize
from meritorder.workload.trace import Trace
from meritorder.workload.transform import slice as cut

# Requests drawn from a preset, and most that are kept of a recording.
MOST = 60_000
# Most prefix block ids that a base holds: long prompts in small blocks come to thousands each.
MOST_BLOCKS = 6_000_000
# A recording longer than this is a day with its peaks, which the plan's own hours already hold.
STEADY_S = 7200.0
HOUR_S = 3600.0


def traffic_of(fleet: Fleet, service: str, seed: int) -> Trace:
    """Steady traffic like the service's, open loop, as a base to draw from.

    A preset's rate curves are replaced by their means, since demand by the hour is the plan's; of a recording over
    more than two hours the busiest one is taken. Requests that wait for others start at their recorded (or nominal)
    times. Raises InputError where the traffic can't be had.
    """
    assert fleet.plan is not None
    try:
        return requests_like(fleet.plan.demand[service].traffic, fleet.services[service].match or service, seed)
    except InputError as error:
        key = f"plan.demand.{service}.traffic"
        raise InputError(replace(problem, key=problem.key or key) for problem in error.problems) from None


def requests_like(name: str, wanted: str, seed: int) -> Trace:
    """The requests of the traffic `name`, of a trace that names services those of `wanted`. Raises InputError."""
    spec = None if name in TRACES else specified(name)
    base = _drawn(spec, seed) if spec is not None else _recorded(name, seed)
    base = _own(base, wanted)
    if (base.prompt_tokens < 1).any() or (base.output_tokens < 1).any():
        base = take(base, ((base.prompt_tokens >= 1) & (base.output_tokens >= 1)).nonzero()[0])
    if len(base) < 2 or base.duration_s <= 0:
        fix = "name other traffic"
        raise InputError(Problem(f"holds {len(base)} requests: too few", name, fix=fix))
    return base


def _drawn(spec: TrafficSpec, seed: int) -> Trace:
    steady = spec.model_copy(
        update={"clients": {name: _steady(client, span_s(spec)) for name, client in spec.clients.items()}}
    )
    trace = synthesize(steady, seed, requests=_few(synthesize(steady, seed, requests=200)))
    return opened(trace) if trace.closed_loop else trace


def _steady(client: Client, over_s: float) -> Client:
    """The client with its mean rate over all its hours; its bursts, drifts and sessions stay."""
    rate = mean_rate(client, 0.0, over_s)
    return client.model_copy(update={"per_s": rate, "windows": None, "diurnal": None})


def _few(probe: Trace) -> int:
    """Requests that a base may hold, by the prefix blocks of some."""
    each = len(probe.blocks) / max(len(probe), 1)
    return int(min(MOST, MOST_BLOCKS / each)) if each else MOST


def _recorded(name: str, seed: int) -> Trace:
    trace = find(name, closed_loop=False, seed=seed)
    if trace.duration_s > STEADY_S:
        trace = cut(trace, *_busiest(trace))
    most = _few(trace)
    return trace if len(trace) <= most else take(trace, range(most))  # type: ignore[arg-type]


def _busiest(trace: Trace) -> tuple[float, float]:
    """The hour of most requests."""
    most = int(np.bincount((trace.arrival_s // HOUR_S).astype(int)).argmax())
    return most * HOUR_S, (most + 1) * HOUR_S


def _own(trace: Trace, wanted: str) -> Trace:
    """Of a trace that names services the requests of this one, if it is among them; regions don't matter here."""
    if wanted in trace.services and len(trace.services) > 1:
        trace = take(trace, (trace.service == trace.services.index(wanted)).nonzero()[0])
    zero = trace.service * 0
    return replace(trace, service=zero, region=zero, services=("default",), regions=("default",))
