"""`simulate`: a fleet, a trace and a policy in; a `Result` out."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from meritorder.dispatch.state import FleetState
from meritorder.fleet.dispatch import Dispatch
from meritorder.fleet.schema import Fleet
from meritorder.perf.compile import compile_replica
from meritorder.perf.replica import Replica
from meritorder.problems import InputError, Problem
from meritorder.simulate.around import Around, around
from meritorder.simulate.faults.outage import Outages
from meritorder.simulate.kernel.loop import MORE, run
from meritorder.simulate.kernel.memory import UNBORN, SimState, Site
from meritorder.simulate.kernel.prepare import prepare
from meritorder.simulate.kernel.site_loop import run_amid
from meritorder.simulate.kernel.surround import site_of
from meritorder.simulate.kernel.tick import end
from meritorder.simulate.result import SERIES, Result, Status
from meritorder.simulate.sample import sample_of
from meritorder.simulate.services import services_of
from meritorder.simulate.start import start
from meritorder.workload.trace import Trace

# Events between two calls of `progress`: some tens of milliseconds.
SLICE = 1 << 16

Progress = Callable[[float, int], None]


def simulate(
    fleet: Fleet,
    trace: Trace,
    policy: Dispatch | None = None,
    *,
    seed: int = 0,
    bins: int = 240,
    progress: Progress | None = None,
    replicas: tuple[Replica, ...] | None = None,
    outages: Outages | None = None,
    sample: int = 1,
    thin: bool = True,
) -> Result:
    """Run `trace` on `fleet` request by request in virtual time.

    `policy` replaces the fleet's own. `progress(seconds of virtual time, requests ended)` is called now and then.
    `replicas`, one per pool, replace the compiled ones, `outages` those of the fleet's faults. `sample`: only each so
    many-th replica and request is simulated (`sample_of`); the result is that of the smaller fleet, but its `facility`
    holds all machines; with `thin` off the trace holds no other requests than these. The same inputs and seed give the
    same bits.
    Raises InputError where the trace can't be run on the fleet.
    """
    if bins < 1:
        raise ValueError(f"bins is {bins}, not at least 1")
    dispatch = policy or fleet.dispatch
    check(trace)
    whole = fleet
    part = sample_of(fleet, trace, sample, seed, thin=thin)
    fleet, trace = part.fleet, part.trace
    if replicas is None:
        replicas = tuple(compile_replica(fleet, name) for name in fleet.pools)
    service = services_of(fleet, trace, seed)
    state = start(fleet, replicas, dispatch, trace, seed)
    about = around(whole, replicas, trace.duration_s, seed, outages, part.counts)
    check_roles(fleet, about)
    sim = prepare(fleet, state, replicas, trace, service, bins, about)
    site = site_of(about)

    def go(most: int) -> int:
        return run_amid(state, sim, site, most) if about.ticks else run(state, sim, most)

    # Compiles or loads machine code, which is no part of the kernel's time. `run` comes first: `run_amid` then calls
    # that code, else its own copy, which was measured to take 1.8 times as long.
    run(state, sim, 0)
    go(0)
    wall_s = 0.0
    left = MORE
    while left == MORE:
        before = time.perf_counter()
        left = go(SLICE)
        wall_s += time.perf_counter() - before
        if progress is not None:
            progress(float(sim.clock[0].now), len(trace) - int(sim.clock[0].unfinished))
    return _result(fleet, trace, replicas, dispatch, seed, service, state, sim, site, about, wall_s)


def check(trace: Trace) -> None:
    """Raise InputError where a trace can't be simulated."""
    problems = []
    for name in ("prompt_tokens", "output_tokens"):
        bad = np.flatnonzero(getattr(trace, name) < 1)
        if len(bad):
            problems.append(
                Problem(
                    f"{len(bad):,} requests have {name} below 1, the first is request {bad[0]}",
                    where=trace.source,
                    fix="leave out requests that failed",
                )
            )
    by_clock = trace.arrival_s[trace.after < 0]
    if not np.isfinite(by_clock).all() or (len(by_clock) and by_clock.min() < 0):
        problems.append(Problem("arrivals must be finite seconds >= 0", where=trace.source))
    elif not trace.closed_loop and (np.diff(by_clock) < 0).any():
        problems.append(Problem("requests are not in the order of arrival", where=trace.source))
    if (trace.after >= np.arange(len(trace))).any() or (trace.after < -1).any():
        problems.append(Problem("a request waits for one that does not stand before it", where=trace.source))
    if not (np.isfinite(trace.think_s) & (trace.think_s >= 0)).all():
        problems.append(Problem("think times must be finite seconds >= 0", where=trace.source))
    if not (trace.cancel_s > 0).all():
        problems.append(Problem("clients give up after seconds > 0, or inf", where=trace.source))
    for name, column, known in (("region", trace.region, trace.regions), ("service", trace.service, trace.services)):
        if len(column) and not (column.min() >= 0 and column.max() < len(known)):
            problems.append(Problem(f"a {name} is not one of the {len(known)} named", where=trace.source))
    if len(trace.blocks) and trace.blocks.min() < 0:
        problems.append(Problem("prefix block ids must be >= 0", where=trace.source))
    if not len(trace):
        problems.append(Problem("holds no requests", where=trace.source))
    if problems:
        raise InputError(problems)


