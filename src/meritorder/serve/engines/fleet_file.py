"""The fleet file of embedded engines, written so that people can read it, change it and simulate it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from meritorder.catalog.model import ModelSpec
from meritorder.fleet.measured import MeasuredCoefficients
from meritorder.serve.engines.engine import Settings

_IDLE_W, _BUSY_W = 10, 25  # of a core; guesses
_USD_PER_HOUR = 0.02  # likewise
_SITE = "desk"
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9 ./_-]*")


@dataclass(frozen=True)
class LocalPool:
    """A pool of one embedded engine."""

    name: str
    about: str  # a few words on it
    settings: Settings
    machine: MeasuredCoefficients  # as measured; power and price in it don't count
    request_overhead_s: float
    weight_bytes: int
    precision: str  # nearest number format that fleet files know
    url: str | None = None  # where it listens; None: nowhere, for simulating
    key: str | None = None  # where its key is found


@dataclass(frozen=True)
class Doorway:
    """How the gateway in front of them listens."""

    listen: str
    admin: str
    database: str


def fleet_text(name: str, model: str, spec: ModelSpec, pools: Sequence[LocalPool], doorway: Doorway | None) -> str:
    """The fleet file (YAML). `doorway` None: without a `gateway` part."""
    model = _written(model)
    shape = spec.model_dump(exclude_defaults=True)
    parts = [
        f"name: {_written(name)}",
        "\n# The model's shape.\nmodels:",
        f"  {model}:",
        *(f"    {key}: {_written(value)}" for key, value in shape.items()),
        f"\n# Price and carbon of electricity.\nsites:\n  {_SITE}:",
        "    pue: 1.0\n    usd_per_kwh: 0.15\n    kg_per_kwh: 380 g/kWh",
        "\npools:",
        *(_pool(pool, model) for pool in pools),
        _services(model, pools),
    ]
    if doorway is not None:
        parts.append(f"\ngateway:\n  listen: {doorway.listen}\n  admin: {doorway.admin}")
        parts.append(f"  database: {_written(doorway.database)}")
    return "\n".join(parts) + "\n"


def _written(value: object) -> str:
    """A value as YAML reads it back: texts plain where they are plain words, quoted otherwise."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and yaml.safe_load(value) == value:
        return value
    return json.dumps(value)


def _pool(pool: LocalPool, model: str) -> str:
    settings = pool.settings
    lines = [
        f"  {pool.name}: # {pool.about}",
        f"    site: {_SITE}",
        f"    model: {model}",
        f"    weights: {pool.precision}",
        "    replicas: 1",
        "    measured:",
        *(f"      {name}: {_figures(value)}" for name, value in _times(pool.machine)),
        f"      idle_w: {_IDLE_W} # watts and price are guesses",
        f"      busy_w: {_BUSY_W}",
        f"      kv_tokens: {settings.slots * settings.context}",
        f"      usd_per_hour: {_USD_PER_HOUR}",
        f"      weight_bytes: {pool.weight_bytes / 1e6:.0f} MB",
        "    engine:",
        f"      max_sequences: {settings.slots}",
        f"      token_budget: {settings.token_budget}",
        f"      max_context: {settings.context}",
        f"      request_overhead: {1e3 * pool.request_overhead_s:.4g} ms",
    ]
    if pool.url is not None:
        lines.append("    endpoint:")
        lines.append(
            f"      kind: llama-cpp\n      urls: [{_written(pool.url)}]\n      model: {_written(settings.model)}"
        )
        if pool.key is not None:
            lines.append(f"      key: {_written(pool.key)}")
    return "\n".join(lines)


def _times(machine: MeasuredCoefficients) -> list[tuple[str, Any]]:
    """What was measured, without power, price and memory."""
    told = machine.model_dump(exclude_defaults=True)
    beside = ("idle_w", "busy_w", "kv_tokens", "usd_per_hour", "weight_bytes")
    return [(name, value) for name, value in told.items() if name not in beside]


def _figures(value: Any) -> str:
    """A number, curve or mapping of numbers on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_figures(inner)}" for key, inner in value.items() if inner is not None) + "}"
    return json.dumps(value)


def _services(model: str, pools: Sequence[LocalPool]) -> str:
    """Three tiers of the model, and each pool by itself where there are several."""
    lines = [
        "\n# The model by its name is `chat`; with `service_tier: priority` or `flex` it is one of the next two.",
        "services:",
        f"  chat:\n    model: {model}\n    priority: 1",
        "    slo: {ttft: 2 s, token_rate: 10 tok/s, percentile: 0.9}",
        "    live: {tier: default}",
        f"  instant:\n    model: {model}\n    priority: 0",
        "    slo: {ttft: 500 ms, token_rate: 25 tok/s, percentile: 0.9}",
        "    live: {tier: priority}",
        f"  background:\n    model: {model}\n    priority: 2",
        "    live: {tier: flex}",
    ]
    if len(pools) > 1:
        lines.append("  # One kind of engine and no other, by the service's name as `model`.")
        for pool in pools:
            lines.append(f"  only-{pool.name}:\n    model: {model}\n    priority: 1\n    pools: [{pool.name}]")
    return "\n".join(lines)
