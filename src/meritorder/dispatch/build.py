"""A fresh `FleetState` of a fleet with nothing in flight."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from meritorder.dispatch.caps import use_level
from meritorder.dispatch.choose import (
    LATENCY_PREDICTED,
    LEAST_REQUEST,
    LEAST_TOKENS,
    MERIT_ORDER,
    POLICIES,
    PREFIX_AFFINITY,
)
from meritorder.dispatch.legs import add_legs
from meritorder.dispatch.shutting import arrange_choices
from meritorder.dispatch.state import (
    BATCH,
    BY_PREDICTION,
    BY_REQUESTS,
    BY_TOKENS,
    CAP_LEVEL,
    CHOICE,
    DECODE,
    LEVEL,
    POOL,
    PREFILL,
    REPLICA,
    SERVICE,
    SETTINGS,
    TOKENS,
    UNORDERED,
    WHOLE,
    FleetState,
)
from meritorder.dispatch.tournament import new_tree, tree_size
from meritorder.dispatch.update import order_all
from meritorder.fleet.dispatch import Dispatch
from meritorder.fleet.network import EVENT_BYTES, TOKEN_BYTES
from meritorder.fleet.schema import Fleet
from meritorder.perf.replica import Replica
from meritorder.perf.table import IterationTable
from meritorder.records import Records, records
from meritorder.units import JOULES_PER_KWH

# What a router expects before it has seen a request; outputs as if exponential (mean square twice the squared mean).
EXPECTED_OUTPUT = 256.0
EXPECTED_PROMPT = 512.0

_ORDER = {
    LEAST_REQUEST: BY_REQUESTS,
    PREFIX_AFFINITY: BY_REQUESTS,
    LEAST_TOKENS: BY_TOKENS,
    LATENCY_PREDICTED: BY_PREDICTION,
    MERIT_ORDER: BY_PREDICTION,
}


def build_state(
    fleet: Fleet,
    replicas: Sequence[Replica],
    dispatch: Dispatch,
    *,
    regions: Sequence[str] = ("default",),
    prefix_tokens: int = 0,
    prefix_blocks: int = 0,
    seed: int = 0,
) -> FleetState:
    """The state of `fleet` (`replicas`: one per pool) for a policy, before the first request.

    `regions` are those that requests come from; `prefix_tokens` and `prefix_blocks` the size and number of distinct
    prefix blocks that requests may carry.
    """
    settings = _settings(dispatch, prefix_tokens, seed)
    g = settings[0]
    counts = [pool.replicas for pool in fleet.pools.values()]
    firsts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(int)
    sites = list(fleet.sites)
    pools = records(len(counts), POOL)
    tokens: list[Records] = []
    batches: list[Records] = []
    limits: list[Records] = []
    keys: list[Records] = []
    levels = words = 0
    for index, (pool, replica) in enumerate(zip(fleet.pools.values(), replicas, strict=True)):
        p, site, table = pools[index], fleet.sites[pool.site], replica.table
        p.first, p.count, p.site = firsts[index], pool.replicas, sites.index(pool.site)
        p.max_sequences, p.token_budget = table.max_sequences, table.token_budget
        p.block_tokens, p.kv_blocks, p.max_context = replica.block_tokens, replica.kv_blocks, replica.max_context
        p.tree = sum(map(len, keys))
        p.tree_size = tree_size(pool.replicas)
        p.levels, p.level_words = levels, words
        levels += table.max_sequences + 1
        words += (table.max_sequences >> 5) + 1
        p.request_s, p.prompt_token_s = replica.front_end_s(pool.engine)
        p.output_token_s = pool.engine.output_token_overhead
        if site.egress.bandwidth is not None:
            p.egress_s = EVENT_BYTES / site.egress.bandwidth
        p.usd_per_s = replica.usd_per_hour / 3600.0
        carbon_usd = site.kg_per_kwh * fleet.carbon_price_usd_per_kg
        p.usd_per_j = site.pue * (site.usd_per_kwh + carbon_usd) / JOULES_PER_KWH
        p.usd_per_prompt, p.usd_per_output = pool.usd_per_mtok_prompt * 1e-6, pool.usd_per_mtok_output * 1e-6
        p.open = pool.replicas
        p.prefix_caching = pool.engine.prefix_caching and prefix_tokens > 0
        p.reserve_prompt = pool.engine.reserve_prompt
        p.by_priority = pool.engine.scheduling == "priority"
        p.mean_new, p.mean_output, p.mean_square = EXPECTED_PROMPT, EXPECTED_OUTPUT, 2 * EXPECTED_OUTPUT**2
        p.role = {"both": WHOLE, "prefill": PREFILL, "decode": DECODE}[pool.role]
        if pool.role == "prefill":
            p.mean_output = p.mean_square = 1.0
        elif pool.role == "decode":
            p.mean_new, p.mean_landed = 0.0, EXPECTED_PROMPT
        p.cap_first, p.cap_levels = len(limits), 1 + len(replica.capped)
        for level in ((table, replica.max_w), *replica.capped):
            limits.append(_level(*level, tokens, batches))
        keys.append(new_tree(pool.replicas))
    services, choices = _services(fleet)
    services, choices = add_legs(fleet, replicas, pools, services, choices)
    state = FleetState(
        pools=pools,
        replicas=_replicas(counts),
        services=services,
        choices=choices,
        choice_of=_choice_of(services, choices, len(pools)),
        tokens=_joined(tokens),
        batches=_joined(batches),
        levels_of_power=_joined(limits),
        keys=np.concatenate(keys),
        levels=records(levels, LEVEL),
        level_words=np.zeros(words, np.int64),
        mix=np.zeros((sum(counts), len(services)), np.int32),
        owner=np.full(prefix_blocks if g.uses_prefix else 0, -1, np.int32),
        rtt_s=np.array(
            [[*(site.round_trip_s(r) for site in fleet.sites.values()), _upload_s(fleet, r)] for r in regions],
            np.float64,
        ),
        settings=settings,
    )
    state.levels.head[:] = state.levels.tail[:] = -1
    for index in range(len(pools)):
        getattr(use_level, "py_func", use_level)(state, index, 0)
    getattr(arrange_choices, "py_func", arrange_choices)(state)
    order_all(state)
    return state


def _level(table: IterationTable, max_w: float, tokens: list[Records], batches: list[Records]) -> Records:
    """A pool's record at one power limit; its tables are put behind the others."""
    level = records(1, CAP_LEVEL)
    level.tokens, level.batches = sum(map(len, tokens)), sum(map(len, batches))
    level.pair_s, level.pair_j, level.mixed_kv_s, level.max_w = table.pair_s, table.pair_j, table.mixed_kv_s, max_w
    tokens.append(_rows(TOKENS, table.step_s, table.prefill_s, table.step_j, table.prefill_j))
    batches.append(_rows(BATCH, table.decode_s, table.decode_kv_s, table.decode_j, table.decode_kv_j))
    return level


