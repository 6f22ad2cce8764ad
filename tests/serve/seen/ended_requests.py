"""A small fleet, and requests that have ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from meritorder.fleet.load import loads
from meritorder.fleet.schema import Fleet
from meritorder.serve.account import Account

FLEET = """\
sites:
  north: {usd_per_kwh: 0.05 USD/kWh, kg_per_kwh: 50 g/kWh}
pools:
  fast: {site: north, accelerator: h200, model: llama-3.1-8b, replicas: 2}
  slow: {site: north, accelerator: h100, model: llama-3.1-8b, replicas: 1}
  large: {site: north, accelerator: h200, model: qwen3-32b, replicas: 1}
services:
  chat: {model: llama-3.1-8b, slo: {ttft: 500 ms, token_rate: 20 tok/s, percentile: 0.9}, share: 0.5}
  bulk: {model: llama-3.1-8b, share: 0.3}
  think: {model: qwen3-32b, slo: {ttft: 1 s}, share: 0.2}
"""
WALL = 1_790_000_000.0  # Unix time at which the loop's clock stood at 0


def fleet(**gateway: Any) -> Fleet:
    loaded = loads(FLEET, "f.yaml")
    return loaded.model_copy(update={"gateway": loaded.gateway.model_copy(update=gateway)})


def ended(
    at: float = 0.0,
    *,
    service: int = 0,
    pool: int = 0,
    wait: float = 0.001,
    ttft: float = 0.2,
    tpot: float = 0.01,
    prompt: int = 100,
    output: int = 11,
    blocks: Sequence[int] = (),
    **other: Any,
) -> Account:
    """A stream that arrived `at` seconds, was sent `wait` later, began `ttft` after that and took `tpot` a token."""
    account = Account("req-1", "chat", 50.0 + at, WALL + 50.0 + at)
    account.model, account.stream, account.status = "llama-3.1-8b", True, 200
    account.service, account.pool, account.replica, account.reason = service, pool, pool, 7
    account.prompt_tokens, account.output_tokens, account.cached_tokens = prompt, output, 32
    account.placed = account.received + wait
    account.first = account.placed + ttft
    account.ended = account.first + (output - 1) * tpot
    account.predicted_ttft_s, account.predicted_tpot_s = 0.1, 0.01
    account.energy_j, account.usd, account.kg = 20.0, 3e-6, 2e-7
    account.blocks, account.block_tokens = blocks, 64
    for name, value in other.items():
        setattr(account, name, value)
    return account


def refused(status: int = 429, at: float = 0.0, **other: Any) -> Account:
    """A request that reached no backend."""
    account = Account("req-2", "chat", 50.0 + at, WALL + 50.0 + at)
    account.service, account.status, account.outcome = 0, status, "refused"
    account.prompt_tokens, account.ended = 100, account.received + 0.0001
    for name, value in other.items():
        setattr(account, name, value)
    return account
