"""Fleets and traffic under steady load: a measured machine, Poisson arrivals, a chosen utilisation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meritorder.fleet.schema import Fleet
    from meritorder.workload.trace import Trace

# An 8B model on one H100-class card: 6 ms to read the weights, then what each token, sequence and KV token adds.
HOST_S, PER_TOKEN_S, PER_SEQUENCE_S, PER_KV_TOKEN_S, PER_PAIR_S = 6e-3, 3e-5, 5e-6, 5e-8, 5e-10
SEQUENCES, BUDGET, KV_TOKENS = 256, 2048, 400_000


def fleet_text(replicas: int, policy: str = "merit-order", kv_tokens: int = KV_TOKENS, budget: int = BUDGET) -> str:
    """A fleet file with one pool of the measured machine."""
    return f"""
name: steady
models:
  any-length: {{base: llama-3.1-8b, max_context: 4000000}}
sites:
  here: {{usd_per_kwh: 0.08 USD/kWh, kg_per_kwh: 300 g/kWh}}
pools:
  all:
    site: here
    model: any-length
    replicas: {replicas}
    measured:
      host_s: {HOST_S!r}
      per_token_s: {PER_TOKEN_S!r}
      per_sequence_s: {PER_SEQUENCE_S!r}
      per_kv_token_s: {PER_KV_TOKEN_S!r}
      per_pair_s: {PER_PAIR_S!r}
      idle_w: 120
      busy_w: 550
      kv_tokens: {kv_tokens}
      usd_per_hour: 2.5 USD/h
    engine: {{max_sequences: {SEQUENCES}, token_budget: {budget}}}
services:
  chat: {{model: any-length, slo: {{ttft: 1 s, token_rate: 20 tok/s}}}}
dispatch: {{policy: {policy}}}
"""


def fleet(replicas: int, **settings: object) -> Fleet:
    """The fleet of `fleet_text`, loaded."""
    from meritorder.fleet.load import loads

    return loads(fleet_text(replicas, **settings), "steady.yaml")  # type: ignore[arg-type]


def saturation_rate(prompt: float, output: float) -> float:
    """Requests per second that one replica just sustains at its largest batch, from mean lengths.

    With `B` sequences decoding, `B/output` requests end per iteration and as many prompts must be computed in it.
    """
    batch = min(SEQUENCES, KV_TOKENS / (prompt + output / 2))
    prompts = batch / output
    tokens, pairs = batch + prompts * prompt, prompts * prompt * prompt / 2
    kv = batch * (prompt + output / 2)
    step = HOST_S + PER_TOKEN_S * tokens + PER_SEQUENCE_S * batch + PER_KV_TOKEN_S * kv + PER_PAIR_S * pairs
    return prompts / step


def trace(requests: int, replicas: int, utilisation: float, output_mean: float = 200.0, seed: int = 1) -> Trace:
    """Poisson arrivals at `utilisation` of what the replicas sustain; lognormal prompts (mean 955) and outputs."""
    import numpy as np

    from meritorder.workload.trace import make_trace

    draw = np.random.default_rng(seed)
    prompts = np.clip(draw.lognormal(math.log(700), 0.9, requests), 16, 3072).astype(np.int32)
    outputs = np.clip(draw.lognormal(math.log(0.78 * output_mean), 0.7, requests), 8, 5 * output_mean).astype(np.int32)
    rate = utilisation * replicas * saturation_rate(float(prompts.mean()), float(outputs.mean()))
    return make_trace(np.cumsum(draw.exponential(1 / rate, requests)), prompts, outputs, source="steady load")
