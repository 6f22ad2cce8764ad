"""`Emulator`: a fleet's replicas behind one port, as OpenAI-compatible endpoints that keep its timing.

Replica `i` of pool `p` listens under `/p/<p>/<i>`; replicas that nobody has asked cost nothing. `/p/<p>/power` reads
and limits the power of its machines, as a driver with `http` does.
"""

from __future__ import annotations

import asyncio
import random
import re
import uuid
from collections.abc import Collection, Mapping

import orjson

from meritorder.dispatch.build import EXPECTED_OUTPUT
from meritorder.fleet.gateway import DoorLimits
from meritorder.fleet.schema import Fleet
from meritorder.perf.replica import Replica
from meritorder.serve.emulate.asked import Asked, blocks, read
from meritorder.serve.emulate.boards import Boards
from meritorder.serve.emulate.job import Job
from meritorder.serve.emulate.machine import Machine
from meritorder.serve.emulate.reply import EMULATED, FINGERPRINT, JSON, Reply
from meritorder.serve.emulate.timeline import Timeline
from meritorder.serve.errors import Refused
from meritorder.serve.http.server import Answer, HttpServer, Request

# An OpenAI completion without max_tokens has so many; a chat goes on until the model ends it.
_COMPLETION_TOKENS = 16
_TICK_S = 0.1
_LIMITS = DoorLimits(body=200e6, connections=100_000)


