"""`Answer`: where the answer to one request goes, and how it is framed."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meritorder.serve.http.connection import Connection

_STATUS_LINES = {int(s): b"HTTP/1.1 %d %b\r\n" % (s, s.phrase.encode()) for s in HTTPStatus}
# Bodies up to this size are copied behind their head: cheaper than a second buffer to write.
_COPIED = 16_384
# closing a socket that has this set sends RST: a client can tell that from an end
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Answer:
    """The answer to one request; written now or later, by `send` or by `head`, `write`... and `end`.

    Whoever answers sets `on_gone` (the client went away before the end; called once at most, and not for one's own
    `abort`) and `on_slow` (True: stop producing, the client reads too slowly; False: go on). After the end, and when
    the client is `gone`, nothing here does anything. Header lines hold no framing headers, `connection` or `date`.
    """

    __slots__ = (
        "_bodiless",
        "_chunked",
        "_connection",
        "_left",
        "_outbox",
        "_transport",
        "gone",
        "keep",
        "old",
        "on_gone",
        "on_slow",
        "started",
    )

    def __init__(
        self,
        connection: Connection,
        transport: asyncio.Transport,
        *,
        keep: bool = True,
        old: bool = False,
        bodiless: bool = False,
    ) -> None:
        self._connection: Connection | None = connection  # None: ended or gone
        self._transport = transport
        self._outbox = connection.server.outbox
        self.keep = keep  # the connection may be kept after this answer
        self.old = old  # the client speaks HTTP/1.0
        self._bodiless = bodiless  # of a HEAD request
        self._chunked = False
        self._left = -1  # bytes of the declared length still to come; -1: no length declared
        self.on_gone: Callable[[], None] | None = None
        self.on_slow: Callable[[bool], None] | None = None
        self.started = False
        self.gone = False

    def head(self, status: int, headers: bytes, length: int | None) -> None:
        """Begin: `headers` are raw lines; `length` of the body in bytes, None: unknown."""
        connection = self._connection
        if connection is None:
            return
        self.started = True
        if status in (204, 304):
            self._bodiless = True
            framing = b""
        elif length is not None:
            self._left = length
            framing = b"content-length: %d\r\n" % length
        elif self.old:
            self.keep = False  # its body ends with the connection
            framing = b""
        else:
            self._chunked = not self._bodiless
            framing = b"transfer-encoding: chunked\r\n"
        lines = (
            self._status_line(status),
            connection.server.common,
            headers,
            framing,
            self._connection_line(),
            b"\r\n",
        )
        self._outbox.put(self._transport, b"".join(lines))

    def write(self, data: bytes) -> None:
        """A part of the body, as one chunk where the body is chunked."""
        if self._connection is None or self._bodiless or not data:
            return
        if self._chunked:
            if len(data) <= _COPIED:
                self._outbox.put(self._transport, b"%x\r\n%b\r\n" % (len(data), data))
            else:
                self._outbox.flush()
                self._transport.writelines((b"%x\r\n" % len(data), data, b"\r\n"))
            return
        if self._left >= 0:
            self._left -= len(data)
            if self._left < 0:  # more than was declared would be taken for the next answer
                self._left = 0
                self.abort()
                return
        self._outbox.put(self._transport, data)

    def end(self) -> None:
        """The body is complete. Less of it than was declared counts as `abort`."""
        connection = self._connection
        if connection is None:
            return
        if self._chunked:
            self._outbox.put(self._transport, b"0\r\n\r\n")
        elif self._left > 0 and not self._bodiless:
            self.abort()
            return
        self._finish()
        connection.ended(self.keep)

    def send(self, status: int, headers: bytes, body: bytes) -> None:
        """The whole answer at once."""
        connection = self._connection
        if connection is None:
            return
        self.started = True
        if self.keep and not self.old and not self._bodiless and status in _STATUS_LINES and status not in (204, 304):
            head = b"%b%b%bcontent-length: %d\r\n\r\n" % (
                _STATUS_LINES[status],
                connection.server.common,
                headers,
                len(body),
            )
            if len(body) <= _COPIED:
                self._outbox.put(self._transport, head + body)
            else:
                self._outbox.flush()
                self._transport.writelines((head, body))
            self._finish()
            connection.ended(True)
            return
        self.head(status, headers, len(body))
        self.write(body)
        self.end()

    def abort(self) -> None:
        """Cut the answer so that the client can tell: what was written still goes out, its end never comes."""
        connection = self._connection
        if connection is None:
            return
        unframed = self.started and not self._chunked and self._left < 0
        self._finish()
        self.gone = True
        if unframed:  # the end of the connection would pass for the end of the body
            self._outbox.flush()
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._transport.abort()
        connection.cut()

    def lost(self) -> None:
        """Told by the connection: it is gone."""
        tell = self.on_gone
        self._finish()
        self.gone = True
        if tell is not None:
            tell()

    def close_after(self) -> None:
        """Told by the connection before the head is written: no further request will be served on it."""
        self.keep = False

    def _finish(self) -> None:
        self._connection = None
        self.on_gone = self.on_slow = None  # they refer back to this

    def _status_line(self, status: int) -> bytes:
        return _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status

    def _connection_line(self) -> bytes:
        if not self.keep:
            return b"connection: close\r\n"
        return b"connection: keep-alive\r\n" if self.old else b""
