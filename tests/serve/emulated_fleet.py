"""A small quick fleet, its emulator on a real socket, and a client that speaks raw HTTP to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson

from meritorder.catalog.load import models
from meritorder.fleet.schema import Engine, Fleet, MeasuredCoefficients, Pool, Service, Site
from meritorder.perf.compile import compile_replica
from meritorder.serve.emulate.emulator import Emulator

MODEL = "llama-3.1-8b"
STEP_S = 0.01  # an iteration takes so long, and PROMPT_TOKEN_S more per prompt token in it
PROMPT_TOKEN_S = 1e-4


def quick_fleet(replicas: int = 2, **engine: Any) -> Fleet:
    """One pool `quick` of replicas whose iterations take 10 ms and 0.1 ms per token."""
    measured = MeasuredCoefficients(
        host_s=STEP_S, per_token_s=PROMPT_TOKEN_S, idle_w=1, busy_w=2, kv_tokens=16_000, usd_per_hour=1
    )
    settings = Engine(**{"max_sequences": 8, "token_budget": 4096, **engine})
    pool = Pool(site="here", measured=measured, model=MODEL, replicas=replicas, engine=settings)
    return Fleet(
        name="quick",
        models={MODEL: models()[MODEL]},
        sites={"here": Site(usd_per_kwh=0.1, kg_per_kwh=0.1)},
        pools={"quick": pool},
        services={"chat": Service(model=MODEL)},
    )


@asynccontextmanager
async def emulated(fleet: Fleet, **options: Any) -> AsyncIterator[Emulator]:
    """An emulator that listens."""
    replicas = {name: compile_replica(fleet, name) for name in fleet.pools}
    emulator = Emulator(fleet, replicas, loop=asyncio.get_running_loop(), **options)
    await emulator.start()
    try:
        yield emulator
    finally:
        emulator.close()


async def ask(url: str, path: str, body: object = None) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of a POST, or of a GET where there is no body to send."""
    reader, writer = await send(url, path, body)
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    head, _, rest = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    if headers.get("transfer-encoding") == "chunked":
        rest = unchunked(rest)
    return int(status.split()[1]), headers, rest


async def send(url: str, path: str, body: object = None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A request on a connection of its own."""
    host, _, base = url.removeprefix("http://").partition("/")
    name, port = host.split(":")
    reader, writer = await asyncio.open_connection(name, int(port))
    data = b"" if body is None else body if isinstance(body, bytes) else orjson.dumps(body)
    line = f"{'GET' if body is None else 'POST'} {'/' if base else ''}{base}{path} HTTP/1.1\r\n"
    writer.write(f"{line}host: x\r\nconnection: close\r\ncontent-length: {len(data)}\r\n\r\n".encode() + data)
    return reader, writer


def unchunked(data: bytes) -> bytes:
    """The payload of a chunked body, which must be complete."""
    payload = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            return payload
        payload, data = payload + data[:length], data[length + 2 :]


def events(body: bytes) -> list[Any]:
    """The events of a stream, which must end with [DONE]."""
    *told, last, rest = body.decode().split("\n\n")
    assert (last, rest) == ("data: [DONE]", "")
    return [orjson.loads(event.removeprefix("data: ")) for event in told]
