"""Metered APIs as pools: machines that take their stated times whatever is asked of them, and cost by the token."""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np

from meritorder.fleet.plan.offers import Api
from meritorder.fleet.schema import Fleet, Pool
from meritorder.plan.instance import Instance

SEATS = 256  # requests in one replica at most
_CONTEXT = 131_072  # tokens; prompts are computed at once
_BLOCK = 1024  # tokens of a block of KV cache: few large ones, nothing is known of its own
_ROOM = 2.0  # seats for so many times what the busiest hour asks, where it has no limit
SITE = {"usd_per_kwh": 0, "kg_per_kwh": 0, "pue": 1.0}


def api_data(fleet: Fleet, instance: Instance, t: int, a: int, site: str) -> dict[str, Any]:
    """The pool of an API: a constant iteration, so that it keeps its stated time to first token and token rate.

    Nothing is known of its machines: no power, no carbon, no owner cost. Its limit on requests per second is one on
    requests in flight. At least `most` replicas stand there, so that a fleet simulated in part has one, too.
    """
    assert fleet.plan is not None
    api = fleet.plan.apis[instance.names.apis[a]]
    step_s = 1.0 / api.token_rate
    stay_s = _stay_s(instance, api, a)
    limit = float(instance.policy.api_rate[t, a])
    asked = np.unique(instance.ways.cls[instance.ways.api == a])
    peak = _ROOM * float(instance.demand.requests[t][asked].sum(axis=0).max(initial=0.0))
    seats = max(1, ceil(stay_s * min(limit, peak)))
    replicas = ceil(seats / SEATS)
    each = ceil(seats / replicas)
    data: dict[str, Any] = {
        "site": site,
        "model": api.model,
        "measured": {"host_s": step_s, "kv_tokens": each * _CONTEXT},
        "engine": {
            "max_sequences": each,
            "token_budget": _CONTEXT,
            "kv_block_tokens": _BLOCK,
            "prefix_caching": False,
            # a request may come at the start of an iteration that it isn't in, and its own ends with the first token
            "request_overhead": f"{max(api.ttft - 2.0 * step_s, 0.0):.6g} s",
        },
        "replicas": replicas,
        "usd_per_hour": 0,
        "usd_per_mtok_prompt": api.usd_per_mtok_prompt,
        "usd_per_mtok_output": api.usd_per_mtok_output,
    }
    if np.isfinite(limit):
        data["max_in_flight"] = seats
    return data


def in_parts(pool: Pool, k: int) -> Pool:
    """The same seats in at least `k` replicas, so that a fleet simulated in part has one, too."""
    assert pool.measured is not None
    seats = pool.replicas * pool.engine.max_sequences
    replicas = ceil(max(pool.replicas, k) / k) * k
    each = max(1, round(seats / replicas))
    measured = pool.measured.model_copy(update={"kv_tokens": each * _CONTEXT})
    engine = pool.engine.model_copy(update={"max_sequences": each})
    return pool.model_copy(update={"replicas": replicas, "measured": measured, "engine": engine})


def _stay_s(instance: Instance, api: Api, a: int) -> float:
    """Mean time that a request is in the API, by the output tokens of those who may use it."""
    asked = np.unique(instance.ways.cls[instance.ways.api == a])
    tokens = float(instance.demand.tokens[asked].max(initial=0.0))
    return api.ttft + tokens / api.token_rate
