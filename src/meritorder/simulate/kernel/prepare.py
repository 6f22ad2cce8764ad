"""The kernel's memory for a fleet and a trace, before the first event."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from meritorder.dispatch.state import WHOLE, FleetState
from meritorder.dispatch.tournament import new_tree
from meritorder.fleet.schema import Fleet
from meritorder.perf.replica import Replica
from meritorder.problems import InputError, Problem
from meritorder.records import Records, records
from meritorder.simulate.around import Around
from meritorder.simulate.kernel.memory import (
    APART,
    BIN,
    CACHE,
    CLOCK,
    ENGINE,
    EVENT,
    FINISH,
    HANDED,
    LIST,
    NOBODY,
    REQUEST,
    RETURN,
    SLOT,
    TIER,
    SimState,
)
from meritorder.simulate.kernel.surround import set_out, surround
from meritorder.workload.trace import Trace


def prepare(
    fleet: Fleet,
    state: FleetState,
    replicas: Sequence[Replica],
    trace: Trace,
    service: npt.NDArray[np.int32],
    bins: int,
    about: Around,
) -> SimState:
    """Memory of a run of `trace` on `fleet` amid `about`, with `bins` bins per pool's series."""
    n = len(trace)
    ranks = sorted({s.priority for s in fleet.services.values()})
    count = len(state.replicas)
    classes = len(ranks) if state.pools.by_priority.any() else 1
    pool_of = state.replicas.pool
    seats = state.pools.max_sequences[pool_of].astype(np.int64)
    phases = int(state.pools.block_tokens.max())

    engines = records(count, ENGINE)
    engines.free[:] = state.pools.kv_blocks[pool_of]
    engines.heap[:] = np.cumsum(seats) - seats
    engines.stretch[:] = engines.wanted[:] = 1.0
    engines.apart[:] = state.pools.role[pool_of] != WHOLE
    for name in ("head", "tail", "prefilling", "cancels"):
        engines[name] = NOBODY
    requests = records(n, REQUEST)
    for name in ("arrival", "start", "first", "finish"):
        requests[name] = -1.0
    requests.replica[:] = -1
    waiting = records(count * classes, LIST)
    waiting.head[:] = waiting.tail[:] = NOBODY

    starts, follower, sibling = _links(trace)
    cancel_s = _cancel(fleet, trace, service)
    clock = records(1, CLOCK)
    c = clock[0]
    c.bin_s = max(trace.duration_s, 1e-3) / bins * 1.05
    c.bins_per_s = 1.0 / c.bin_s
    c.unit_tokens = trace.block_tokens
    c.classes, c.phases, c.unfinished, c.unsent = classes, phases, n, int((trace.after >= 0).sum())
    delayed = bool(
        any((seconds > 0).any() for seconds in (state.pools.request_s, state.pools.prompt_token_s))
        or (state.rtt_s > 0).any()
    )
    roles = bool(state.pools.role.any())
    # a request that two replicas share may have three events to come: at its engine, its KV cache's leaving and coming
    of_requests = 3 * n if roles else n * delayed
    events = of_requests + int((trace.after >= 0).sum()) + int(np.isfinite(cancel_s).sum()) + 1
    events += n * any(replica.tier is not None for replica in replicas)
    events += (n + 2) * about.ticks  # one that is sent anew, the next tick and the next outage
    heap = records(events, EVENT)
    set_out(fleet, about, clock, heap)
    apart, handed = records(count * roles, APART), records(n * roles, HANDED)
    wanting, landed = records(count * roles, LIST), records(count * roles, LIST)
    for ends in (wanting, landed):
        ends.head[:] = ends.tail[:] = NOBODY
    handed.prefiller[:] = handed.decoder[:] = -1
    handed.transfer[:] = -1.0
    caches, slots, table = _caches(fleet, state, replicas, trace)
    tiers = _tiers(replicas, pool_of, trace) if len(caches) > count else records(0, TIER)
    return SimState(
        engines=engines,
        requests=requests,
        waiting=waiting,
        heap=records(int(seats.sum()), FINISH),
        phases=np.zeros(count * phases, np.int32),
        timeline=new_tree(count),
        events=heap,
        clock=clock,
        caches=caches,
        slots=slots,
        table=table,
        series=np.zeros((len(state.pools), bins), np.dtype(BIN, align=True)).view(np.recarray),
        apart=apart,
        wanting=wanting,
        landed=landed,
        handed=handed,
        pipes=np.zeros(len(fleet.links)),
        egress=np.zeros(len(fleet.sites)),
        tiers=tiers,
        returns=records(n * (len(tiers) > 0), RETURN),
        arrival_s=trace.arrival_s,
        prompt=trace.prompt_tokens,
        output=trace.output_tokens,
        service=service,
        region=trace.region,
        starts=starts,
        follower=follower,
        sibling=sibling,
        think_s=trace.think_s,
        cancel_s=cancel_s,
        block_start=trace.block_start,
        blocks=trace.blocks,
        rank=np.array([ranks.index(s.priority) for s in fleet.services.values()], np.int32),
        **surround(fleet, state, replicas, about, n),
    )


