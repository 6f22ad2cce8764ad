"""Random fleets, tables and traces, small enough for the oracle and nasty enough for the kernel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meritorder.catalog.load import models
from meritorder.fleet.dispatch import POLICIES, Dispatch
from meritorder.fleet.links import Link
from meritorder.fleet.schema import Engine, Fleet, MeasuredCoefficients, Pool, Service, Site, Slo
from meritorder.perf.replica import Replica, Tier
from meritorder.perf.table import IterationTable
from meritorder.simulate.faults.outage import Outages
from meritorder.workload.trace import Trace, make_trace

MODELS = ("llama-3.1-8b", "qwen3-32b")


@dataclass(frozen=True)
class Case:
    fleet: Fleet
    replicas: tuple[Replica, ...]
    trace: Trace
    seed: int
    outages: Outages | None = None
    sample: int = 1


def random_table(g: np.random.Generator, max_sequences: int, token_budget: int) -> IterationTable:
    """An irregular but valid table: no assumption of the kernel beyond affinity in K holds."""

    def rising(n: int, start: float, total: float) -> np.ndarray:
        return start + total * np.cumsum(g.dirichlet(np.full(n, 0.5)))

    tokens, batch = token_budget + 1, max_sequences + 1
    prefill_s, prefill_j = rising(tokens, 0.0, g.uniform(0, 0.02)), rising(tokens, 0.0, 5.0)
    decode_s, decode_j = rising(batch, 0.0, g.uniform(0, 0.02)), rising(batch, 0.0, 5.0)
    kv_s, kv_j = g.uniform(0, 1e-5, batch), g.uniform(0, 1e-3, batch)
    for column in (prefill_s, prefill_j, decode_s, decode_j, kv_s, kv_j):
        column[0] = 0.0
    if g.random() < 0.2:
        kv_s[:] = 0.0
    return IterationTable(
        step_s=rising(tokens, g.uniform(1e-4, 2e-2), g.uniform(0, 0.1)),
        prefill_s=prefill_s,
        decode_s=decode_s,
        decode_kv_s=kv_s,
        pair_s=g.uniform(0, 1e-7),
        step_j=rising(tokens, g.uniform(0.1, 5), g.uniform(0, 50)),
        prefill_j=prefill_j,
        decode_j=decode_j,
        decode_kv_j=kv_j,
        pair_j=g.uniform(0, 1e-5),
        idle_w=100.0,
        mixed_kv_s=kv_s[-1],
    )


def random_case(
    seed: int,
    *,
    policy: str | None = None,
    tight: bool = False,
    prefix: bool = False,
    roles: bool = False,
    spill: bool = False,
) -> Case:
    """A case from a seed. `tight`: KV space for few requests; `prefix`: shared prompt beginnings; `roles`: prompts are
    computed and decoded on different machines, beside others or not; `spill`: most pools have a slow tier."""
    g = np.random.default_rng(seed)
    unit = int(g.choice([16] if spill else [16, 32, 64])) if prefix else 0
    sites = {
        name: Site(usd_per_kwh=g.uniform(0.02, 0.2), kg_per_kwh=0.3, rtt={"default": float(g.choice([0.0, 0.02]))})
        for name in ("north", "south")
    }
    pools, replicas = {}, []
    longest = 0
    role_of = ["prefill", "decode", *g.choice(["both", "prefill", "decode"], g.integers(0, 3))] if roles else []
    for index in range(len(role_of) or g.integers(1, 4)):
        max_sequences = int(g.integers(1, 12))
        budget = int(g.choice([max_sequences, g.integers(max_sequences, 200), g.integers(64, 264)]))
        block = int(g.choice([1, 4, 16]))
        blocks = int(g.integers(12, 40) * 16 // block) if tight else int(g.integers(100, 400) * 16 // block)
        engine = Engine(
            max_sequences=max_sequences,
            token_budget=budget,
            kv_block_tokens=block,
            prefix_caching=prefix and bool(g.random() < 0.8),
            reserve_prompt=bool(g.random() < 0.5),
            scheduling="priority" if g.random() < 0.4 else "fcfs",
            request_overhead=float(g.choice([0.0, 0.003])),
            prompt_token_overhead=float(g.choice([0.0, 1e-5])),
            output_token_overhead=float(g.choice([0.0, 2e-4])),
        )
        pools[f"pool{index}"] = Pool(
            site=str(g.choice(list(sites))),
            measured=MeasuredCoefficients(host_s=1, idle_w=1, busy_w=1, kv_tokens=1, usd_per_hour=1),
            model=MODELS[0] if index == 0 or roles else str(g.choice(MODELS)),
            role=str(role_of[index]) if roles else "both",
            replicas=int(g.integers(1, 6)),
            engine=engine,
        )
        longest = max(longest, blocks * block) if pools[f"pool{index}"].model == MODELS[0] else longest
        table = random_table(g, max_sequences, budget)
        replicas.append(
            Replica(
                table=table,
                kv_blocks=blocks,
                block_tokens=block,
                max_context=blocks * block,
                accelerators=1,
                weight_bytes=1.0,
                kv_bytes_per_token=1.0,
                memory_bytes=1.0,
                max_w=1.0,
                usd_per_hour=g.uniform(0.5, 50),
                tier=random_tier(g, blocks * block) if spill and g.random() < 0.9 else None,
            )
        )
    used = {pool.model for pool in pools.values()}
    share = g.dirichlet(np.ones(3))
    services = {
        name: Service(
            model=MODELS[1] if MODELS[1] in used and index == 2 else MODELS[0],
            share=float(share[index]),
            slo=Slo(
                ttft=float(g.choice([0.05, 0.5, 5.0])) if g.random() < 0.8 else None,
                token_rate=float(g.choice([10.0, 50.0, 200.0])) if g.random() < 0.8 else None,
            ),
            priority=int(g.integers(0, 3)),
            overload="shed" if g.random() < 0.5 else "queue",
            patience=float(g.uniform(0.05, 3.0)) if g.random() < 0.3 else None,
        )
        for index, name in enumerate(("fast", "chat", "batch"))
    }
    links = {"fabric": random_link(g, "north", "south"), "back": random_link(g, "south", "north")} if roles else {}
    if roles and g.random() < 0.7:
        links["pair"] = random_link(g, "pool0", "pool1")
    fleet = Fleet(
        name="random",
        links=links,
        models={name: models()[name] for name in MODELS},
        sites=sites,
        pools=pools,
        services=services,
        dispatch=random_policy(g, policy),
        carbon_price_usd_per_kg=0.1,
    )
    return Case(fleet, tuple(replicas), random_trace(g, longest, unit, again=spill), seed)


def random_tier(g: np.random.Generator, kv_tokens: int) -> Tier:
    """From smaller than the KV cache to several times as large, its wire from idle to the bottleneck."""
    return Tier(
        capacity=float(kv_tokens * g.choice([0.2, 1.0, 10.0])),
        bandwidth=float(g.choice([300.0, 3e3, 1e6])),
        latency=float(g.choice([0.0, 1e-3])),
        bytes_per_token=1.0,
        bytes_per_prompt=float(g.choice([0.0, 50.0])),
    )


def random_link(g: np.random.Generator, prefill: str, decode: str) -> Link:
    """A link that is no, some or most of the time's worth of the computing."""
    bandwidth = float(g.choice([1e8, 1e9, 1e11]))
    return Link(
        prefill=prefill,
        decode=decode,
        bandwidth=bandwidth,
        latency=float(g.choice([0.0, 1e-3])),
        total=float(bandwidth * g.uniform(0.5, 4.0)) if g.random() < 0.4 else None,
        overlap="layerwise" if g.random() < 0.4 else "after",
    )


