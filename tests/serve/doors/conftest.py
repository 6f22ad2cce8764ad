from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from key_database import Postgres, postgres

from meritorder.fleet.load import loads
from meritorder.fleet.schema import Fleet

POOL = "{site: here, model: small, replicas: 1, measured: *machine}"
FLEET = f"""
models:
  small: {{layers: 2, hidden: 64, heads: 2, kv_heads: 2, head_dim: 32, ffn: 128, vocab: 1000, max_context: 4096}}
  other: {{layers: 2, hidden: 64, heads: 2, kv_heads: 2, head_dim: 32, ffn: 128, vocab: 1000, max_context: 4096}}
sites:
  here: {{usd_per_kwh: 0.1, kg_per_kwh: 0.1}}
pools:
  a: {{site: here, model: small, replicas: 1,
      measured: &machine {{host_s: 0.01, idle_w: 1, busy_w: 2, kv_tokens: 9999, usd_per_hour: 1}}}}
  b: {POOL}
  c: {POOL.replace("small", "other")}
"""


@pytest.fixture(scope="session")
def fleet_of() -> Callable[..., Fleet]:
    """Pools `a` and `b` of one model, `c` of another; services and gateway as given."""

    def make(
        services: str = "{chat: {model: small}, batch: {model: small}}", gateway: str = "{keys: required}"
    ) -> Fleet:
        return loads(f"{FLEET}\nservices: {services}\ngateway: {gateway}\n")

    return make


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: Any, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'keys.db'}"
    server = request.getfixturevalue("postgres_server")
    server.empty()
    return str(server.url)