def _settings(dispatch: Dispatch, prefix_tokens: int, seed: int) -> Records:
    settings = records(1, SETTINGS)
    g = settings[0]
    g.policy = POLICIES.index(dispatch.policy)
    g.order = _ORDER.get(g.policy, UNORDERED)
    g.by_level = g.policy == MERIT_ORDER
    g.uses_prefix = prefix_tokens > 0 and g.policy in (MERIT_ORDER, PREFIX_AFFINITY)
    g.prefix_tokens = prefix_tokens
    g.touched = -1
    # splitmix64's increment keeps the state away from 0, from which xorshift never leaves
    g.random = np.uint64((seed * 2 + 1) * 0x9E3779B97F4A7C15 % 2**64)
    for name, value in dispatch.model_dump(exclude={"policy"}).items():
        setattr(g, name, value)
    return settings


def _services(fleet: Fleet) -> tuple[Records, Records]:
    names = list(fleet.pools)
    services = records(len(fleet.services), SERVICE)
    pools: list[int] = []
    for s, service in zip(services, fleet.services.values(), strict=True):
        allowed = service.pools or names
        s.ttft_s = service.slo.ttft or np.inf
        s.tpot_s = 1.0 / service.slo.token_rate if service.slo.token_rate else np.inf
        s.weight = 2.0**-service.priority
        s.sheds = service.overload == "shed"
        s.mean_output, s.mean_square = EXPECTED_OUTPUT, 2 * EXPECTED_OUTPUT**2
        s.first = len(pools)
        mine = [i for i, name in enumerate(names) if name in allowed and fleet.pools[name].model == service.model]
        whole = [i for i in mine if fleet.pools[names[i]].role == "both"]
        prompts = [i for i in mine if fleet.pools[names[i]].role == "prefill"]
        pools += whole + prompts
        s.whole, s.count = len(whole), len(whole) + len(prompts)
    choices = records(len(pools), CHOICE)
    choices.pool[:] = pools
    return services, choices


def _choice_of(services: Records, choices: Records, pools: int) -> npt.NDArray[np.int32]:
    index = np.full((len(services), pools), -1, np.int32)
    for s, service in enumerate(services):
        for c in range(service.first, service.first + service.count):
            index[s, choices[c].pool] = c
    return index


def _replicas(counts: Sequence[int]) -> Records:
    replicas = records(sum(counts), REPLICA)
    replicas.pool[:] = np.repeat(np.arange(len(counts)), counts)
    replicas.previous[:] = replicas.next[:] = -1
    replicas.level[:] = -1
    replicas.tpot_s[:] = np.inf
    replicas.speed[:] = 1.0
    return replicas


def _upload_s(fleet: Fleet, region: str) -> float:
    told = fleet.regions.get(region) or fleet.regions.get("default")
    return TOKEN_BYTES / told.bandwidth if told is not None and told.bandwidth is not None else 0.0


def _rows(dtype: np.dtype[np.void], *columns: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Records:
    rows = records(len(columns[0]), dtype)
    for name, column in zip(dtype.names or (), columns, strict=True):
        rows[name] = column
    return rows


def _joined(parts: list[Records]) -> Records:
    return np.concatenate(parts).view(np.recarray)
