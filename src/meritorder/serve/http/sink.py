"""`Sink`: what a caller of a backend implements; `Fault`: how an answer can fail to come."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from meritorder.serve.http.headers import Headers


class Fault(Enum):
    """Why an answer did not come, or not whole."""

    DNS = "its name can't be resolved"
    REFUSED = "it can't be connected to"
    TLS = "TLS failed"
    CONNECT_TIMEOUT = "connecting took too long"
    RESET = "it closed the connection without a byte of an answer"
    STALE = "the same, on a kept connection: safe to send again"
    CUT = "it closed the connection in the middle of an answer"
    MALFORMED = "its answer is not valid HTTP/1.1"


class Sink(Protocol):
    """Takes one answer. Nothing is called after `on_end`, `on_fault` or the call's `cancel`; nothing may raise."""

    def on_head(self, status: int, headers: Headers) -> None:
        """The answer begins."""

    def on_data(self, data: bytes) -> None:
        """A part of its body, as much as was read at once, without framing."""

    def on_end(self) -> None:
        """It is complete."""

    def on_fault(self, fault: Fault, why: str) -> None:
        """It will not come, or not whole."""
