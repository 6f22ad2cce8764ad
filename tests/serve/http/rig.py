"""Real sockets for the HTTP tests: a server with a handler, raw clients, raw backends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager

import uvloop

from meritorder.fleet.gateway import DoorLimits
from meritorder.serve.http.client import Fault
from meritorder.serve.http.server import Answer, HttpServer, Request

LIMIT_S = 8.0


def run(main: Coroutine):
    """The result of `main` on a fresh uvloop; a test that hangs fails."""

    async def limited():
        async with asyncio.timeout(LIMIT_S):
            return await main

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(limited())


def echo(request: Request, answer: Answer) -> None:
    answer.send(200, b"content-type: text/plain\r\n", b"%b %b" % (request.path.encode(), request.body))


@asynccontextmanager
async def serving(handler, *, tick_s: float = 0.01, ssl=None, **limits) -> AsyncIterator[tuple[HttpServer, int]]:
    """A ticking server on a port of its own."""
    loop = asyncio.get_running_loop()
    server = HttpServer(handler, DoorLimits(**limits), loop=loop)
    listening = await loop.create_server(server.protocol, "127.0.0.1", 0, ssl=ssl)

    async def tick():
        while True:
            server.tick(loop.time())
            await asyncio.sleep(tick_s)

    ticking = asyncio.create_task(tick())
    try:
        yield server, listening.sockets[0].getsockname()[1]
    finally:
        ticking.cancel()
        listening.close()


async def connect(port: int, **more) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port, **more)


async def exchange(port: int, data: bytes) -> bytes:
    """All that comes back for `data` until the server closes."""
    reader, writer = await connect(port)
    writer.write(data)
    try:
        return await reader.read()
    finally:
        writer.close()


async def answer_of(reader: asyncio.StreamReader) -> tuple[int, dict[bytes, bytes], bytes]:
    """One answer: (status, headers, body); IncompleteReadError where it is cut."""
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head[:-4].split(b"\r\n")
    status = int(lines[0].split()[1])
    headers = {name.lower(): value.strip() for name, value in (line.split(b":", 1) for line in lines[1:])}
    if 100 <= status < 200:
        return status, headers, b""
    if b"content-length" in headers:
        return status, headers, await reader.readexactly(int(headers[b"content-length"]))
    if headers.get(b"transfer-encoding") == b"chunked":
        parts = []
        while size := int((await reader.readuntil(b"\r\n"))[:-2], 16):
            parts.append((await reader.readexactly(size + 2))[:-2])
        await reader.readexactly(2)
        return status, headers, b"".join(parts)
    return status, headers, await reader.read()


Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def backend(script: Script, ssl=None) -> AsyncIterator[tuple[str, list[int]]]:
    """A backend that does what `script` says on every connection: (its URL, a list with one entry a connection)."""
    connections: list[int] = []
    scripts: set[asyncio.Task] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(len(connections))
        scripts.add(asyncio.current_task())
        try:
            await script(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, RuntimeError):
            pass  # closed by the other side; uvloop raises RuntimeError on writing then
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=ssl)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"{'https' if ssl else 'http'}://localhost:{port}", connections
    finally:
        server.close()
        for task in scripts:
            task.cancel()


async def request_of(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """(head, body) of a request with content-length."""
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return head, await reader.readexactly(int(value))
    return head, b""


class Heard:
    """A sink that writes down what it is told."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.parts: list[bytes] = []
        self.fault: Fault | None = None
        self.ends = 0
        self.over = asyncio.Event()
        self.some = asyncio.Event()

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    def on_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        assert not self.status
        self.status = status
        self.headers = headers

    def on_data(self, data: bytes) -> None:
        assert self.status
        assert not self.ends
        assert data
        self.parts.append(data)
        self.some.set()

    def on_end(self) -> None:
        self.ends += 1
        self.over.set()

    def on_fault(self, fault: Fault, why: str) -> None:
        assert why
        self.ends += 1
        self.fault = fault
        self.over.set()
