"""A gateway that remembers what the admin port told it to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meritorder.fleet.control import DemandResponse
from meritorder.problems import InputError, Problem
from meritorder.serve.admin.state import Decision, State


def replica(name: str, health: str = "up", in_flight: int = 0, most: int | None = 8) -> dict[str, Any]:
    return {
        "name": name,
        "health": health,
        "in_flight": in_flight,
        "foreign": 0,
        "most": most,
        "speed": 1.0,
        "kv_used": None,
    }


def pool(name: str, **other: Any) -> dict[str, Any]:
    return {
        **{"name": name, "site": "desk", "model": "small", "machine": "measured", "kind": "llama-cpp"},
        **{"in_flight": 0, "limit": None, "watts": 10.0, "peak_watts": 25.0, "usd_per_mtok": 0.4},
        **{"requests": 0, "failed": 0, "prompt_tokens": 0, "output_tokens": 0, "joules": 0.0, "usd": 0.0, "kg": 0.0},
        "replicas": [replica(f"{name}/0")],
        **other,
    }


def service(name: str, **other: Any) -> dict[str, Any]:
    return {
        **{"name": name, "model": "small", "tier": None, "priority": 0, "in_flight": 0, "waiting": 0},
        **{"ttft_target_s": 1.0, "token_rate_target": 10.0, "percentile": 0.9, "met": 0, "missed": 0},
        **{"outcomes": {}, "ttft_s": None, "tpot_s": None},
        **other,
    }


def small_state(**other: Any) -> State:
    state = {
        **{"name": "Laptop", "version": "0", "policy": "merit-order", "url": "http://127.0.0.1:8000"},
        **{"started": 1.7e9, "now": 1.7e9 + 60, "draining": False, "emulated": False},
        "workers": [{"worker": 0, "pid": 1, "in_flight": 0, "connections": 0}],
        "sites": [
            {"name": "desk", "watts": 20.0, "peak_watts": 50.0, "limit_watts": None}
            | {"usd_per_kwh": 0.15, "kg_per_kwh": 0.38}
        ],
        "pools": [pool("fast"), pool("slow", usd_per_mtok=0.9)],
        "services": [service("chat")],
        "flows": [{"service": "chat", "pool": "fast", "requests": 0}],
        **{"decisions": {}, "retries": 0, "continued": 0, "hedged": 0},
        **other,
    }
    return state  # type: ignore[return-value]


class FakeKeyring:
    def __init__(self) -> None:
        self.keys: dict[str, dict[str, Any]] = {}

    def listed(self) -> list[Mapping[str, Any]]:
        return list(self.keys.values())

    def create(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        if "name" not in wanted:
            raise InputError(Problem("has no name", where="the key"))
        key_id = f"k{len(self.keys)}"
        self.keys[key_id] = {"id": key_id, **wanted}
        return {**self.keys[key_id], "key": "sk-secret"}

    def rotate(self, key_id: str) -> Mapping[str, Any]:
        return {**self._known(key_id), "key": "sk-other"}

    def revoke(self, key_id: str) -> None:
        del self.keys[self._known(key_id)["id"]]

    def _known(self, key_id: str) -> dict[str, Any]:
        if key_id not in self.keys:
            raise InputError(Problem("is not known", where=f"the key {key_id}"))
        return self.keys[key_id]


class FakeControl:
    def __init__(self, state: State | None = None) -> None:
        self.now: State = state or small_state()
        self.keyring: FakeKeyring | None = FakeKeyring()
        self.told: list[tuple[Any, ...]] = []
        self.problems: list[Problem] = []
        self.recent: list[Decision] = []

    def state(self) -> State:
        return self.now

    def metrics(self) -> bytes:
        return b"merit_up 1\n"

    def decisions(self, most: int) -> list[Decision]:
        return self.recent[:most]

    async def reload(self) -> list[Problem]:
        self.told.append(("reload",))
        return self.problems

    def drain(self) -> None:
        self.told.append(("drain",))

    def limit_site(self, site: str, watts: float | None) -> None:
        self._limit("sites", site, "limit_watts", watts)

    def power(self) -> dict[str, Any]:
        return {"sites": []}

    async def ask_site(self, site: str, wish: DemandResponse) -> None:
        self.told.append(("ask_site", site, wish))

    def limit_pool(self, pool: str, requests: int | None) -> None:
        self._limit("pools", pool, "limit", requests)

    def _limit(self, kind: str, name: str, field: str, value: float | None) -> None:
        found = [part for part in self.now[kind] if part["name"] == name]  # type: ignore[literal-required]
        if not found:
            raise InputError(Problem("is not in the fleet", where=name))
        found[0][field] = value
        self.told.append((kind, name, value))
