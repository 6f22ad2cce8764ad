"""`Replica`: one serving unit as the kernel, the gateway and the planner see it."""

from __future__ import annotations

from dataclasses import dataclass

from meritorder.fleet.schema import Engine
from meritorder.perf.table import IterationTable


@dataclass(frozen=True)
class Tier:
    """A slower memory behind the KV cache of one replica."""

    capacity: float  # bytes
    bandwidth: float  # from it to the fast memory, bytes a second
    latency: float  # set-up of a transfer, seconds
    bytes_per_token: float
    bytes_per_prompt: float = 0.0  # sliding windows and states of linear layers, which come with every prefix

    def units(self, tokens: int) -> int:
        """Prefix blocks of so many tokens that it holds."""
        return int(self.capacity // (self.bytes_per_token * tokens)) if tokens else 0


@dataclass(frozen=True)
class Replica:
    """What `compile_replica` makes of a pool's machine, model, parallelism and engine settings."""

    table: IterationTable
    kv_blocks: int  # blocks of KV cache that fit beside the weights (0: the model does not fit)
    block_tokens: int  # tokens per KV block
    max_context: int  # most tokens (prompt + output) that one request may hold
    accelerators: int  # chips (GPUs or wafers) of one replica
    weight_bytes: float  # weights of the whole replica
    kv_bytes_per_token: float  # KV cache of one token over all layers
    memory_bytes: float  # memory of the whole replica
    max_w: float  # power of the busy replica, IT watts
    usd_per_hour: float  # cost of owning or renting the whole replica, energy not included
    tier: Tier | None = None  # where cached prefixes go that the KV cache has no room for
    capped: tuple[tuple[IterationTable, float], ...] = ()  # tables and `max_w` at the power limits of the pool's `caps`
    notes: tuple[str, ...] = ()  # what is guessed, extrapolated or a range
    request_s: float = 0.0  # the engine's front end per request, where the pool gives no `request_overhead`
    prompt_token_s: float = 0.0  # the same per prompt token, for `prompt_token_overhead`

    @property
    def kv_tokens(self) -> int:
        """Tokens of KV cache that fit."""
        return self.kv_blocks * self.block_tokens

    def front_end_s(self, engine: Engine) -> tuple[float, float]:
        """Seconds of the front end per request and per prompt token: the pool's own, or those of its engine."""
        request, token = engine.request_overhead, engine.prompt_token_overhead
        return (self.request_s if request is None else request, self.prompt_token_s if token is None else token)
