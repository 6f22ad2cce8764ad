"""The slower memory of a pool's replicas: what the fleet file says of it, else what the catalog knows."""

from __future__ import annotations

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.model import ModelSpec
from meritorder.fleet.schema import Pool
from meritorder.perf.replica import Tier
from meritorder.problems import InputError, Problem


def tier_of(pool: Pool, chip: Accelerator | None, chips: int, model: ModelSpec, copies: float, key: str) -> Tier | None:
    """The tier of a replica of `chips` chips that stores each KV cache `copies` times; None: its pool has none.

    Beside every wafer stands a node of its own, which keeps the caches of that wafer's layers; so memory and link
    count once a wafer. Raises InputError where neither the pool nor the catalog says how large or fast it is.
    """
    spill = pool.engine.spill
    if spill is None:
        return None
    capacity, bandwidth = spill.capacity, spill.bandwidth
    if chip is not None and chip.kind == "wafer":
        capacity = chip.wafer.kv_node * chips if capacity is None else capacity
        bandwidth = chip.wafer.kv_node_link * chips if bandwidth is None else bandwidth
    if capacity is None or bandwidth is None:
        missing = [name for name, value in (("capacity", capacity), ("bandwidth", bandwidth)) if value is None]
        what = f"has no {' and no '.join(missing)}, and the catalog knows no KV memory beside {_machine(pool)}"
        fix = "give a whole replica's, for example {capacity: 1 TB, bandwidth: 50 GB/s}"
        raise InputError(Problem(what, key=f"{key}.engine.spill", fix=fix))
    return Tier(
        capacity=capacity,
        bandwidth=bandwidth,
        latency=spill.latency,
        bytes_per_token=model.kv_bytes_per_token(pool.kv) * copies,
        bytes_per_prompt=model.window_kv_bytes(pool.kv) * copies + model.state_bytes,
    )


def _machine(pool: Pool) -> str:
    return f'"{pool.accelerator}"' if pool.accelerator is not None else "a measured machine"