class Emulator:
    """The replicas of some pools of a fleet, each with an engine in emulated time."""

    def __init__(
        self,
        fleet: Fleet,
        replicas: Mapping[str, Replica],
        *,
        pools: Collection[str] | None = None,
        speed: float = 1.0,
        seed: int = 0,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """`replicas`: one per pool of the fleet; `pools`: only these; `speed`: emulated seconds per real second."""
        self.pools = {name: pool for name, pool in fleet.pools.items() if pools is None or name in pools}
        self._paths = _paths(self.pools)
        self._pool_at = {path: name for name, path in self._paths.items()}
        self.asked = 0
        self.tokens = 0
        self._fleet, self._replicas = fleet, replicas
        self._loop = loop
        self._timeline = Timeline(loop, speed, self._write)
        self._machines: dict[tuple[str, int], Machine] = {}
        self._boards = {name: Boards(pool, replicas[name]) for name, pool in self.pools.items()}
        self._changed: list[Reply] = []
        self._random = random.Random(seed)
        self._http = HttpServer(self.handle, _LIMITS, loop=loop)
        self._server: asyncio.Server | None = None
        self._ticking: asyncio.TimerHandle | None = None
        self._address = ""

    @property
    def late_s(self) -> tuple[float, float]:
        """Real seconds by which things were done too late, on average and at most."""
        return self._timeline.late_s

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; returns the port. Raises OSError where that can't be."""
        self._server = await self._loop.create_server(self._http.protocol, host, port, backlog=4096)
        port = int(self._server.sockets[0].getsockname()[1])
        self._address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        self._tick()
        return port

    def url(self, pool: str, replica: int) -> str:
        """Address of a replica, without `/v1`."""
        return f"{self._address}/p/{self._paths[pool]}/{replica}"

    def close(self) -> None:
        """Stop listening and forget what is under way."""
        self._timeline.close()
        if self._server is not None:
            self._server.close()
        if self._ticking is not None:
            self._ticking.cancel()

    def handle(self, request: Request, answer: Answer) -> None:
        """Answer a request, now or as its tokens come."""
        request_id = uuid.uuid4().hex
        try:
            self._route(request, answer, request_id)
        except Refused as error:
            answer.send(error.status, JSON, error.body(request_id))

    def _route(self, request: Request, answer: Answer, request_id: str) -> None:
        if request.path == "/":
            answer.send(200, JSON, self._overview())
            return
        if request.path == "/health":
            answer.send(200, EMULATED, b"")
            return
        if request.path.endswith("/power") and self._power(request, answer):
            return
        pool, index, path = self._place(request.path)
        if request.method == b"POST" and path in ("v1/chat/completions", "v1/completions"):
            self._ask(pool, index, read(request.body, chat=path == "v1/chat/completions"), answer, request_id)
        elif request.method == b"GET" and path == "v1/models":
            answer.send(200, JSON, self._models(pool))
        elif request.method == b"GET" and path in ("health", "ping"):
            answer.send(200, EMULATED, b"")
        elif request.method == b"GET" and path == "metrics":
            text = self._machine(pool, index).meter.text(self.pools[pool].model)
            answer.send(200, b"content-type: text/plain; version=0.0.4; charset=utf-8\r\n" + EMULATED, text)
        else:
            raise Refused(404, "not_found", f"There is no {request.method.decode()} {request.path} here.")

    def _power(self, request: Request, answer: Answer) -> bool:
        """`/p/<pool>/power`: read what the pool draws, or limit it. Returns whether that was asked."""
        parts = request.path.split("/")
        if len(parts) != 4 or parts[2] not in self._pool_at:
            return False
        name = self._pool_at[parts[2]]
        machines = [machine for (pool, _), machine in self._machines.items() if pool == name]
        if request.method == b"PUT":
            self._boards[name].limit(request.body, machines)
            answer.send(200, EMULATED, b"")
        else:
            answer.send(200, JSON, self._boards[name].watts(self._timeline.now(), machines))
        return True

    def _place(self, path: str) -> tuple[str, int, str]:
        """Pool, replica and the rest of `/p/<pool>/<replica>/<rest>`. Raises Refused 404."""
        parts = path.split("/", 4)
        if len(parts) == 5 and parts[1] == "p" and parts[2] in self._pool_at:
            pool, number = self._pool_at[parts[2]], parts[3]
            if number.isascii() and number.isdigit() and int(number) < self.pools[pool].replicas:
                return pool, int(number), parts[4]
        raise Refused(404, "not_found", "No replica listens here; GET / names the pools: /p/<pool>/<replica>/v1/...")

    def _machine(self, pool: str, index: int) -> Machine:
        """A replica's engine, made when it is first asked for."""
        machine = self._machines.get((pool, index))
        if machine is None:
            site = self._fleet.sites[self.pools[pool].site]
            network_s = 0.5 * site.rtt.get("default", 0.0)
            machine = Machine(self.pools[pool], self._replicas[pool], network_s, self._timeline)
            machine.engine.table = self._boards[pool].table
            self._machines[pool, index] = machine
        return machine

    def _ask(self, pool: str, index: int, asked: Asked, answer: Answer, request_id: str) -> None:
        model = self.pools[pool].model
        if asked.model is not None and asked.model != model:
            raise Refused(404, "model_not_found", f"This replica has {model} only.", param="model")
        machine = self._machine(pool, index)
        output, ends_early = self._length(asked, self._replicas[pool].max_context)
        self.asked += 1
        self.tokens += output
        unit_tokens = machine.engine.unit_tokens
        job = Job(
            index=self.asked,
            prompt=asked.prompt,
            output=output,
            service=0,
            priority=asked.priority,
            units=blocks(asked.text, unit_tokens) if unit_tokens else [],
            each=asked.stream,
            ends="stop" if ends_early else "length",
        )
        Reply(asked, job, answer, request_id, model, self._changed.append)
        answer.on_gone = lambda: machine.leave(job)
        machine.ask(job, self._timeline.now())
        self._timeline.advance()

    def _length(self, asked: Asked, context: int) -> tuple[int, bool]:
        """Tokens of the answer, and whether the emulated model ends it itself. Raises Refused 400: too long."""
        most = asked.most
        if most is None:
            most = context - asked.prompt if asked.chat else _COMPLETION_TOKENS
        if asked.prompt + max(most, 1) > context:
            what = f"The context is {context} tokens; {asked.prompt} of the prompt and {most} to come are more."
            raise Refused(400, "context_length_exceeded", what)
        drawn = most if asked.exact else 1 + int(self._random.expovariate(1.0 / EXPECTED_OUTPUT))
        return min(drawn, most), drawn < most

    def _models(self, pool: str) -> bytes:
        model = {"id": self.pools[pool].model, "object": "model", "created": 0, "owned_by": FINGERPRINT}
        return orjson.dumps({"object": "list", "data": [{**model, "max_model_len": self._replicas[pool].max_context}]})

    def _overview(self) -> bytes:
        pools = {name: {"model": p.model, "replicas": p.replicas} for name, p in self.pools.items()}
        told = {"emulated": self._fleet.name, "replicas": "/p/<pool>/<replica>", "pools": pools}
        return orjson.dumps(
            {**told, "requests": self.asked, "late_s": dict(zip(("mean", "max"), self.late_s, strict=True))}
        )

    def _write(self) -> None:
        """Write what has come in one turn: once per answer, however many tokens."""
        for reply in self._changed:
            reply.write()
        self._changed.clear()

    def _tick(self) -> None:
        self._http.tick(self._loop.time())
        self._ticking = self._loop.call_later(_TICK_S, self._tick)


def _paths(pools: Collection[str]) -> dict[str, str]:
    """What stands for each pool in addresses: its name, with `-` for what would need quoting."""
    paths: dict[str, str] = {}
    for name in pools:
        path = re.sub(r"[^A-Za-z0-9._-]", "-", name)
        while path in paths.values():
            path += "-"
        paths[name] = path
    return paths
