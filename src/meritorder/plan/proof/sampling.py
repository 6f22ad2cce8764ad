"""How large a part of a fleet is simulated: small enough to be quick, large enough that whole replicas stand for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from meritorder.fleet.schema import Fleet
from meritorder.plan.proof.apis import in_parts

LOST = 0.01  # of a service's capacity: most that rounding to sampled replicas may take or add
STEP = 1.06
LEAST = 64  # simulated replicas of a service: with fewer, queues pool worse than in the fleet that they stand for


@dataclass(frozen=True)
class Part:
    """One replica and one request of `k`. Pools that are too small to have one are left out."""

    k: int
    fleet: Fleet  # whole, without those pools
    error: float  # largest share of a service's capacity that rounding took or added
    dropped: tuple[str, ...]


def part_of(fleet: Fleet, requests: float, most: float, capacity: Mapping[str, float], *, least: int = LEAST) -> Part:
    """The part that brings `requests` down to `most`, or as near as whole replicas, `least` of a service, let it.

    `capacity`: weight of a replica among others, by pool; 0 of APIs, which have as many replicas as are needed.
    """
    counts = [_replicas(fleet, name) for name in fleet.services]
    k = max(1, min(int(np.ceil(requests / most)), *(count // least for count in counts)))
    while k > 1 and _error(fleet, k, capacity) > LOST:
        k = min(k - 1, int(k / STEP))
    pools = {
        name: in_parts(pool, k) if k > 1 and capacity[name] == 0.0 and pool.measured is not None else pool
        for name, pool in fleet.pools.items()
    }
    fleet = fleet.model_copy(update={"pools": pools})
    dropped = tuple(name for name, pool in pools.items() if pool.replicas < k)
    return Part(k, without(fleet, dropped), _error(fleet, k, capacity), dropped)


def without(fleet: Fleet, dropped: tuple[str, ...]) -> Fleet:
    """The fleet without some pools."""
    if not dropped:
        return fleet
    pools = {name: pool for name, pool in fleet.pools.items() if name not in dropped}
    services = {
        name: service.model_copy(update={"pools": tuple(pool for pool in service.pools if pool in pools)})
        if service.pools is not None
        else service
        for name, service in fleet.services.items()
    }
    return fleet.model_copy(update={"pools": pools, "services": services})


def _replicas(fleet: Fleet, service: str) -> int:
    """Replicas that may serve a service."""
    bound = fleet.services[service].pools
    return sum(pool.replicas for name, pool in fleet.pools.items() if bound is None or name in bound)


def _error(fleet: Fleet, k: int, capacity: Mapping[str, float]) -> float:
    """Largest relative difference between a service's capacity and what the sampled replicas stand for."""
    worst = 0.0
    for service in fleet.services.values():
        pools = [name for name in fleet.pools if service.pools is None or name in service.pools]
        real = np.array([fleet.pools[name].replicas for name in pools], float)
        weight = np.array([capacity[name] for name in pools]) * (real > 0)
        whole = float(weight @ real)
        if whole > 0.0:
            stands = np.array([round(count / k) * k if count >= k else 0.0 for count in real])
            worst = max(worst, abs(float(weight @ (stands - real))) / whole)
    return worst
