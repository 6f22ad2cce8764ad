"""`Attempt`: one request sent to one backend, and what came back so far."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from meritorder.serve.backends.backend import Backend
from meritorder.serve.books.dispatcher import Ticket
from meritorder.serve.exchange.failures import Failure
from meritorder.serve.exchange.headers import answered, length_of, retry_after_of
from meritorder.serve.exchange.stream import Reader
from meritorder.serve.exchange.usage import Whole, read_whole
from meritorder.serve.http.client import Call, Fault
from meritorder.serve.http.headers import Headers

if TYPE_CHECKING:
    from meritorder.serve.exchange.exchange import Exchange

# An answer that isn't streamed is held back until it is complete, so that it can be asked for elsewhere if it is cut.
# Beyond this many bytes it is passed on as it comes.
MOST_HELD = 1_000_000
_REFUSES_US = frozenset({401, 403, 407})  # of the gateway's own credentials there
_NOT_THERE = frozenset({404, 405, 501})  # another backend may have it
_BUSY = frozenset({429, 503, 529})
_LOOK_AGAIN_S = 1.0
_NO_HEADERS = Headers()


class Attempt:
    """A `Sink` of the upstream connection. Tells its exchange of every event that matters, and its backend of faults.

    Nothing of a stream goes on before there is something of the answer in it: until then it can be asked for elsewhere.
    Times are monotonic; 0: not yet.
    """

    __slots__ = (
        "_by_bytes", "_headers", "_held", "_kind", "_look", "_paused", "_size", "backend", "call", "exchange", "first",
        "last", "lines", "over", "passing", "prior", "reader", "sent", "status", "ticket",
    )  # fmt: skip

    def __init__(self, exchange: Exchange, backend: Backend, ticket: Ticket, now: float, prior: int) -> None:
        self.exchange = exchange
        self.backend = backend
        self.ticket = ticket
        self.call: Call | None = None
        self.sent = now
        self.first = 0.0  # the first token came, or the whole answer
        self.last = now  # something of the answer came
        self.prior = prior  # tokens that others had given before
        self.status = 0
        self.lines = b""  # its answer's headers that the client may see
        self.reader: Reader | None = None  # of an event stream
        self.passing = False  # a long answer is on its way to the client
        self.over = False  # nothing that still comes counts
        self._headers = _NO_HEADERS
        self._kind = b""  # content type
        self._held: list[bytes] = []
        self._size = 0
        self._paused = False
        self._by_bytes = exchange.tools  # any byte of a stream is a sign of life
        self._look = math.inf if exchange.stream else now + exchange.deadlines.first_token

    # what the connection tells

    def on_head(self, status: int, headers: Headers) -> None:
        """Status and headers of the answer."""
        self.status, self._headers = status, headers
        try:
            self._kind, self.lines = answered(headers)
            if status == 200 and self.exchange.stream and self._kind.startswith(b"text/event-stream"):
                self.reader = self.exchange.reader()
        except Exception:
            self.exchange.crash()

    def on_data(self, data: bytes) -> None:
        """A part of its body."""
        if self.over:
            return
        try:
            reader = self.reader
            if reader is None:
                self._part(data)
                return
            out = reader.feed(data)
            if self._by_bytes:
                self.last = self.exchange.now()
            if reader.progress:
                self._progress()
            if out:
                if self.first and not self._held:
                    self.exchange.events(self, out)
                else:
                    self._hold(out, reader)
            if reader.broken and not self.over:
                self.fail(reader.broken)
        except Exception:
            self.exchange.crash()

    def on_end(self) -> None:
        """Its body is complete, as far as framing tells."""
        if self.over:
            return
        try:
            if self.reader is not None:
                self._stream_ended(self.reader)
            elif self.passing:
                self.exchange.passed(self)
            else:
                self._judge(self._body())
        except Exception:
            self.exchange.crash()

    def on_fault(self, fault: Fault, why: str) -> None:
        """The connection failed."""
        if self.over:
            return
        try:
            if self.reader is not None and self.reader.complete:
                self.exchange.streamed(self, self.reader)
            else:
                self.fail(why or fault.value)
        except Exception:
            self.exchange.crash()

    def _part(self, data: bytes) -> None:
        """More of an answer that is no event stream."""
        self.last = self.exchange.now()
        if self.passing:
            self.exchange.part(data)
            return
        self._held.append(data)
        self._size += len(data)
        if self._size <= MOST_HELD:
            return
        if self.exchange.begun or not (200 <= self.status < 300 or self._is_clients()):
            self.stop()
            self._judge(b"")  # nobody wants so long an error
            return
        self.passing = True
        self._sound()
        self.exchange.head(self, length_of(self._headers))
        self.exchange.part(self._body())

    def _hold(self, out: bytes, reader: Reader) -> None:
        """Keep events back until the first token, or until there is no point in it."""
        self._held.append(out)
        self._size += len(out)
        if self.first or reader.done or self._size > MOST_HELD:
            self.exchange.events(self, self._body())

    # deadlines

    def due(self) -> float:
        """When to look at it next: nothing is wrong before this."""
        deadlines = self.exchange.deadlines
        if self._paused:
            return math.inf
        if self.reader is not None:
            if self.first:
                return self.last + deadlines.token
            first = self.sent + deadlines.first_token
            return max(first, self.last + deadlines.token) if self._by_bytes else first
        if self._size:
            return self.last + deadlines.token
        return self.sent + deadlines.first_token if self.exchange.stream else self._look

    def late(self, now: float) -> None:
        """Its time has come."""
        deadlines = self.exchange.deadlines
        if self.reader is not None and self.reader.complete:
            self.stop()  # the end was marked; the connection says nothing more
            self.exchange.streamed(self, self.reader)
        elif self.first or (self._size and self.reader is None):
            self.fail(f"frozen: nothing for {deadlines.token:g} s in mid-answer", frozen=True)
        elif self.exchange.stream:
            self.fail(f"frozen: no token within {deadlines.first_token:g} s", frozen=True)
        elif self.backend.state in ("down", "open"):
            # An answer in one piece may take long; but not from one that others have found dead.
            self.fail("frozen: silent, and others of its answers failed", frozen=True)
        elif self.exchange.liveness_of(self.backend).gone(deadlines.token):
            self.fail("frozen: silent, also to a look at its health", frozen=True)
        else:
            self._look = now + min(_LOOK_AGAIN_S, deadlines.token)

    def pause(self, on: bool) -> None:
        """The client reads too slowly (on), or reads again."""
        if on == self._paused or self.call is None:
            return
        self._paused = on
        if on:
            self.call.pause()
        else:
            self.last = self.exchange.now()
            self.call.resume()

    # ends

    def fail(self, why: str, *, frozen: bool = False) -> None:
        """It gives no answer, through the backend's fault."""
        self.stop()
        self.backend.failed(why)
        self.exchange.lost(self, Failure(why, frozen=frozen))

    def stop(self) -> None:
        """Nothing more is wanted of it."""
        self.over = True
        if self.call is not None:
            self.call.cancel()

    def _progress(self) -> None:
        self.last = self.exchange.now()
        if not self.first:
            self._sound()
            self.exchange.dispatcher.answered(self.ticket)
        assert self.reader is not None
        self.reader.progress = False

    def _sound(self) -> None:
        """The first token has come, or all of it at once."""
        self.first = self.exchange.now()
        took_s, ticket = self.first - self.sent, self.ticket
        if self.reader is not None and ticket.ttft_s > 0.0:
            self.backend.ok(took_s, took_s * ticket.speed / ticket.ttft_s)
        else:
            self.backend.ok(took_s)

    def _stream_ended(self, reader: Reader) -> None:
        out = reader.close()
        if reader.progress:
            self._progress()
        if out:
            self._hold(out, reader)
        if self.over:
            return
        if reader.complete and not reader.broken:
            self.exchange.streamed(self, reader)
        else:
            self.fail(reader.broken or "the stream ended before the answer")

    def _judge(self, body: bytes) -> None:
        """A whole answer is here: for the client, or a reason to ask another backend."""
        status = self.status
        sound = 200 <= status < 300
        if (sound or self._is_clients()) and self.exchange.begun:
            # it was asked to take up a stream, and can't
            self.exchange.lost(self, Failure(f"HTTP {status} to a request to continue"))
        elif sound:
            whole = read_whole(body) if b"json" in self._kind or not self._kind else Whole()
            if whole is None:
                self.fail("an answer that is not JSON")
            elif whole.failed:
                self.fail("an error in an answer of status 200")
            else:
                self._sound()
                self.exchange.whole(self, body, whole)
        elif status in _BUSY:
            wait_s = retry_after_of(self._headers)
            self.backend.throttled(wait_s)
            self.exchange.lost(self, Failure(f"HTTP {status}", busy=True, wait_s=wait_s or 0.0))
        elif status in _NOT_THERE:
            own = b"x-request-id: %b\r\n" % self.exchange.account.request_id.encode()
            self.exchange.lost(self, Failure(f"HTTP {status}", answer=(status, own + self.lines, body)))
        elif self._is_clients():
            self.exchange.whole(self, body, Whole())
        else:
            self.fail(f"HTTP {status}")

    def _is_clients(self) -> bool:
        """Whether the status is the request's own fault."""
        return 400 <= self.status < 500 and self.status not in _REFUSES_US | _NOT_THERE | _BUSY

    def _body(self) -> bytes:
        body = self._held[0] if len(self._held) == 1 else b"".join(self._held)
        self._held = []
        return body
