"""The gateway at one moment, put together from the books, the metrics and what the workers said last."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from meritorder import __version__
from meritorder.fleet.schema import Fleet, Pool
from meritorder.perf.replica import Replica
from meritorder.serve.admin.state import (
    PoolState,
    ReplicaHealth,
    ReplicaState,
    ServiceState,
    SiteState,
    State,
    WorkerState,
)
from meritorder.serve.seen.overview import Counts, Overview

Snapshot = dict[str, Any]  # of the books
Said = dict[str, Any]  # by a worker: pid, in_flight, connections, health, kv_used, emulated


def state(
    fleet: Fleet,
    replicas: Sequence[Replica],
    books: Snapshot,
    overview: Overview,
    total: Counts,
    workers: Sequence[Said],
    *,
    url: str,
    started: float,
    draining: bool,
) -> State:
    """See `admin/state.py` for what all of it means."""
    pools = _pools(fleet, replicas, books, overview, total, workers)
    counted = overview.attempts(total)
    return State(
        name=fleet.name,
        version=__version__,
        policy=fleet.dispatch.policy,
        url=url,
        started=started,
        now=time.time(),
        draining=draining,
        emulated=any(said.get("emulated") for said in workers),
        workers=[_worker(number, said) for number, said in enumerate(workers)],
        sites=[_site(name, fleet, books, pools) for name in fleet.sites],
        pools=pools,
        services=_services(fleet, books, overview, total),
        flows=overview.flows(total),  # type: ignore[typeddict-item]
        decisions=overview.decisions(total),
        retries=counted["retries"],
        continued=counted["continued"],
        hedged=counted["hedged"],
    )


def _worker(number: int, said: Said) -> WorkerState:
    return WorkerState(
        worker=number,
        pid=said["pid"],
        in_flight=said.get("in_flight", 0),
        connections=said.get("connections", 0),
    )


def _site(name: str, fleet: Fleet, books: Snapshot, pools: Sequence[PoolState]) -> SiteState:
    now, site = books["sites"][name], fleet.sites[name]
    return SiteState(
        name=name,
        watts=now["watts"],
        peak_watts=sum(pool["peak_watts"] for pool in pools if pool["site"] == name),
        limit_watts=now["limit_watts"],
        usd_per_kwh=site.usd_per_kwh,
        kg_per_kwh=site.kg_per_kwh,
    )


def _pools(
    fleet: Fleet,
    replicas: Sequence[Replica],
    books: Snapshot,
    overview: Overview,
    total: Counts,
    workers: Sequence[Said],
) -> list[PoolState]:
    counted = overview.pools(total)
    result = []
    first = 0
    for (name, pool), replica in zip(fleet.pools.items(), replicas, strict=True):
        now, counts = books["pools"][name], counted[name]
        mine = range(first, first + pool.replicas)
        first += pool.replicas
        output = counts["output_tokens"]
        result.append(
            PoolState(
                name=name,
                site=pool.site,
                model=pool.model,
                machine=pool.accelerator or "measured",
                kind=_kind(pool),
                in_flight=now["in_flight"],
                limit=now["limit"],
                watts=now["busy_watts"] + pool.replicas * replica.table.idle_w,
                peak_watts=pool.replicas * replica.max_w,
                usd_per_mtok=counts["usd"] / output * 1e6 if output else None,
                replicas=[_replica(books["replicas"][i], i, workers) for i in mine],
                **counts,  # type: ignore[typeddict-item]
            )
        )
    return result


def _kind(pool: Pool) -> str:
    return pool.endpoint.kind if pool.endpoint is not None else ""


def _replica(now: dict[str, Any], index: int, workers: Sequence[Said]) -> ReplicaState:
    return ReplicaState(
        name=now["name"],
        health=_health(now["usable"], [said["health"][index] for said in workers if "health" in said]),
        in_flight=now["in_flight"],
        foreign=now["foreign"],
        most=now["most"],
        speed=now["speed"],
        kv_used=next(
            (said["kv_used"][index] for said in workers if "kv_used" in said and said["kv_used"][index]), None
        ),
    )


def _health(usable: bool, said: Sequence[ReplicaHealth]) -> ReplicaHealth:
    """What the worker says that has something to say; all of them act on what any of them found."""
    for health in said:
        if health != "up":
            return health
    return "up" if usable else "down"


def _services(fleet: Fleet, books: Snapshot, overview: Overview, total: Counts) -> list[ServiceState]:
    counted = overview.services(time.monotonic(), total)
    return [
        ServiceState(
            name=name,
            model=service.model,
            tier=service.live.tier,
            priority=service.priority,
            in_flight=books["services"][name]["in_flight"],
            ttft_target_s=service.slo.ttft,
            token_rate_target=service.slo.token_rate,
            percentile=service.slo.percentile,
            **counted[name],  # type: ignore[typeddict-item]
        )
        for name, service in fleet.services.items()
    ]
