"""A large fleet seen through a part of it: of k replicas one is simulated, of k requests one comes."""

from __future__ import annotations

from dataclasses import dataclass

from meritorder.fleet.schema import Fleet
from meritorder.problems import InputError, Problem
from meritorder.workload.trace import Trace
from meritorder.workload.transform import scale_rate


@dataclass(frozen=True)
class Sample:
    """What is simulated of a fleet and of its traffic."""

    fleet: Fleet  # with fewer replicas
    trace: Trace
    counts: tuple[int, ...] | None  # simulated replicas of each pool; None: all


def sample_of(fleet: Fleet, trace: Trace, part: int, seed: int, *, thin: bool = True) -> Sample:
    """One replica and one request (session) of `part`; 1: all. `thin` off: the trace is such a part already.

    Buildings get the energy of all that a simulated replica stands for. What needs many replicas to show (queues pool
    better in large fleets, caches are shared by fewer) is not kept. Raises InputError where a pool is too small.
    """
    pools = fleet.pools
    small = [name for name, pool in pools.items() if pool.replicas < part]
    if part < 1 or small:
        fix = f"give 1 to {min(pool.replicas for pool in pools.values())}: the replicas of the smallest pool"
        raise InputError(Problem(f"is {part}, so of some pools nothing would be simulated", key="sample", fix=fix))
    counts = tuple(round(pool.replicas / part) for pool in pools.values())
    if part == 1:
        return Sample(fleet, trace, None)
    fewer = {
        name: pool.model_copy(update={"replicas": count})
        for (name, pool), count in zip(pools.items(), counts, strict=True)
    }
    thinned = scale_rate(trace, 1.0 / part, seed) if thin else trace
    return Sample(fleet.model_copy(update={"pools": fewer}), thinned, counts)