def random_policy(g: np.random.Generator, name: str | None) -> Dispatch:
    name = name or str(g.choice(list(POLICIES)))
    options: dict[str, object] = {}
    if name == "merit-order":
        options = {
            "margin": g.uniform(0.3, 1),
            "scarcity": g.uniform(0, 2),
            "pack": bool(g.random() < 0.7),
            "oracle_length": bool(g.random() < 0.3),
        }
    if name == "prefix-affinity":
        options = {"min_match": g.uniform(0, 1), "max_imbalance": int(g.integers(0, 6)), "max_ratio": 1.1}
    return POLICIES[name](**options)  # type: ignore[return-value]


def random_trace(g: np.random.Generator, longest: int, unit: int, *, again: bool = False) -> Trace:
    """Up to 120 requests; some too long for any pool; with sessions in a closed loop in some traces.

    `again`: the first few of long prompts are begun with again and again, and more clients give up."""
    n = int(g.integers(1, 120))
    prompt = np.clip(g.lognormal(np.log(longest / (5 if again else 12)), 0.9, n), 1, longest * 1.02).astype(int)
    output = np.clip(g.lognormal(np.log(longest / 20), 1.0, n), 1, np.maximum(longest - prompt + 2, 1)).astype(int)
    arrival = np.cumsum(g.exponential(g.choice([0.0005, 0.01, 0.1]), n))
    after = np.full(n, -1)
    session = np.full(n, -1)
    think = np.zeros(n)
    if g.random() < 0.4:
        session = g.integers(0, max(n // 4, 1), n)
        for i in range(n):
            earlier = np.flatnonzero(session[:i] == session[i])
            if len(earlier) and g.random() < 0.8:
                after[i], think[i] = earlier[-1] if g.random() < 0.8 else g.choice(earlier), g.exponential(0.2)
    cancel = (
        np.where(g.random(n) < (0.4 if again else 0.1), g.exponential(0.5, n), np.inf)
        if again or g.random() < 0.5
        else None
    )
    starts, blocks = [0], []
    if unit:
        parents: list[list[int]] = [[]]
        fresh = 0
        for p in prompt:
            chain = list(parents[g.integers(min(len(parents), 16) if again else len(parents))])[: p // unit]
            if g.random() < 0.3:
                chain = chain[: g.integers(0, len(chain) + 1)]
            while len(chain) < p // unit:
                chain.append(fresh)
                fresh += 1
            parents.append(chain)
            blocks += chain
            starts.append(len(blocks))
    return make_trace(
        arrival,
        prompt,
        output,
        session=session,
        after=after,
        think_s=think,
        cancel_s=cancel,
        region=g.integers(0, 2, n),
        regions=("here", "there"),
        block_start=starts if unit else None,
        blocks=np.array(blocks, np.int64) if unit else None,
        block_tokens=unit,
    )
