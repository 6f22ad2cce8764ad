"""A made-up `Result` for tests of what comes after the kernel: an M/M-like random run, no engine behind it."""

from __future__ import annotations

import numpy as np

from meritorder.dispatch import reasons
from meritorder.fleet.schema import Engine, Fleet, MeasuredCoefficients, Pool, Service, Site, Slo
from meritorder.perf.replica import Replica
from meritorder.perf.table import IterationTable
from meritorder.simulate.faults import causes
from meritorder.simulate.result import SERIES, Result, Status
from meritorder.workload.trace import make_trace


def fake_fleet() -> Fleet:
    """Three pools at two sites, three services."""

    def pool(site: str, replicas: int, kv_tokens: int, usd_per_hour: float) -> Pool:
        measured = MeasuredCoefficients(
            host_s=0.005, idle_w=500, busy_w=3000, kv_tokens=kv_tokens, usd_per_hour=usd_per_hour
        )
        engine = Engine(max_sequences=64, token_budget=2048)
        return Pool(site=site, measured=measured, model="m", replicas=replicas, engine=engine)

    return Fleet(
        name="Three pools, two sites",
        sites={
            "north": Site(pue=1.1, usd_per_kwh=0.05, kg_per_kwh=0.03),
            "south": Site(pue=1.4, usd_per_kwh=0.12, kg_per_kwh=0.4),
        },
        pools={
            "wafer": pool("north", 1, 400_000, 90.0),
            "h100": pool("north", 4, 300_000, 16.0),
            "b200-far": pool("south", 2, 600_000, 30.0),
        },
        services={
            "chat": Service(model="m", share=0.6, slo=Slo(ttft=0.5, token_rate=40), value_usd_per_mtok=2.0),
            "agents": Service(
                model="m", share=0.3, slo=Slo(ttft=1.0, token_rate=100, percentile=0.9), penalty_usd=0.001
            ),
            "batch": Service(model="m", share=0.1, priority=2, slo=Slo(percentile=0.9, ttft=30.0)),
        },
        carbon_price_usd_per_kg=0.1,
    )


def fake_table(max_sequences: int = 64, token_budget: int = 2048, idle_w: float = 500.0) -> IterationTable:
    """A table that nobody steps with."""
    ones = np.ones(token_budget + 1)
    zeros = np.zeros(max_sequences + 1)
    return IterationTable(
        step_s=0.005 * ones, prefill_s=0 * ones, decode_s=zeros, decode_kv_s=zeros, pair_s=0.0,
        step_j=10 * ones, prefill_j=0 * ones, decode_j=zeros, decode_kv_j=zeros, pair_j=0.0, idle_w=idle_w,
    )  # fmt: skip


def fake_replicas(fleet: Fleet) -> tuple[Replica, ...]:
    """A replica for each pool, with the pool's measured cost and KV tokens; the first is a guess."""
    made = []
    for i, pool in enumerate(fleet.pools.values()):
        assert pool.measured is not None
        notes = ("decode bandwidth under load is a range: 0.6 to 0.9 of peak, 0.75 used",) if i == 0 else ()
        made.append(
            Replica(
                table=fake_table(idle_w=pool.measured.idle_w), kv_blocks=pool.measured.kv_tokens // 16, block_tokens=16,
                max_context=32768, accelerators=4, weight_bytes=1e11, kv_bytes_per_token=1e5, memory_bytes=3e11,
                max_w=pool.measured.busy_w, usd_per_hour=pool.measured.usd_per_hour, notes=notes,
            )
        )  # fmt: skip
    return tuple(made)


