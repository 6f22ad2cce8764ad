"""A gateway of one worker, in this process on a real port, in front of fake backends."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import uvloop
from tests.serve.fake_backend import FakeBackend
from tests.serve.new_folder import new_folder

from meritorder.fleet.load import loads
from meritorder.perf.compile import compile_replica
from meritorder.serve.account import Account
from meritorder.serve.admission import Admission
from meritorder.serve.backends.backend import make_backends
from meritorder.serve.books.books import Books
from meritorder.serve.books.dispatcher import Dispatcher
from meritorder.serve.doors.doors import Doors
from meritorder.serve.gateway import Gateway
from meritorder.serve.http.server import HttpServer

T = TypeVar("T")
SERVICES = """
  chat: {model: llama-3.1-8b, live: {deadlines: {first_token: 400 ms, token: 300 ms, answer: 5 s}}}
"""


def fleet_text(
    backends: list[FakeBackend], kinds: list[str] | None = None, services: str = SERVICES, more: str = ""
) -> str:
    """A pool per backend; the first is the cheapest, so it is always asked first."""
    pools = "".join(
        f"""
  p{i}:
    site: here
    model: llama-3.1-8b
    replicas: 1
    measured: {{host_s: 0.01, per_token_s: 3e-5, per_sequence_s: 1e-4, per_kv_token_s: 5e-9, idle_w: 100,
               busy_w: {400 * (1 + i)}, kv_tokens: 200000, usd_per_hour: 2 USD/h}}
    engine: {{max_sequences: 64, token_budget: 1024}}
    endpoint: {{kind: {kinds[i] if kinds else "vllm"}, urls: ["{fake.url}"], model: {fake.model}}}"""
        for i, fake in enumerate(backends)
    )
    return f"""
name: rig
sites:
  here: {{usd_per_kwh: 0.08 USD/kWh, kg_per_kwh: 300 g/kWh, pue: 1.2}}
pools: {pools}
services: {services}
dispatch: {{policy: merit-order}}
{more}
"""


class Rig:
    """The gateway, its loop in a thread, and an account of each request that has ended."""

    def __init__(self, text: str) -> None:
        self.fleet = loads(text, "rig.yaml")
        self.accounts: list[Account] = []
        self.loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self._ticking = True
        asyncio.run_coroutine_threadsafe(self._start(), self.loop).result(300)  # the first compiles

    async def _start(self) -> None:
        replicas = [compile_replica(self.fleet, name) for name in self.fleet.pools]
        self.books = Books.create(self.fleet, replicas, workers=1, folder=new_folder(), prefix_slots=1 << 12)
        self.dispatcher = Dispatcher(self.books, 0)
        self.backends = make_backends(self.fleet, self.dispatcher, loop=self.loop)
        self.admission = Admission(self.fleet, clock=self.loop.time, room=self.dispatcher.room)
        doors = Doors(self.fleet, None, clock=self.loop.time)
        self.gateway = Gateway(
            self.fleet, self.dispatcher, self.backends, self.admission, doors, [self.accounts.append], loop=self.loop
        )
        self.server = HttpServer(self.gateway.handle, self.fleet.gateway.limits, loop=self.loop)
        self._listener = await self.loop.create_server(self.server.protocol, "127.0.0.1", 0)
        self.port = self._listener.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._ticks = self.loop.create_task(self._tick())

    async def _tick(self) -> None:
        while True:
            now = self.loop.time()
            self.gateway.tick(now)
            self.server.tick(now)
            self.admission.tick(now)
            for backend in self.backends:
                backend.health.tick(now)
            await asyncio.sleep(0.02)

    def stop(self) -> None:
        async def close() -> None:
            self._ticks.cancel()
            self._listener.close()
            for backend in self.backends:
                backend.close()

        asyncio.run_coroutine_threadsafe(close(), self.loop).result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.books.close()

    def on_loop(self, do: Callable[[], T]) -> T:
        """What `do` returns, called in the gateway's thread."""

        async def call() -> T:
            return do()

        return asyncio.run_coroutine_threadsafe(call(), self.loop).result(10)

    def in_books(self) -> int:
        return int(self.books.live.fleet.replicas.in_flight.sum())

    def post(self, path: str, ask: dict[str, Any] | bytes, **headers: str) -> Reply:
        return request(self.port, "POST", path, ask, headers)

    def get(self, path: str, **headers: str) -> Reply:
        return request(self.port, "GET", path, None, headers)

    def chat(self, *, stream: bool = False, **more: Any) -> Reply:
        ask = {"model": "chat", "messages": [{"role": "user", "content": "count"}], "stream": stream} | more
        return self.post("/v1/chat/completions", ask)

    def account(self, number: int = 0) -> Account:
        """Of the request that ended as the `number`-th."""
        wait_for(lambda: len(self.accounts) > number)
        return self.accounts[number]

    def settled(self) -> None:
        """Nothing is in flight, in no book."""
        wait_for(lambda: self.gateway.in_flight == 0 and self.in_books() == 0)


class Reply:
    """An answer as the client got it; `cut`: it could tell that it is not complete."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes, cut: bool) -> None:
        self.status, self.headers, self.body, self.cut = status, headers, body, cut

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[bytes]:
        """The data of every event."""
        parts = self.body.replace(b"\r\n", b"\n").split(b"\n\n")
        assert parts[-1] == b"", "the stream ends in the middle of an event"
        found = []
        for part in parts[:-1]:
            found += [line[6:] for line in part.split(b"\n") if line.startswith(b"data: ")]
        return found

    @property
    def chunks(self) -> list[Any]:
        return [json.loads(event) for event in self.events if event != b"[DONE]"]

    @property
    def text(self) -> str:
        """What the answer says, of chat or completions."""
        if not self.headers["content-type"].startswith("text/event-stream"):
            choice = self.json["choices"][0]
            return choice["message"]["content"] if "message" in choice else choice["text"]
        choices = [choice for chunk in self.chunks for choice in chunk.get("choices", ())]
        return "".join(c.get("text") or c.get("delta", {}).get("content") or "" for c in choices)

    @property
    def error(self) -> Any:
        """Of an error answer, or of the last event of a stream."""
        if self.headers["content-type"].startswith("text/event-stream"):
            return self.chunks[-1]["error"]
        return self.json["error"]


def request(port: int, method: str, path: str, ask: dict[str, Any] | bytes | None, headers: dict[str, str]) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    body = json.dumps(ask).encode() if isinstance(ask, dict) else ask
    sent = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        cut = False
        try:
            data = answer.read()
        except http.client.IncompleteRead as error:
            cut, data = True, error.partial
        return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, data, cut)
    finally:
        connection.close()


def words(first: int, last: int) -> str:
    return "".join(f"w{i} " for i in range(first, last))


def wait_for(true: Callable[[], bool], seconds: float = 5.0) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not come true in time"
        time.sleep(0.005)


@contextmanager
def rig(
    count: int = 2, kinds: list[str] | None = None, services: str = SERVICES, more: str = ""
) -> Iterator[tuple[Rig, list[FakeBackend]]]:
    """`count` fake backends and a gateway in front of them; afterwards nothing may be left in its books."""
    fakes = [FakeBackend(f"fake-{i}") for i in range(count)]
    for fake in fakes:
        fake.start()
    made = Rig(fleet_text(fakes, kinds, services, more))
    try:
        yield made, fakes
        made.settled()
    finally:
        made.stop()
        for fake in fakes:
            fake.stop()
