"""`Upstream`: one backend's address with its kept connections."""

from __future__ import annotations

import asyncio
import socket
import ssl
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from meritorder.problems import InputError, Problem
from meritorder.serve.http.outbox import outbox_of
from meritorder.serve.http.sink import Fault, Sink
from meritorder.serve.http.wire import Call, Wire

__all__ = ["Call", "Fault", "FetchError", "Sink", "Upstream", "fetch"]

# How long an address that DNS gave is used.
_RESOLVED_S = 30.0


class Upstream:
    """One backend.

    `url` is `http://host[:port][/base]` or https; `ca` a PEM file of authorities to trust instead of the system's.
    At most `most_idle` connections are kept while they are idle. Raises InputError where `url` has no host or an
    impossible port, or the `ca` file can't be used.
    """

    def __init__(
        self,
        url: str,
        *,
        loop: asyncio.AbstractEventLoop,
        ca: str | None = None,
        connect_timeout_s: float = 5.0,
        most_idle: int = 256,
    ) -> None:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
        if not host:
            raise InputError(Problem(f"{url} is not an address", fix="give http://host:port or https://host:port"))
        self.base = parts.path.rstrip("/")
        self._loop = loop
        self.outbox = outbox_of(loop)
        self._tls = _trust(ca) if parts.scheme == "https" else None
        self._host = host
        self._port = port or (443 if self._tls else 80)
        self._connect_timeout_s = connect_timeout_s
        self._most_idle = most_idle
        self._behind_path = b" HTTP/1.1\r\nhost: %b\r\n" % parts.netloc.encode("ascii" if url.isascii() else "idna")
        self._base = self.base.encode()
        self._connecting: set[asyncio.Task[None]] = set()
        self._idle: list[Wire] = []  # the one used last is used first
        self._closed = False
        self._addresses: list[str] = []
        self._resolved_until = 0.0
        self._resolving: asyncio.Task[OSError | UnicodeError | None] | None = None  # one at a time: DNS may hang

    def send(self, method: bytes, path: bytes, headers: bytes, body: bytes, sink: Sink) -> Call:
        """Ask `method base+path`; `headers` are raw lines without host, connection and content-length.

        A request that finds its kept connection closed is sent once more on a new one.
        """
        if body or method != b"GET":
            form = b"%b %b%b%b%bcontent-length: %d\r\n\r\n"
            head = form % (method, self._base, path, self._behind_path, headers, len(body))
        else:
            head = b"GET %b%b%b%b\r\n" % (self._base, path, self._behind_path, headers)
        call = Call(head, body, sink)
        idle = self._idle
        while idle:
            wire = idle.pop()
            if not wire.closed:
                wire.send(call)
                return call
        self._connect(call)
        return call

    def close(self) -> None:
        """Close idle connections now, the others after their answers."""
        self._closed = True
        while self._idle:
            self._idle.pop().drop()

    # the wires'

    def idle(self, wire: Wire) -> None:
        """Its answer has ended; it may serve another request."""
        if self._closed or len(self._idle) >= self._most_idle:
            wire.drop()
        else:
            self._idle.append(wire)

    def left(self, wire: Wire) -> None:
        """It is closed."""
        if wire in self._idle:
            self._idle.remove(wire)

    def unanswered(self, call: Call, *, reused: bool) -> None:
        """The connection closed before a byte of an answer came."""
        if reused and not call.resent and not self._closed:
            call.resent = True
            self._connect(call)
        elif reused:
            call.fail(Fault.STALE, "it closed a kept connection without an answer")
        else:
            call.fail(Fault.RESET, "it closed the connection without an answer")

    # connecting

    def _connect(self, call: Call) -> None:
        call.wire = None
        task = self._loop.create_task(self._connect_and_send(call))
        self._connecting.add(task)  # the loop itself keeps tasks no longer than the garbage collector lets it
        task.add_done_callback(self._connecting.discard)

    async def _connect_and_send(self, call: Call) -> None:
        why = ""
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                wire = await self._open()
        except TimeoutError:
            fault, why = Fault.CONNECT_TIMEOUT, f"not connected after {self._connect_timeout_s:g} s"
        except (socket.gaierror, UnicodeError) as error:
            fault, why = Fault.DNS, getattr(error, "strerror", None) or "its name is no name"
        except ssl.SSLError as error:
            fault, why = Fault.TLS, getattr(error, "verify_message", "") or error.reason or "the handshake failed"
        except OSError as error:
            # a backend that closes in the middle of the handshake
            broken = self._tls is not None and isinstance(error, ConnectionResetError | ConnectionAbortedError)
            fault, why = (Fault.TLS if broken else Fault.REFUSED), error.strerror or type(error).__name__
        if why:
            self._resolved_until = 0.0  # perhaps it has moved
            call.fail(fault, why)
        elif wire.closed:
            self.unanswered(call, reused=False)
        elif call.sink is None:  # cancelled meanwhile: the connection serves another
            self.idle(wire)
        else:
            wire.send(call)

    async def _open(self) -> Wire:
        """A new connection to the first of its addresses that can be connected to."""
        last: OSError | None = None
        addresses = await self._resolve()
        for address in addresses:
            try:
                # one that does not answer must leave time for the others
                async with asyncio.timeout(self._connect_timeout_s / len(addresses)):
                    _, wire = await self._loop.create_connection(
                        lambda: Wire(self),
                        address,
                        self._port,
                        ssl=self._tls,
                        server_hostname=self._host if self._tls else None,
                    )
            except ssl.SSLError:
                raise
            except OSError as error:
                last = error
            else:
                return wire
        raise last or ConnectionRefusedError("it has no address")

    async def _resolve(self) -> list[str]:
        """Its addresses; those known before while DNS is asked again, or fails."""
        if not self._addresses or self._loop.time() > self._resolved_until:
            if self._resolving is None:
                self._resolving = self._loop.create_task(self._look_up())
            if not self._addresses and (error := await asyncio.shield(self._resolving)) is not None:
                raise error
        return self._addresses

    async def _look_up(self) -> OSError | UnicodeError | None:
        """Ask DNS for its addresses; why it has none, where it said so."""
        try:
            found = await self._loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            return error
        else:
            self._addresses = [str(address[0]) for *_, address in found]
            self._resolved_until = self._loop.time() + _RESOLVED_S
            return None
        finally:
            self._resolving = None


