"""`compile_replica`: from a pool of the fleet to the tables that kernel, gateway and planner work with."""

from __future__ import annotations

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.engine import PROFILED, EngineProfile, Engines, conditions
from meritorder.catalog.layers import LayerTimes, layer_times
from meritorder.catalog.load import engines
from meritorder.catalog.model import ModelSpec
from meritorder.fleet.schema import Fleet, Pool
from meritorder.perf.doubts import doubts
from meritorder.perf.fit import check_parallelism, check_pool, check_power_cap, does_not_fit
from meritorder.perf.measured import measured_table, outside
from meritorder.perf.memory import memory
from meritorder.perf.placement import Placement, unnamed_engine
from meritorder.perf.power_cap import capped
from meritorder.perf.profiled import engine_table
from meritorder.perf.replica import Replica
from meritorder.perf.speculative import machine_table
from meritorder.perf.spill import tier_of
from meritorder.perf.table import IterationTable
from meritorder.problems import InputError, Problem


def compile_replica(fleet: Fleet, pool_name: str, known: Engines | None = None) -> Replica:
    """Compile one replica of pool `pool_name`; `known`: engines of another fit than the catalog's.

    Raises InputError with key `pools.<name>` when the model can't be split like that or does not fit, saying
    how much memory is missing and what would fit.
    """
    pool = fleet.pools[pool_name]
    key = f"pools.{pool_name}"
    kind = "measured" if pool.accelerator is None else fleet.accelerators[pool.accelerator].kind
    check_pool(pool, kind, fleet.models[pool.model].experts, key)
    if pool.measured is not None:
        return _measured(fleet, pool, key)
    return _catalogued(fleet, pool, key, known or engines())


def _measured(fleet: Fleet, pool: Pool, key: str) -> Replica:
    measured, engine, model = pool.measured, pool.engine, fleet.models[pool.model]
    assert measured is not None
    weights = model.weight_bytes(pool.weights) if measured.weight_bytes is None else measured.weight_bytes
    blocks = engine.kv_blocks or measured.kv_tokens // engine.kv_block_tokens
    kv_tokens = blocks * engine.kv_block_tokens
    kv_bytes = model.kv_bytes_per_token(pool.kv)
    context = _max_context(pool, model.max_context, kv_tokens, key)
    return Replica(
        table=measured_table(measured, engine),
        kv_blocks=blocks,
        block_tokens=engine.kv_block_tokens,
        max_context=context,
        accelerators=measured.accelerators,
        weight_bytes=weights,
        kv_bytes_per_token=kv_bytes,
        memory_bytes=weights + kv_tokens * kv_bytes,
        max_w=measured.busy_w,
        usd_per_hour=measured.usd_per_hour if pool.usd_per_hour is None else pool.usd_per_hour,
        tier=tier_of(pool, None, measured.accelerators, model, 1.0, key),
        notes=outside(measured, engine, context),
    )


def _catalogued(fleet: Fleet, pool: Pool, key: str, known: Engines) -> Replica:
    engine, model = pool.engine, fleet.models[pool.model]
    assert pool.accelerator is not None
    chip = fleet.accelerators[pool.accelerator]
    times = _times(pool, model)
    profile = _profile(pool, chip, model, known, times)
    place = Placement(
        chip=chip,
        model=model,
        tensor=pool.tensor,
        pipeline=pool.pipeline,
        weights=pool.weights or model.weights,
        kv=pool.kv,
        max_sequences=engine.max_sequences,
        token_budget=engine.token_budget,
        data=pool.data_parallel,
        expert=pool.expert_parallel,
        engine=profile,
    )
    check_parallelism(place, pool.accelerator, key)
    held = memory(place, engine.memory_fraction, engine.kv_block_tokens)
    if held.missing:
        raise does_not_fit(place, engine.memory_fraction, engine.kv_block_tokens, pool, key)
    blocks = engine.kv_blocks or held.blocks
    table = machine_table(place, pool.speculation)
    if times is not None and profile.profiled:
        table = engine_table(times, place, table)
    full, limit = table, chip.board[1]
    if pool.power_cap is not None:
        check_power_cap(place, pool.power_cap, pool.accelerator, f"{key}.power_cap")
        limit = pool.power_cap
        table = capped(full, place, limit)
    context = _max_context(pool, model.max_context, blocks * engine.kv_block_tokens, key)
    return Replica(
        table=table,
        kv_blocks=blocks,
        block_tokens=engine.kv_block_tokens,
        max_context=context,
        accelerators=place.chips,
        weight_bytes=model.weight_bytes(place.weights),
        kv_bytes_per_token=model.kv_bytes_per_token(place.kv) * place.kv_copies,
        memory_bytes=chip.memory * place.chips,
        max_w=(chip.max - max(0.0, chip.board[1] - limit)) * place.chips,
        usd_per_hour=chip.usd_per_hour * place.chips if pool.usd_per_hour is None else pool.usd_per_hour,
        tier=tier_of(pool, chip, place.chips, model, place.kv_copies, key),
        notes=(*chip.notes, *profile.notes, *doubts(place, context), *_front_end_notes(pool, profile)),
        request_s=profile.first_token.request,
        prompt_token_s=profile.first_token.prompt_token,
        capped=_capped(pool, full, place, limit, key),
    )