def fake_result(
    n: int = 20_000, seed: int = 1, policy: str = "merit-order", slow: float = 1.0, bins: int = 240
) -> Result:
    """`n` requests over an hour; `slow` stretches every wait and every token. Equal `seed`: equal traffic."""
    fleet = fake_fleet()
    traffic = np.random.default_rng(seed)
    rng = np.random.default_rng([seed, *policy.encode()])
    span = 3600.0
    rate = 1 + 0.6 * np.sin(np.arange(3600) / 3600 * 2 * np.pi)
    arrival = np.sort(np.interp(traffic.random(n), np.append(0, rate.cumsum()) / rate.sum(), np.arange(3601.0)))
    arrival *= (span - 120) / span
    service = traffic.choice(3, n, p=[0.6, 0.3, 0.1])
    prompt = np.minimum(traffic.lognormal(6.5, 1.1, n), 30_000).astype(int) + 1
    output = np.minimum(traffic.lognormal(4.8, 0.8, n), 1500).astype(int) + 1
    load = np.interp(arrival, np.arange(3600.0), rate)
    chance = np.array([[0.2, 0.6, 0.2], [0.8, 0.15, 0.05], [0.0, 0.2, 0.8]])[service]
    pool = (rng.random((n, 1)) > chance.cumsum(axis=1)).sum(axis=1)
    wait = rng.exponential(0.04, n) * np.exp(2.2 * (load - 1)) * slow + 0.01
    start = arrival + wait
    first = start + prompt * np.array([2e-5, 1.5e-4, 8e-5])[pool] + 0.02
    speed = np.array([400.0, 55.0, 80.0])[pool] * rng.lognormal(0, 0.15, n) / slow / np.sqrt(load)
    finish = first + (output - 1) / speed
    status = np.full(n, Status.COMPLETED, np.uint8)
    draw = rng.random(n)
    status[draw < 0.004] = Status.TOO_LONG
    status[(draw >= 0.004) & (draw < 0.01)] = Status.SHED
    status[(draw >= 0.01) & (draw < 0.02)] = Status.CANCELLED
    never = (status == Status.TOO_LONG) | (status == Status.SHED)
    for times in (start, first, finish):
        times[never] = np.nan
    pool[never] = -1
    gave_up = status == Status.CANCELLED
    finish[gave_up] = first[gave_up] + 0.5 * (finish - first)[gave_up]
    base = np.array([0, 1, 5])
    replica = np.where(never, -1, base[pool] + rng.integers(0, 100, n) % np.array([1, 4, 2])[pool])
    names = [reasons.CHEAPEST, reasons.CHEAPEST, reasons.CHEAPEST_PREFIX, reasons.LEAST_HARM]
    reason = rng.choice(names, n).astype(np.uint8)
    reason[status == Status.SHED] = reasons.SHED
    reason[status == Status.TOO_LONG] = reasons.TOO_LONG
    cause = np.where(status == Status.SHED, causes.OVERLOADED, causes.NO_CAUSE).astype(np.uint8)
    bin_s = span / bins
    series = {name: np.zeros((3, bins)) for name in SERIES}
    hit = np.where(never, 0, (prompt * (rng.random(n) < 0.3) * 0.5).astype(int))
    for p, replicas in enumerate((1, 4, 2)):
        mine = (pool == p) & ~never
        cell = np.clip(finish[mine] / bin_s, 0, bins - 1).astype(int)
        series["output_tokens"][p] = np.bincount(cell, output[mine], bins)
        series["prompt_tokens"][p] = np.bincount(cell, (prompt - hit)[mine], bins)
        series["running_s"][p] = np.bincount(cell, (finish - start)[mine], bins)
        series["kv_token_s"][p] = np.bincount(cell, ((finish - start) * (prompt + output))[mine], bins) * 10
        series["busy_s"][p] = np.minimum(series["running_s"][p] / 4, replicas * bin_s)
        series["energy_j"][p] = series["busy_s"][p] * 2500
        series["iterations"][p] = series["busy_s"][p] / 0.02
    return Result(
        fleet=fleet,
        trace=make_trace(arrival, prompt, output, source="made-up traffic of one hour", warnings=("made up",)),
        replicas=fake_replicas(fleet),
        policy=policy, seed=seed,
        service=service.astype(np.int32), status=status, pool=pool.astype(np.int32), replica=replica.astype(np.int32),
        arrival_s=arrival, start_s=start, first_s=first, finish_s=finish,
        decode_pool=np.full(n, -1, np.int32), decode_replica=np.full(n, -1, np.int32), transfer_s=np.full(n, np.nan),
        attempts=np.zeros(n, np.uint8), cause=cause, parked_s=np.zeros(n),
        preemptions=(rng.random(n) < 0.01).astype(np.int32), hit_tokens=hit.astype(np.int32), reason=reason,
        returned_tokens=np.zeros(n, np.int32), return_s=np.full(n, np.nan),
        bin_s=bin_s, series=series, span_s=span, wall_s=0.02, events=3 * n, iterations=int(series["iterations"].sum()),
    )  # fmt: skip