class FetchError(Exception):
    """An answer did not come: why, as a fault and in words."""

    def __init__(self, fault: Fault, why: str) -> None:
        super().__init__(why)
        self.fault = fault


async def fetch(
    upstream: Upstream,
    method: bytes,
    path: bytes,
    headers: bytes = b"",
    body: bytes = b"",
    timeout_s: float = 5.0,
    most: int = 10_000_000,
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """One whole answer: (status, headers, body); for the cold path.

    Raises FetchError where it doesn't come or has more than `most` bytes, TimeoutError after `timeout_s`.
    """
    whole = _Whole(most)
    call = upstream.send(method, path, headers, body, whole)
    try:
        async with asyncio.timeout(timeout_s):
            await whole.done
    finally:
        call.cancel()
    return whole.status, whole.headers, b"".join(whole.parts)


class _Whole:
    """Collects one answer."""

    def __init__(self, most: int) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.parts: list[bytes] = []
        self.left = most
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.status = status
        self.headers = headers

    def on_data(self, data: bytes) -> None:
        self.left -= len(data)
        if self.left >= 0:
            self.parts.append(data)
        elif not self.done.done():
            self.done.set_exception(FetchError(Fault.MALFORMED, "its answer is too long"))

    def on_end(self) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def on_fault(self, fault: Fault, why: str) -> None:
        if not self.done.done():
            self.done.set_exception(FetchError(fault, why))


@cache
def _trust(ca: str | None) -> ssl.SSLContext:
    """Verifying, always; with the authorities in the file `ca` or the system's. Reading them takes a while."""
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        problem = Problem(f"can't be used as a list of authorities: {error}", where=str(Path(ca or "")))
        raise InputError(problem) from error
