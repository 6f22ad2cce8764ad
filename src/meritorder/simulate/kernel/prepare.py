"""The kernel's memory for a fleet and a trace, before the first event."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from meritorder.dispatch.records import Records, records
from meritorder.dispatch.state import WHOLE, FleetState
from meritorder.dispatch.tournament import new_tree
from meritorder.fleet.schema import Fleet
from meritorder.perf.replica import Replica
from meritorder.problems import InputError, Problem
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
    SLOT,
    SimState,
)
from meritorder.workload.trace import Trace


def prepare(
    fleet: Fleet,
    state: FleetState,
    replicas: Sequence[Replica],
    trace: Trace,
    service: npt.NDArray[np.int32],
    bins: int,
) -> SimState:
    """Memory of a run of `trace` on `fleet`, with `bins` bins per pool's series."""
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
    c.classes, c.phases, c.unfinished = classes, phases, n
    delayed = bool(
        (state.pools.request_s > 0).any() or (state.pools.prompt_token_s > 0).any() or (state.rtt_s > 0).any()
    )
    roles = bool(state.pools.role.any())
    # a request that two replicas share may have three events to come: at its engine, its KV cache's leaving and coming
    of_requests = 3 * n if roles else n * delayed
    events = of_requests + int((trace.after >= 0).sum()) + int(np.isfinite(cancel_s).sum()) + 1
    apart, handed = records(count * roles, APART), records(n * roles, HANDED)
    for name in ("wanting", "last_wanting", "landed", "last_landed"):
        apart[name] = NOBODY
    handed.prefiller[:] = handed.decoder[:] = -1
    handed.transfer[:] = -1.0
    caches, slots, table = _caches(fleet, state, trace)
    return SimState(
        engines=engines,
        requests=requests,
        waiting=waiting,
        heap=records(int(seats.sum()), FINISH),
        phases=np.zeros(count * phases, np.int32),
        timeline=new_tree(count),
        events=records(events, EVENT),
        clock=clock,
        caches=caches,
        slots=slots,
        table=table,
        series=np.zeros((len(state.pools), bins), np.dtype(BIN, align=True)).view(np.recarray),
        apart=apart,
        handed=handed,
        pipes=np.zeros(len(fleet.links)),
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


def _caches(fleet: Fleet, state: FleetState, trace: Trace) -> tuple[Records, Records, Records]:
    """Prefix caches of all replicas: as many slots as units fit, and a hash table four times as large."""
    count = len(state.replicas)
    caches = records(count, CACHE)
    caches.oldest[:] = caches.newest[:] = caches.vacant[:] = NOBODY
    if not state.pools.prefix_caching.any():
        return caches, records(0, SLOT), np.zeros(0, np.int32)
    for index, name in enumerate(fleet.pools):
        block = int(state.pools[index].block_tokens)
        if state.pools[index].prefix_caching and trace.block_tokens % block:
            raise InputError(
                Problem(
                    f"KV blocks of {block} tokens can't hold the trace's prefix blocks of {trace.block_tokens}",
                    key=f"pools.{name}.engine.kv_block_tokens",
                    fix=f"give a divisor of {trace.block_tokens}, or prefix_caching: false",
                )
            )
    pools = state.pools
    held = pools.kv_blocks * pools.block_tokens // trace.block_tokens
    capacity = np.where(pools.prefix_caching != 0, np.minimum(held, trace.unique_blocks), 0)
    size = np.array([1 << (4 * int(slots)).bit_length() for slots in capacity], np.int64)
    of = state.replicas.pool
    caches.mask[:] = size[of] - 1
    caches.first[:] = np.cumsum(capacity[of]) - capacity[of]
    caches.table[:] = np.cumsum(size[of]) - size[of]
    return caches, records(int(capacity[of].sum()), SLOT), np.zeros(int(size[of].sum()), np.int32)
