"""What a service's requests are like: the traffic that its demand names, steady and by the clock."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from meritorder.fleet.schema import Fleet
from meritorder.problems import InputError, Problem
from meritorder.workload.fetch import TRACES
from meritorder.workload.find import find
from meritorder.workload.rows import opened, take
from meritorder.workload.synthesis import presets
from meritorder.workload.synthesis.arrivals import mean_rate
from meritorder.workload.synthesis.spec import Client, TrafficSpec, load_spec
from meritorder.workload.synthesis.synthesize import synthesize
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
    plan = fleet.plan
    assert plan is not None
    name = plan.demand[service].traffic
    spec = _spec(name)
    base = _drawn(spec, seed) if spec is not None else _recorded(name, seed)
    base = _own(base, fleet, service)
    if (base.prompt_tokens < 1).any() or (base.output_tokens < 1).any():
        base = take(base, ((base.prompt_tokens >= 1) & (base.output_tokens >= 1)).nonzero()[0])
    if len(base) < 2 or base.duration_s <= 0:
        fix = "name other traffic"
        raise InputError(Problem(f"holds {len(base)} requests: too few", name, f"plan.demand.{service}.traffic", fix))
    return base


def _spec(name: str) -> TrafficSpec | None:
    """The workload that a name stands for, where it is no recording."""
    if Path(name).suffix in (".yaml", ".yml"):
        return load_spec(Path(name))
    return presets.load(name) if name in presets.names() and name not in TRACES and not Path(name).exists() else None


def _drawn(spec: TrafficSpec, seed: int) -> Trace:
    steady = spec.model_copy(
        update={"clients": {name: _steady(client, spec.duration) for name, client in spec.clients.items()}}
    )
    trace = synthesize(steady, seed, requests=_few(synthesize(steady, seed, requests=200)))
    return opened(trace) if trace.closed_loop else trace


def _steady(client: Client, duration_s: float) -> Client:
    """The client with its mean rate; its bursts, drifts and sessions stay."""
    rate = mean_rate(client, 0.0, duration_s)
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
    hour = (trace.arrival_s // HOUR_S).astype(int)
    most = int(max(set(hour.tolist()), key=hour.tolist().count))
    return most * HOUR_S, (most + 1) * HOUR_S


def _own(trace: Trace, fleet: Fleet, service: str) -> Trace:
    """Of a trace that names services the requests of this one, if it is among them; regions don't matter here."""
    wanted = fleet.services[service].match or service
    if wanted in trace.services and len(trace.services) > 1:
        trace = take(trace, (trace.service == trace.services.index(wanted)).nonzero()[0])
    zero = trace.service * 0
    return replace(trace, service=zero, region=zero, services=("default",), regions=("default",))