def _capped(
    pool: Pool, full: IterationTable, place: Placement, most: float, key: str
) -> tuple[tuple[IterationTable, float], ...]:
    """Tables and watts of a busy replica under each of the pool's `caps`; `most`: the limit without them."""
    found = []
    for n, cap in enumerate(pool.caps):
        limit, above = cap * place.chip.board[1], most if n == 0 else pool.caps[n - 1] * place.chip.board[1]
        if limit >= above:
            what = f"is {cap:g} of the board's {place.chip.board[1]:g} W, not below the {above:g} W before it"
            raise InputError(Problem(what, key=f"{key}.caps[{n}]", fix="let limits fall"))
        check_power_cap(place, limit, pool.accelerator or "", f"{key}.caps[{n}]")
        found.append((capped(full, place, limit), (place.chip.max - (place.chip.board[1] - limit)) * place.chips))
    return tuple(found)


def _times(pool: Pool, model: ModelSpec) -> LayerTimes | None:
    """Kernels of the model that were profiled on the pool's GPU; None: none, or not in these formats and this split."""
    plain = (pool.weights or model.weights, pool.kv, pool.pipeline, pool.speculation) == ("bf16", "fp16", 1, None)
    times = layer_times().get((pool.accelerator or "", pool.model, pool.tensor)) if plain else None
    if times is None or (times.layers, times.hidden, times.experts) != (model.layers, model.hidden, model.experts):
        return None
    return times if pool.data_parallel == 1 or pool.expert_parallel == pool.data_parallel else None


def _profile(
    pool: Pool, chip: Accelerator, model: ModelSpec, known: Engines, times: LayerTimes | None
) -> EngineProfile:
    """What is known of the pool's engine in its version on this machine."""
    if not pool.engine.name:
        return unnamed_engine(chip, known)
    told = conditions(pool.engine.name, pool.engine.version, chip, pool.model, pool.weights or model.weights)
    return known.profile(told if times is None else {**told, "kernels": PROFILED})


def _front_end_notes(pool: Pool, profile: EngineProfile) -> tuple[str, ...]:
    """Where the front end's delay comes from, if the pool doesn't say it."""
    first = profile.first_token
    if pool.engine.request_overhead is not None or not first.request:
        return ()
    named = f"{profile.name} {profile.version}".strip()
    return (f"request_overhead: {1e3 * first.request:.3g} ms, as fitted for {named}",)


def _max_context(pool: Pool, of_model: int, kv_tokens: int, key: str) -> int:
    """Most tokens of a request: what the pool asks for, else the model's context as far as the KV cache goes."""
    asked = pool.engine.max_context
    if asked is None:
        return min(of_model, kv_tokens)
    most = min(of_model, kv_tokens)
    if asked > most:
        limit = "the model ends there" if of_model <= kv_tokens else "no more KV cache fits"
        what = f"is {asked} tokens"
        raise InputError(Problem(what, key=f"{key}.engine.max_context", fix=f"give at most {most}: {limit}"))
    return asked
