"""Stand-ins for what surrounds backends: a dispatch that notes what it is told, fleets, a server of pages."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from meritorder.fleet.schema import Fleet, MeasuredCoefficients, Pool, Service, Site
from meritorder.serve.backends.backend import Backend, make_backends

VLLM_METRICS = (Path(__file__).parent / "metrics" / "vllm.txt").read_bytes()  # 20 running, 3 queued


async def until(true: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait for it, or fail."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.01)


class Told:
    """Dispatch: what it was told last of each replica."""

    def __init__(self) -> None:
        self.use: dict[int, bool] = {}
        self.limit: dict[int, int | None] = {}
        self.load: dict[int, tuple[int, int]] = {}
        self.held: dict[int, float] = {}
        self.forgotten: list[int] = []

    def usable(self, replica: int, on: bool) -> None:
        self.use[replica] = on

    def is_usable(self, replica: int) -> bool:
        return self.use.get(replica, True)

    def hold(self, replica: int, until: float) -> None:
        self.held[replica] = max(self.held.get(replica, 0.0), until)

    def held_until(self, replica: int) -> float:
        return self.held.get(replica, 0.0)

    def most(self, replica: int, requests: int | None) -> None:
        self.limit[replica] = requests

    def admits(self, replica: int) -> int:
        limit = self.limit.get(replica)
        return 2**31 - 1 if limit is None else limit

    def forget(self, replica: int) -> None:
        self.forgotten.append(replica)

    def foreign(self, replica: int, running: int, waiting: int) -> None:
        self.load[replica] = (running, waiting)


def fleet_of(**endpoints: dict[str, object] | None) -> Fleet:
    """A fleet with a pool for each endpoint, a replica for each of its urls."""
    machine = MeasuredCoefficients(host_s=1e-3, idle_w=1, busy_w=2, kv_tokens=1000, usd_per_hour=0)
    pools = {
        name: Pool(
            site="here",
            measured=machine,
            model="llama-3.1-8b",
            replicas=len(endpoint["urls"]) if endpoint else 1,  # type: ignore[arg-type]
            engine={"max_sequences": 80},  # type: ignore[arg-type]
            endpoint=endpoint,  # type: ignore[arg-type]
        )
        for name, endpoint in endpoints.items()
    }
    return Fleet(sites={"here": Site(usd_per_kwh=0, kg_per_kwh=0)}, pools=pools, services={"s": Service(model="m")})


def backends_of(fleet: Fleet, told: Told) -> list[Backend]:
    return make_backends(fleet, told, loop=asyncio.get_running_loop(), environ={})


class Pages:
    """A server on a real socket: `pages[path]` is (status, body), None: it takes the question and says nothing."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[int, bytes] | None] = {
            "/health": (200, b""),
            "/v1/models": (200, b'{"object":"list","data":[{"id":"there","object":"model"}]}'),
        }
        self.asked: list[tuple[str, bytes]] = []  # path, whole head
        self.url = ""
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        """Listen, at the same place as before if it was closed."""
        port = int(self.url.rpartition(":")[2] or 0)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ")[1].decode()
                self.asked.append((path, head))
                page = self.pages.get(path, (404, b"{}"))
                if page is not None:
                    status, body = page
                    writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()
