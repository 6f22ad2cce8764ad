"""One request of a replay, from its sending to its end, whatever that is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, TypeAlias

import orjson

from meritorder.serve.http.client import Call, Fault
from meritorder.serve.replay.stream import Stream

Outcome: TypeAlias = Literal[
    "completed",
    "refused",  # an HTTP status other than 200
    "broken",  # the answer broke off, held an error, or ended without its proper end
    "failed",  # no answer: connection refused, reset, ...
    "timeout",  # not ended in the time that the replay gives
    "cancelled",  # the trace's client gave up here
    "unreached",  # closed loop: one before it in its session did not complete
    "interrupted",  # the replay was stopped first
]
OUTCOMES: tuple[Outcome, ...] = (
    *("completed", "refused", "broken", "failed", "timeout", "cancelled", "unreached", "interrupted"),
)

_MOST_OF_AN_ERROR = 2_000


class Attempt:
    """Takes what the HTTP client reports. Times of `time.monotonic`; `ended(self)` is called once, at its end."""

    __slots__ = ("_ended", "_error", "call", "finish", "http", "outcome", "pool", "request", "sent", "stream", "why")

    def __init__(self, request: int, ended: Callable[[Attempt], None]) -> None:
        self.request = request
        self.sent = time.monotonic()
        self.finish = float("nan")
        self.outcome: Outcome | None = None  # None: under way
        self.why = ""
        self.http = 0  # status
        self.pool = ""  # as a gateway explains it
        self.stream = Stream()
        self.call: Call | None = None
        self._error = b""
        self._ended = ended

    def on_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """The answer begins."""
        self.http = status
        for name, value in headers:
            if name.lower() == b"x-merit-decision":
                parts = dict(part.strip().partition("=")[::2] for part in value.decode("latin-1").split(";"))
                self.pool = parts.get("pool", "").strip('"')

    def on_data(self, data: bytes) -> None:
        """A part of its body."""
        if self.http == 200:
            self.stream.read(data, time.monotonic())
        elif len(self._error) < _MOST_OF_AN_ERROR:
            self._error += data

    def on_end(self) -> None:
        """The answer is complete, as far as HTTP goes."""
        if self.http != 200:
            self.end("refused", error_message(self._error) or f"HTTP {self.http}")
        elif self.stream.error:
            self.end("broken", error_message(self.stream.error.encode()))
        elif not self.stream.ended or not self.stream.pieces:
            self.end("broken", "the stream ended without a proper end" if self.stream.pieces else "an empty answer")
        else:
            self.end("completed")

    def on_fault(self, fault: Fault, why: str) -> None:
        """The connection failed."""
        self.end("broken" if self.stream.pieces else "failed", f"{fault.name.lower().replace('_', ' ')}: {why}")

    def give_up(self, outcome: Outcome, why: str = "") -> None:
        """End it from this side."""
        if self.call is not None and self.outcome is None:
            self.call.cancel()
        self.end(outcome, why)

    def end(self, outcome: Outcome, why: str = "") -> None:
        """It has ended; a second time changes nothing."""
        if self.outcome is None:
            self.outcome, self.why = outcome, why
            # the client has its answer with the last token, whatever is said about it afterwards
            self.finish = self.stream.last if outcome == "completed" else time.monotonic()
            self._ended(self)


def error_message(body: bytes) -> str:
    """What an error body says, in one line."""
    try:
        told = orjson.loads(body)
        error = told.get("error", told)
        text = str(error.get("message", error)) if isinstance(error, dict) else str(error)
    except (orjson.JSONDecodeError, AttributeError):
        text = body.decode("utf-8", "replace")
    return " ".join(text.split())[:300]
