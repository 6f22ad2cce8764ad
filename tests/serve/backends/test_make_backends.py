"""From the fleet file to its backends, or to everything that hinders."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.serve.backends.told import Told, fleet_of

from meritorder.fleet.schema import Fleet
from meritorder.problems import InputError
from meritorder.serve.backends.backend import Backend, make_backends


def made(fleet: Fleet, told: Told | None = None, environ: Mapping[str, str] | None = None) -> list[Backend]:
    async def now() -> list[Backend]:
        return make_backends(fleet, told or Told(), loop=asyncio.get_running_loop(), environ=environ or {})

    return asyncio.run(now())


def problems(fleet: Fleet, environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(InputError) as error:
        made(fleet, environ=environ)
    return [str(problem) for problem in error.value.problems]


def test_one_for_each_replica_in_the_order_of_the_file() -> None:
    fleet = fleet_of(
        a={"kind": "vllm", "urls": ["http://h:1", "http://h:2/base"], "model": "meta/llama"},
        b={"kind": "cerebras", "urls": ["https://api.cerebras.ai"]},
    )
    told = Told()
    backends = made(fleet, told)
    assert [(b.index, b.name, b.pool, b.site, b.kind.name, b.url, b.model) for b in backends] == [
        (0, "a/0", "a", "here", "vllm", "http://h:1", "meta/llama"),
        (1, "a/1", "a", "here", "vllm", "http://h:2/base", "meta/llama"),
        (2, "b/0", "b", "here", "cerebras", "https://api.cerebras.ai", None),
    ]
    assert (told.use, told.limit) == ({}, {}), "what other workers have found out stays"


def test_keys_come_from_the_environment_or_a_file_and_are_never_shown(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-file\n")
    fleet = fleet_of(
        a={"urls": ["http://h:1"], "key": "env:SOME_KEY"}, b={"urls": ["http://h:2"], "key": f"file:{tmp_path}/key"}
    )
    a, b = made(fleet, environ={"SOME_KEY": "from-env"})
    assert a.headers == b"authorization: Bearer from-env\r\n"
    assert b.headers == b"authorization: Bearer from-file\r\n"
    assert "from" not in repr(a) + str(b) + f"{[a, b]}"


def test_all_that_hinders_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    fleet = fleet_of(
        none=None,
        unset={"urls": ["http://h:1"], "key": "env:NOT_SET"},
        split={"urls": ["http://h:1"], "key": "env:SPLIT"},
        gone={"urls": ["http://h:1"], "key": f"file:{tmp_path}/gone"},
        empty={"urls": ["http://h:1"], "key": f"file:{tmp_path}/empty"},
        v1={"urls": ["http://h:1/v1/"]},
        ca={"urls": ["https://h:1"], "ca": f"{tmp_path}/ca.pem"},
    )
    found = problems(fleet, {"SPLIT": "secret\r\nx-evil: 1"})
    assert [problem.split(":")[0] for problem in found] == [
        "pools.none.endpoint",
        "pools.unset.endpoint.key",
        "pools.split.endpoint.key",
        "pools.gone.endpoint.key",
        "pools.empty.endpoint.key",
        "pools.v1.endpoint.urls",
        "pools.ca.endpoint.ca",
    ] or found
    assert "NOT_SET is not set" in found[1]
    assert "write http://h:1" in found[5]
    assert "secret" not in "".join(found)


def test_a_request_that_fails_is_told_to_dispatch() -> None:
    told = Told()
    (backend,) = made(fleet_of(a={"urls": ["http://h:1"]}), told)
    for _ in range(3):
        backend.failed("no connection")
    assert (backend.usable, backend.state, told.use[0]) == (False, "open", False)
