"""What supervisor and worker say to one another: length-prefixed messages over a socket pair that only they hold.

The set-up goes to the worker as a pickle (a fleet with its compiled replicas), everything after it is JSON.
"""

from __future__ import annotations

import asyncio
import pickle
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from meritorder.fleet.schema import Fleet
from meritorder.perf.replica import Replica

_LENGTH = struct.Struct("!I")


@dataclass(frozen=True)
class Setup:
    """All that a worker starts from."""

    fleet: Fleet
    replicas: tuple[Replica, ...]  # one per pool
    worker: int  # its number, 0 ...
    workers: int
    books: str  # name of the shared books
    meters: str  # name of the shared rows of metrics
    tally: str  # file in which workers share what keys used of their limits
    salt: bytes  # of recorded hashes; secret
    log: str | None  # file for the request log, "-" for stderr
    pages: dict[str, tuple[str, bytes]] = field(default_factory=dict)  # path -> content type, body


def send_setup(end: socket.socket, setup: Setup) -> None:
    """Send the first message; small enough not to wait for the reader for long."""
    data = pickle.dumps(setup)
    end.sendall(_LENGTH.pack(len(data)) + data)


def send_message(end: socket.socket, message: dict[str, Any]) -> None:
    """Send a message outside of the event loop."""
    data = orjson.dumps(message)
    end.sendall(_LENGTH.pack(len(data)) + data)


def receive_setup(end: socket.socket) -> Setup:
    """The first message. Raises EOFError where the supervisor is gone."""
    (length,) = _LENGTH.unpack(_exactly(end, _LENGTH.size))
    setup = pickle.loads(_exactly(end, length))
    assert isinstance(setup, Setup)
    return setup


def _exactly(end: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        part = end.recv(length - len(data))
        if not part:
            raise EOFError
        data += part
    return bytes(data)


class Line(asyncio.Protocol):
    """One end of the conversation after the set-up."""

    def __init__(self, heard: Callable[[dict[str, Any]], None], closed: Callable[[], None]) -> None:
        self._heard, self._closed = heard, closed
        self._transport: asyncio.WriteTransport | None = None
        self._data = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Of asyncio."""
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Of asyncio."""
        self._data += data
        while len(self._data) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._data)
            end = _LENGTH.size + length
            if len(self._data) < end:
                return
            message = orjson.loads(bytes(self._data[_LENGTH.size : end]))
            del self._data[:end]
            self._heard(message)

    def connection_lost(self, exc: Exception | None) -> None:
        """Of asyncio."""
        self._transport = None
        self._closed()

    def say(self, message: dict[str, Any]) -> None:
        """Send a message; lost where the other end is gone."""
        if self._transport is not None and not self._transport.is_closing():
            data = orjson.dumps(message, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
            self._transport.write(_LENGTH.pack(len(data)) + data)