def _links(trace: Trace) -> tuple[Records, Records, Records]:
    """Requests that start by the clock in order of time, and for each request who waits for it."""
    empty = np.zeros(0, np.int32)
    if not trace.closed_loop:
        return empty, empty, empty
    by_clock = np.flatnonzero(trace.after < 0).astype(np.int32)
    by_clock = by_clock[np.argsort(trace.arrival_s[by_clock], kind="stable")]
    follower = np.full(len(trace), NOBODY, np.int32)
    sibling = np.full(len(trace), NOBODY, np.int32)
    # from the last to the first, so that each list is in the order of the trace
    for i in np.flatnonzero(trace.after >= 0)[::-1]:
        sibling[i] = follower[trace.after[i]]
        follower[trace.after[i]] = i
    return by_clock, follower, sibling


def _cancel(fleet: Fleet, trace: Trace, service: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
    """When each client gives up: its own limit or its service's patience, whichever is first."""
    patience = np.array([s.patience or np.inf for s in fleet.services.values()], np.float32)
    if np.isinf(patience).all():
        return trace.cancel_s
    return np.minimum(trace.cancel_s, patience[service])


def _caches(
    fleet: Fleet, state: FleetState, replicas: Sequence[Replica], trace: Trace
) -> tuple[Records, Records, Records]:
    """Prefix caches of all replicas, then their slow tiers: a slot for each unit that fits, hash tables of four."""
    pools, of, unit = state.pools, state.replicas.pool, trace.block_tokens
    if not pools.prefix_caching.any():
        return _laid_out(np.zeros(len(of), np.int64))
    for index, name in enumerate(fleet.pools):
        block = int(pools[index].block_tokens)
        if pools[index].prefix_caching and unit % block:
            raise InputError(
                Problem(
                    f"KV blocks of {block} tokens can't hold the trace's prefix blocks of {unit}",
                    key=f"pools.{name}.engine.kv_block_tokens",
                    fix=f"give a divisor of {unit}, or prefix_caching: false",
                )
            )
    held = pools.kv_blocks * pools.block_tokens // unit
    capacity = np.where(pools.prefix_caching != 0, np.minimum(held, trace.unique_blocks), 0)
    spilled = [min(r.tier.units(unit), trace.unique_blocks) if r.tier is not None else 0 for r in replicas]
    room = np.where(pools.prefix_caching != 0, np.array(spilled, np.int64), 0)
    if not room.any():
        return _laid_out(capacity[of])
    caches, slots, table = _laid_out(np.concatenate([capacity[of], room[of]]))
    count = len(of)
    caches.room[count:] = room[of]
    caches.below[:count] = np.where(room[of] > 0, np.arange(count) + count, NOBODY)
    return caches, slots, table


def _laid_out(capacity: npt.NDArray[np.int64]) -> tuple[Records, Records, Records]:
    """Empty caches of so many units each, with their slots and tables one behind the other."""
    caches = records(len(capacity), CACHE)
    caches.oldest[:] = caches.newest[:] = caches.vacant[:] = caches.below[:] = NOBODY
    size = np.array([1 << (4 * int(slots)).bit_length() for slots in capacity], np.int64)
    caches.mask[:] = size - 1
    caches.first[:] = np.cumsum(capacity) - capacity
    caches.table[:] = np.cumsum(size) - size
    return caches, records(int(capacity.sum()), SLOT), np.zeros(int(size.sum()), np.int32)


def _tiers(replicas: Sequence[Replica], of: npt.NDArray[np.int32], trace: Trace) -> Records:
    """The slow tiers' wires, idle."""
    tiers = records(len(of), TIER)
    tiers.head[:] = tiers.tail[:] = NOBODY
    for tier, pool in zip(tiers, of, strict=True):
        told = replicas[pool].tier
        if told is not None:
            tier.latency_s = told.latency
            tier.prompt_s = told.bytes_per_prompt / told.bandwidth
            tier.unit_s = told.bytes_per_token * trace.block_tokens / told.bandwidth
    return tiers
