"""`Connection`: one client's connection, its requests parsed and handed to the handler one after the other."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from math import ceil
from time import monotonic
from typing import TYPE_CHECKING, TypeAlias, cast
from urllib.parse import quote
from uuid import uuid4

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from meritorder.serve.errors import Refused
from meritorder.serve.http.answer import Answer
from meritorder.serve.http.headers import Headers
from meritorder.serve.http.known import Known, know
from meritorder.serve.http.request import Request

if TYPE_CHECKING:
    from meritorder.serve.http.server import HttpServer

# phases of what is being read
IDLE = 0  # between two requests
HEAD = 1
BODY = 2
LEAVING = 3  # nothing more is read; the connection closes as soon as the client has its last answer

# Bytes that are read ahead of the request being answered before reading pauses.
_READ_AHEAD = 65_536
# How long a client may take to fetch its last answer.
LINGER_S = 2.0

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_Head: TypeAlias = tuple[bytes, str, bytes, Headers]  # method, path, query
_OFFER = (b"upgrade", b"connection", b"http2-settings")


class Connection(asyncio.Protocol):
    """One client. Requests are answered in order; the next is handed on when the one before has ended."""

    __slots__ = (
        "_ahead",
        "_asked",
        "_deaf",
        "_eof",
        "_extra",
        "_fed",
        "_headers",
        "_known",
        "_parser",
        "_parts",
        "_paused",
        "_peer",
        "_received",
        "_serving",
        "_size",
        "_slow",
        "_target",
        "_tls",
        "_transport",
        "_waiting",
        "answer",
        "phase",
        "server",
        "since",
    )

    _transport: asyncio.Transport

    def __init__(self, server: HttpServer) -> None:
        self.server = server
        self.answer: Answer | None = None  # the one in progress
        self.phase = HEAD
        self.since = 0.0  # when the phase began; 0: since the last look of the server's tick
        self._parser = HttpRequestParser(self)
        self._waiting: deque[tuple[Request | Refused, Answer]] = deque()
        self._serving = False
        self._target = b""
        self._headers = Headers()
        # The head of the last request if that came whole in one read; None also while the parser is within a message.
        self._known: Known[_Head] | None = None
        self._parts: list[bytes] = []  # of the body
        self._size = 0  # of the body so far
        self._received = 0.0
        # Bytes of the reads of which the message that is being read is made; 0: none but the one that is being parsed.
        self._fed = 0
        self._extra = 0  # of these, those of the first read if another message ended in it
        self._asked = False  # its head was looked at for what must be known before the body is there
        self._ahead = 0  # bytes read while a request is being answered
        self._paused = False
        self._slow = False
        self._eof = False  # the client sends nothing more
        self._deaf = False  # what it sends from now on is thrown away
        self._tls = False
        self._peer = ""

    # the transport's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connected."""
        # uvloop's transports have all of its methods but don't derive from it
        self._transport = cast(asyncio.Transport, transport)
        self._tls = transport.get_extra_info("sslcontext") is not None
        peer = transport.get_extra_info("peername")
        self._peer = peer[0] if isinstance(peer, tuple) else ""
        self.server.joined(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client, or this side, closed."""
        self.server.left(self)
        self.phase = LEAVING
        self._waiting.clear()
        answer = self.answer
        if answer is not None:
            self.answer = None
            answer.lost()

    def data_received(self, data: bytes) -> None:
        """Parse, and hand on what is complete."""
        if self.phase == LEAVING:
            return
        known = self._known
        if known is not None:
            body = known.body(data)
            if body is not None and self._handle(known.parsed, body):
                return
            self._known = None
        begins = not self._fed and self.answer is None
        self._fed += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            self._pass_over_upgrade(memoryview(data)[upgrade.args[0] :])
        except HttpParserError as error:
            self._refuse_malformed(error)
        if self.answer is None:
            if self._waiting:
                if begins:
                    self._learn(data)
                self._serve()
        else:
            self._ahead += len(data)
            if self._ahead > _READ_AHEAD and not self._paused:
                self._paused = True
                self._transport.pause_reading()
        if self._fed or self.phase != IDLE:
            if not self._fed:  # it began behind another one in this read
                self._fed = self._extra = len(data)
            self._incomplete()

    def eof_received(self) -> bool:
        """The client has no more to say. What it asked is still answered, unless it left altogether."""
        self._eof = True
        answer = self.answer
        if self._tls or (answer is None and not self._waiting):
            return False
        self.server.half_closed.add(self)
        if answer is not None and not answer.started and not answer.old:
            # One that closed and one that only stopped sending look the same until something is sent to it: the kernel
            # of the first answers that with RST. Clients pass over 1xx.
            self.server.outbox.flush()
            self._transport.write(_CONTINUE)
            self.server.loop.call_soon(self.check_left)
        return True

    def pause_writing(self) -> None:
        """The client reads more slowly than it is written to."""
        self._slow = True
        if self.answer is not None and self.answer.on_slow is not None:
            self.answer.on_slow(True)

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._slow = False
        if self.answer is not None:
            if self.answer.on_slow is not None:
                self.answer.on_slow(False)
        elif self._waiting:
            self._serve()

    # the parser's callbacks

    def on_url(self, url: bytes) -> None:
        """A request line, or a part of it."""
        self.phase = HEAD
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or, behind a chunked body, a trailer: these are dropped."""
        if self.phase == HEAD:
            self._headers.append((name.lower(), value.rstrip()))

    def on_headers_complete(self) -> None:
        """The head is complete."""
        limit = self.server.most_head
        if self._fed > limit or not self._fed:
            exactly = len(self._target) + sum(len(name) + len(value) + 4 for name, value in self._headers)
            if exactly > limit:
                raise self._head_too_large()
        self.phase = BODY
        self._received = monotonic()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._parts.append(body)
        self._size += len(body)
        if self._size > self.server.most_body:
            raise self._body_too_large()

    def on_message_complete(self) -> None:
        """A request is complete."""
        parser = self._parser
        target = self._target
        headers = self._headers
        parts = self._parts
        version = parser.get_http_version()
        if version == "1.1":
            old = False
            # nearly every client sends it first
            if not (headers and headers[0][0] == b"host") and not any(name == b"host" for name, _ in headers):
                raise Refused(400, "malformed_request", "The request has no Host header.")
        elif version == "1.0":
            old = True
        else:
            raise Refused(400, "malformed_request", "The request is not HTTP/1.1 or HTTP/1.0.")
        path, query = self.server.targets.get(target) or self.server.split(target)
        method = parser.get_method()
        if method == b"CONNECT":
            raise Refused(400, "malformed_request", "This is not a proxy.")
        body = parts[0] if len(parts) == 1 else b"".join(parts)
        request = Request(method, path, query, headers, body, self._received, self._peer)
        keep = parser.should_keep_alive() and not self.server.draining
        self._waiting.append((request, Answer(self, self._transport, keep=keep, old=old, bodiless=method == b"HEAD")))
        self.phase = IDLE
        self.since = 0.0
        self._target = b""
        self._headers = Headers()
        if parts:
            self._parts = []
            self._size = 0
        self._fed = self._extra = 0
        self._asked = False

    # the answer's

    def ended(self, keep: bool) -> None:
        """The answer is written whole."""
        self.answer = None
        self.since = 0.0
        if not keep or ((self._eof or self.server.draining) and not self._waiting):
            self.leave()
        elif not self._serving and (self._waiting or self._ahead or self._fed or self.phase != IDLE):
            self._serve()

    def cut(self) -> None:
        """The answer was given up in the middle."""
        self.answer = None
        self.leave()

    # the server's

    def leave(self) -> None:
        """Close, once what was written is sent."""
        self.phase = LEAVING
        self.since = 0.0
        self._waiting.clear()
        self.server.outbox.flush()
        if not self._deaf or self._eof:
            self._transport.close()
            return
        # Closing while the client is still sending would make its kernel throw the answer away: wait for it to close.
        if self._paused:
            self._transport.resume_reading()
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def refuse(self, refused: Refused) -> None:
        """Answer what is being read with an error, and close."""
        self._refuse(refused)
        if self.answer is None:
            self._serve()

    def drop(self) -> None:
        """Close at once, whatever is still to be sent."""
        self._transport.abort()

    def check_left(self) -> None:
        """Close if the client, which sends nothing more, turned out to have closed altogether."""
        if self.answer is None:
            return
        sock = self._transport.get_extra_info("socket")
        if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._transport.abort()

    # inside

    def _learn(self, data: bytes) -> None:
        """Keep the head of a request that came as `data`, to recognise the next one."""
        request, answer = self._waiting[0]
        if isinstance(request, Request) and answer.keep and not answer.old and data.startswith(b"POST "):
            parsed = request.method, request.path, request.query, request.headers
            self._known = know(data, request.body, parsed)

    def _handle(self, parsed: _Head, body: bytes) -> bool:
        """Hand on a request whose head was recognised. False: it must wait, or be looked at more closely."""
        server = self.server
        if self.answer is not None or self._slow or self._eof or server.draining or len(body) > server.most_body:
            return False
        method, path, query, headers = parsed
        answer = self.answer = Answer(self, self._transport)
        try:
            server.handler(Request(method, path, query, headers, body, monotonic(), self._peer), answer)
        except Exception as error:
            self._failed(answer, error)
        return True

    def _serve(self) -> None:
        """Hand on the next requests until one is not answered at once."""
        self._serving = True
        waiting = self._waiting
        while waiting and self.answer is None and not self._slow:
            request, answer = waiting.popleft()
            self.answer = answer
            if isinstance(request, Refused):
                self._send_refusal(request, answer)
                break
            try:
                self.server.handler(request, answer)
            except Exception as error:
                self._failed(answer, error)
        self._serving = False
        if self.answer is None and not waiting and self.phase != LEAVING:
            self._ahead = 0
            if self._paused:
                self._paused = False
                self._transport.resume_reading()
            if self._eof:
                self.leave()
            elif self._fed or self.phase != IDLE:
                self._incomplete()

    def _incomplete(self) -> None:
        """Look at a request of which only a part is there."""
        if self.phase == HEAD or self.phase == IDLE:
            if self.phase == IDLE:
                self.phase = HEAD
                self.since = 0.0
            if self._fed - self._extra > self.server.most_head:
                self.refuse(self._head_too_large())
        elif self.phase == BODY:
            # chunk extensions and trailers are read past, but not without end
            if self._fed - self._extra > 2 * self.server.most_head + 16 * self._size:
                self.refuse(Refused(400, "malformed_request", "The body's chunks carry too much beside the body."))
            elif not self._asked and self.answer is None:
                self._asked = True
                self.since = 0.0
                self._look_ahead()

    def _look_ahead(self) -> None:
        """Refuse a body that is declared too long before it comes, or ask for it where the client waits for that."""
        expected = False
        for name, value in self._headers:
            if name == b"content-length" and int(value) > self.server.most_body:
                self.refuse(self._body_too_large())
                return
            expected = expected or (name == b"expect" and value.lower() == b"100-continue")
        if expected:
            self.server.outbox.put(self._transport, _CONTINUE)

    def _refuse(self, refused: Refused) -> None:
        """Answer with an error after those that came before, and hear no more."""
        if refused.status < 500:
            self.server.bad_requests += 1
        self._deaf = True
        self.phase = LEAVING
        self.since = 0.0
        self._waiting.append((refused, Answer(self, self._transport, keep=False)))

    def _send_refusal(self, refused: Refused, answer: Answer) -> None:
        request_id = uuid4().hex
        headers = b"content-type: application/json\r\nx-request-id: %b\r\n" % request_id.encode()
        if refused.retry_after_s:
            headers += b"retry-after: %d\r\n" % ceil(refused.retry_after_s)
        answer.send(refused.status, headers, refused.body(request_id))

    def _failed(self, answer: Answer, error: Exception) -> None:
        """The handler raised: a fault of the program, honestly told."""
        self.server.loop.call_exception_handler({"message": "the HTTP handler failed", "exception": error})
        if answer.started:
            answer.abort()
        else:
            self._send_refusal(Refused(500, "internal_error", "The gateway failed to handle the request."), answer)

    def _pass_over_upgrade(self, rest: memoryview) -> None:
        """Serve a request that offers another protocol (as Java's client offers h2c) as if it did not.

        The parser takes such a request to end with its head, so its body is parsed anew, behind a head without the
        offer.
        """
        while True:
            request, answer = self._waiting.pop()
            assert isinstance(request, Request)
            lines = [b"%b %b?%b HTTP/1.1" % (request.method, quote(request.path).encode(), request.query)]
            lines += [b"%b: %b" % header for header in request.headers if header[0] not in _OFFER]
            if not answer.keep:
                lines.append(b"connection: close")
            self._parser = HttpRequestParser(self)
            self._parser.feed_data(b"\r\n".join(lines) + b"\r\n\r\n")
            try:
                self._parser.feed_data(rest)
            except HttpParserUpgrade as upgrade:
                rest = rest[upgrade.args[0] :]
            except HttpParserError as error:
                self._refuse_malformed(error)
                return
            else:
                return

    def _refuse_malformed(self, error: HttpParserError) -> None:
        """Answer what the parser, or one of its callbacks, could not accept."""
        cause = error.__context__
        if not isinstance(cause, Refused):
            cause = Refused(400, "malformed_request", "The request is not valid HTTP/1.1.")
        self._refuse(cause)

    def _head_too_large(self) -> Refused:
        return Refused(431, "headers_too_large", f"The headers are longer than {self.server.most_head} bytes.")

    def _body_too_large(self) -> Refused:
        return Refused(413, "body_too_large", f"The body is longer than {self.server.most_body} bytes.")
