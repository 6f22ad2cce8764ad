"""`Wire`: one connection to a backend, kept for one request after the other; `Call`: one request on it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from meritorder.serve.http.headers import Headers
from meritorder.serve.http.known import Known, know
from meritorder.serve.http.sink import Fault, Sink

if TYPE_CHECKING:
    from meritorder.serve.http.client import Upstream

# Heads longer than this, bytes, are not read.
_MOST_HEAD = 262_144
# Bodies up to this size are copied behind their head: cheaper than a second buffer to write.
_COPIED = 16_384


class Call:
    """One request to a backend and the answer that is awaited."""

    __slots__ = ("body", "head", "paused", "resent", "sink", "wire")

    def __init__(self, head: bytes, body: bytes, sink: Sink) -> None:
        self.head = head
        self.body = body
        self.sink: Sink | None = sink  # None: ended, failed or cancelled
        self.wire: Wire | None = None  # None: not connected yet, or over
        self.paused = False
        self.resent = False

    def cancel(self) -> None:
        """Close the connection to the backend at once, unless the answer has ended; nothing is called afterwards."""
        wire = self.wire
        self.over()
        if wire is not None:
            wire.drop()

    def pause(self) -> None:
        """Stop reading from the backend."""
        if not self.paused:
            self.paused = True
            if self.wire is not None:
                self.wire.pause()

    def resume(self) -> None:
        """Go on reading."""
        if self.paused:
            self.paused = False
            if self.wire is not None:
                self.wire.resume()

    def fail(self, fault: Fault, why: str) -> None:
        """Tell the sink."""
        sink = self.sink
        self.over()
        if sink is not None:
            sink.on_fault(fault, why)

    def over(self) -> None:
        """Let go of everything: whoever keeps the call keeps no more than that."""
        self.sink = self.wire = None
        self.head = self.body = b""


class Wire(asyncio.Protocol):
    """One connection to a backend."""

    __slots__ = (
        "_call",
        "_done",
        "_fed",
        "_headers",
        "_keep",
        "_known",
        "_parser",
        "_parts",
        "_reused",
        "_status",
        "_surplus",
        "_transport",
        "_upstream",
        "closed",
    )

    _transport: asyncio.Transport

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._call: Call | None = None
        self._parser = HttpResponseParser(self)
        self._reused = False  # it has answered a request before
        self.closed = False  # by either side
        self._fed = 0  # bytes of this answer's head so far, to within a read; 0: not one byte
        self._status = 0  # of this answer; 0: its head is not complete
        self._headers = Headers()
        # The head of the last answer if that came whole in one read; None also while the parser is within an answer.
        self._known: Known[tuple[int, Headers]] | None = None
        self._parts: list[bytes] = []  # of the body, out of this read
        self._done = False  # the answer is complete
        self._keep = False  # and the backend keeps the connection
        self._surplus = False  # it sent more than the answer

    def send(self, call: Call) -> None:
        """Write a request; no other may be under way."""
        self._call = call
        call.wire = self
        if len(call.body) <= _COPIED:
            self._upstream.outbox.put(self._transport, call.head + call.body)
        else:
            self._upstream.outbox.flush()
            self._transport.writelines((call.head, call.body))
        if call.paused:
            self.pause()

    def drop(self) -> None:
        """Close at once and tell nobody."""
        self._call = None
        self.closed = True
        self._transport.abort()

    def pause(self) -> None:
        """Stop reading."""
        if not self.closed:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Go on reading."""
        if not self.closed:
            self._transport.resume_reading()

    # the transport's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected, over TLS too."""
        # uvloop's transports have all of its methods but don't derive from it
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Parse what was read, then tell the sink all of it: it may cancel, or send the next request, at any point."""
        call = self._call
        if call is None or call.sink is None:  # an idle connection has nothing to say
            self.drop()
            return
        known = self._known
        if known is not None:
            body = known.body(data)
            if body is not None:
                self._answered(call, call.sink, known.parsed, body)
                return
            self._known = None
        malformed = ""
        headed = self._status != 0
        if not headed:
            self._fed += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            malformed = "it switched protocols"
        except HttpParserError as error:
            malformed = str(error)
        sink = call.sink
        if not headed:
            if self._status:
                sink.on_head(self._status, self._headers)
            elif self._fed > _MOST_HEAD:
                malformed = "its headers are too long"
        parts = self._parts
        body = b""
        if parts:
            self._parts = []
            body = parts[0] if len(parts) == 1 else b"".join(parts)
            if call.sink is not None:
                sink.on_data(body)
        if self._done:
            if self._keep and self._fed == len(data) and data.startswith(b"HTTP/1.1 "):
                self._known = know(data, body, (self._status, self._headers))
            self._complete(call)
        elif malformed and call.sink is not None:
            self.drop()
            call.fail(Fault.MALFORMED, malformed)

    def eof_received(self) -> None:
        """The backend has no more to say; the transport closes itself."""
        self.closed = True

    def connection_lost(self, exc: Exception | None) -> None:
        """The backend, or this side, closed."""
        self.closed = True
        self._upstream.left(self)
        call = self._call
        if call is None or call.sink is None:
            return
        self._call = None
        if self._status:
            if exc is None and not self._framed():
                self._done = True
                self._keep = False
                self._complete(call)
            else:
                call.fail(Fault.CUT, "it closed the connection in the middle of its answer")
        elif self._fed:
            call.fail(Fault.CUT, "it closed the connection in the middle of the answer's headers")
        else:
            self._upstream.unanswered(call, reused=self._reused)

    # the parser's callbacks

    def on_message_begin(self) -> None:
        """The first byte of an answer."""
        if self._done:
            self._surplus = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer: these are dropped."""
        if not self._status:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head is complete; those of 1xx are passed over."""
        if self._done:
            return
        status = self._parser.get_status_code()
        if status >= 200:
            self._status = status
        else:
            self._headers = Headers()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if not self._done:
            self._parts.append(body)

    def on_message_complete(self) -> None:
        """The answer is complete, unless it was a 1xx."""
        if self._status and not self._done:
            self._done = True
            self._keep = self._parser.should_keep_alive()

    # inside

    def _answered(self, call: Call, sink: Sink, parsed: tuple[int, Headers], body: bytes) -> None:
        """A whole answer whose head was recognised."""
        sink.on_head(*parsed)
        if body and call.sink is not None:
            sink.on_data(body)
        if call.sink is None:
            return  # it was cancelled, and this connection closed
        self._call = None
        if call.paused:
            self._transport.resume_reading()
        call.over()
        self._upstream.idle(self)
        sink.on_end()

    def _complete(self, call: Call) -> None:
        """End the call, and be ready for the next first: the sink may want to send it at once."""
        sink = call.sink
        paused = call.paused
        self._call = None
        call.over()
        if self._keep and not self._surplus and not self.closed:
            self._reused = True
            self._fed = 0
            self._status = 0
            self._headers = Headers()
            self._done = False
            if paused:
                self._transport.resume_reading()
            self._upstream.idle(self)
        else:
            self.drop()
        if sink is not None:
            sink.on_end()

    def _framed(self) -> bool:
        """Whether the answer says where its body ends."""
        return any(name in (b"content-length", b"transfer-encoding") for name, _ in self._headers)
