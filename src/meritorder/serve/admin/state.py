"""What `GET /state` and `GET /requests` answer: the shapes that the supervisor fills and the live page draws.

Counters only ever grow while the gateway runs; whoever wants rates takes differences. Times are seconds, power is in
watts, energy in joules. None: not known or not set.
"""

from __future__ import annotations

from typing import Literal, TypedDict

from meritorder.serve.account import Outcome

ReplicaHealth = Literal["up", "open", "half-open", "starting", "draining", "down"]


class ReplicaState(TypedDict):
    """One replica as the gateway sees it."""

    name: str  # "pool/0"
    health: ReplicaHealth
    in_flight: int  # sent by this gateway, not yet ended
    foreign: int  # other clients' requests, as its metrics say
    most: int | None  # most in flight at a time; None: no limit
    speed: float  # observed / predicted time, 1: as predicted
    kv_used: float | None  # 0 ... 1


class PoolState(TypedDict):
    """Replicas of one kind."""

    name: str
    site: str
    model: str
    machine: str  # catalog name of the accelerator, "measured" for measured coefficients
    kind: str  # kind of its endpoint, "vllm"
    in_flight: int
    limit: int | None  # most in flight in all of it
    watts: float  # IT power at its present load, predicted
    peak_watts: float  # the same with every replica busy
    usd_per_mtok: float | None  # marginal cost of a million output tokens at a typical load
    requests: int  # counters, over all attempts that ended here
    failed: int
    prompt_tokens: int
    output_tokens: int
    joules: float
    usd: float
    kg: float
    replicas: list[ReplicaState]


class SiteState(TypedDict):
    """A place with its power."""

    name: str
    watts: float  # IT power now, predicted
    peak_watts: float
    limit_watts: float | None
    usd_per_kwh: float
    kg_per_kwh: float


class Quantiles(TypedDict):
    """Of the requests of the last minute or so."""

    p50: float
    p95: float


class ServiceState(TypedDict):
    """What customers buy, and whether they get it."""

    name: str
    model: str
    tier: str | None
    priority: int
    in_flight: int
    waiting: int  # in the gateway, for a replica with room
    ttft_target_s: float | None
    token_rate_target: float | None  # tokens per second
    percentile: float  # share of requests that must meet both
    met: int  # counters: requests within their targets
    missed: int
    outcomes: dict[Outcome, int]
    ttft_s: Quantiles | None
    tpot_s: Quantiles | None


class Flow(TypedDict):
    """Requests of a service that a pool answered, a counter."""

    service: str
    pool: str
    requests: int


class WorkerState(TypedDict):
    """One process."""

    worker: int
    pid: int | None  # None: being started again
    in_flight: int
    connections: int


class State(TypedDict):
    """All of it at one moment."""

    name: str  # of the fleet
    version: str
    policy: str
    url: str  # where clients connect
    started: float  # Unix time
    now: float
    draining: bool
    emulated: bool  # a backend says that its answers are emulated
    workers: list[WorkerState]
    sites: list[SiteState]
    pools: list[PoolState]
    services: list[ServiceState]
    flows: list[Flow]
    decisions: dict[str, int]  # reason in words -> counter
    retries: int  # counters
    continued: int
    hedged: int


class Decision(TypedDict):
    """One request that ended: where it went and why, what was predicted and what came of it."""

    time: float  # Unix time of its arrival
    id: str
    service: str
    model: str
    api: str
    tier: str
    stream: bool
    pool: str
    replica: str
    reason: str
    status: int
    outcome: Outcome
    why: str
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    wait_s: float  # in the gateway, before it was placed
    ttft_s: float | None  # from placing to first byte
    predicted_ttft_s: float | None
    tpot_s: float | None
    predicted_tpot_s: float | None
    e2e_s: float  # from arrival to end
    retries: int
    continued: int
    hedged: bool
    joules: float
    usd: float
