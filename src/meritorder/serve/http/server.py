"""`HttpServer`: clients' connections, what they may send and how slowly, and whom their requests go to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from email.utils import formatdate
from typing import TypeAlias

from meritorder.fleet.gateway import DoorLimits
from meritorder.serve.errors import Refused
from meritorder.serve.http.answer import Answer
from meritorder.serve.http.connection import BODY, HEAD, IDLE, LEAVING, LINGER_S, Connection
from meritorder.serve.http.outbox import outbox_of
from meritorder.serve.http.request import Request, split_target

__all__ = ["Answer", "Handler", "HttpServer", "Request"]

# Called once per request; may answer now or later.
Handler: TypeAlias = Callable[[Request, Answer], None]

# How exactly time limits are kept, seconds: all connections are looked through this often.
_LOOK_EVERY_S = 0.5
# How long a connection that has just been opened may still bring its request when the server drains.
_DRAIN_NEW_S = 1.0
_MOST_TARGETS = 256


class HttpServer:
    """Makes the protocols of `loop.create_server` and keeps what their connections share."""

    def __init__(self, handler: Handler, limits: DoorLimits, *, loop: asyncio.AbstractEventLoop) -> None:
        self.handler = handler
        self.loop = loop
        self.outbox = outbox_of(loop)
        self.most_head = int(limits.head)
        self.most_body = int(limits.body)
        self.most_connections = limits.connections
        self.accepted = 0  # connections so far
        self.bad_requests = 0  # answered here with a 4xx, so far
        self.draining = False
        self.common = b""  # header lines of every answer
        self.half_closed: set[Connection] = set()  # clients that wait for an answer and send nothing more
        self._connections: set[Connection] = set()
        # seconds that a phase of a connection may last
        self._most_s = {
            HEAD: limits.head_time,
            BODY: limits.body_time,
            IDLE: limits.idle_time,
            LEAVING: LINGER_S,
        }
        self._look_every_s = min(_LOOK_EVERY_S, *(most / 4 for most in self._most_s.values()))
        self._next_look = 0.0
        self._next_date = 0.0
        self.targets: dict[bytes, tuple[str, bytes]] = {}
        self.tick(loop.time())

    @property
    def connections(self) -> int:
        """Clients connected now."""
        return len(self._connections)

    def protocol(self) -> asyncio.Protocol:
        """One for each connection: the factory for `loop.create_server`."""
        return Connection(self)

    def tick(self, now: float) -> None:
        """Keep the time limits; to be called every 50 to 500 ms with the loop's time."""
        for connection in tuple(self.half_closed):
            connection.check_left()
        if now >= self._next_date:
            self._next_date = now + 1.0
            self.common = b"date: %b\r\n" % formatdate(usegmt=True).encode()
        if now >= self._next_look:
            self._next_look = now + self._look_every_s
            for connection in tuple(self._connections):
                if connection.answer is None:
                    self._look(connection, now)

    def drain(self) -> None:
        """From now on every answer is its connection's last; idle connections are closed."""
        self.draining = True
        for connection in tuple(self._connections):
            if connection.answer is not None:
                connection.answer.close_after()
            elif connection.phase == IDLE:
                connection.leave()

    # the connections'

    def joined(self, connection: Connection) -> None:
        """A client connected; one too many is told so."""
        self.accepted += 1
        self._connections.add(connection)
        if len(self._connections) > 2 * self.most_connections:
            connection.drop()
        elif len(self._connections) > self.most_connections:
            connection.refuse(Refused(503, "too_many_connections", "Too many connections.", retry_after_s=1.0))

    def left(self, connection: Connection) -> None:
        """Its connection is closed."""
        self._connections.discard(connection)
        self.half_closed.discard(connection)

    def split(self, target: bytes) -> tuple[str, bytes]:
        """(path, query) of a request's target, kept in `targets`."""
        parts = split_target(target)
        if len(self.targets) < _MOST_TARGETS and len(target) < 256:
            self.targets[target] = parts
        return parts

    def _look(self, connection: Connection, now: float) -> None:
        """Close a connection whose phase lasts too long."""
        if not connection.since:
            connection.since = now
            return
        phase = connection.phase
        most = self._most_s[phase]
        if self.draining and phase != BODY:
            most = min(most, _DRAIN_NEW_S)
        if now - connection.since < most:
            return
        if phase == LEAVING:
            connection.drop()
        elif phase == IDLE or (phase == HEAD and self.draining):
            connection.leave()
        else:
            part = "headers" if phase == HEAD else "body"
            connection.refuse(Refused(408, "request_timeout", f"The request's {part} did not come in {most:g} s."))