def check_roles(fleet: Fleet, about: Around) -> None:
    """Raise InputError where pools with roles meet what the kernel can't do with them."""
    roles = [name for name, pool in fleet.pools.items() if pool.role != "both"]
    built = any(site.facility is not None for site in fleet.sites.values())
    if roles and (built or len(about.outages.outages)):
        what = "machines that may fail can't be simulated where prompts are computed apart from decoding"
        raise InputError(Problem(what, key=f"pools.{roles[0]}.role", fix="leave out `faults` and `facility`, or roles"))


def _result(
    fleet: Fleet,
    trace: Trace,
    replicas: tuple[Replica, ...],
    dispatch: Dispatch,
    seed: int,
    service: np.ndarray[tuple[int], np.dtype[np.int32]],
    state: FleetState,
    sim: SimState,
    site: Site,
    about: Around,
    wall_s: float,
) -> Result:
    q, clock = sim.requests, sim.clock[0]
    for name in ("arrival", "start", "first", "finish"):
        column = q[name]
        column[column < 0.0] = np.nan
    status = np.where(q.status == UNBORN, Status.UNREACHED, q.status).astype(np.uint8)
    # a first token that was still on its way when the client left was never seen
    unseen = (status == Status.CANCELLED) & (q.first > q.finish)
    q.first[unseen] = np.nan
    replica, decoder, transfer = q.replica, np.full(len(q), -1, np.int32), np.full(len(q), np.nan)
    if len(sim.handed):
        h = sim.handed
        replica = np.where(h.prefiller >= 0, h.prefiller, replica).astype(np.int32)
        decoder, transfer = h.decoder, np.where(h.transfer >= 0.0, h.transfer, np.nan)
    returned, return_s = np.zeros(len(q), np.int32), np.full(len(q), np.nan)
    if len(sim.returns):
        returned = sim.returns.tokens
        return_s = np.where(returned > 0, sim.returns.seconds, np.nan)
    sent = replica >= 0
    span_s = float(max(clock.now, np.nanmax(q.finish, initial=0.0)))
    if about.ticks:
        end(state, sim, site, span_s)
    h = sim.health
    return Result(
        fleet=fleet,
        trace=trace,
        replicas=replicas,
        policy=dispatch.policy,
        seed=seed,
        service=service,
        status=status,
        pool=np.where(sent, state.replicas.pool[replica], -1).astype(np.int32),
        replica=replica,
        arrival_s=q.arrival,
        start_s=q.start,
        first_s=q.first,
        finish_s=q.finish,
        preemptions=q.preempted,
        attempts=q.attempts,
        cause=np.where((status == Status.LOST) | (status == Status.SHED), q.cause, 0).astype(np.uint8),
        parked_s=sim.parked_s if len(sim.parked_s) else np.zeros(len(q)),
        hit_tokens=q.hit,
        returned_tokens=returned,
        return_s=return_s,
        decode_pool=np.where(decoder >= 0, state.replicas.pool[decoder], -1).astype(np.int32),
        decode_replica=decoder,
        transfer_s=transfer,
        reason=q.reason,
        bin_s=float(clock.bin_s),
        series={name: sim.series[name].copy() for name in SERIES},
        span_s=span_s,
        wall_s=wall_s,
        events=int(clock.handled),
        iterations=int(clock.iterations),
        facility=site.facility if len(site.facility.sites) else None,
        control=site.control if len(site.facility.sites) else None,
        placing=about.placed,
        weights=about.weights if (about.weights != 1.0).any() else None,
        outages=about.outages if about.ticks else None,
        down_s=h.down_s + (h.down > 0) * (span_s - h.since) if about.ticks else None,
    )
