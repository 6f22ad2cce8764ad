"""`Liveness`: whether a backend that has been silent for long is still there.

An answer in one piece may take its time, so silence alone says nothing. What does is silence to a look at its health.
"""

from __future__ import annotations

from collections.abc import Callable

from meritorder.serve.backends.backend import Backend
from meritorder.serve.http.client import Call, Fault


class Liveness:
    """Looks at one backend, one look at a time and only when asked; a `Sink` of the answers."""

    __slots__ = ("_asked", "_backend", "_call", "_failed", "_heard", "_now", "_status")

    def __init__(self, backend: Backend, now: Callable[[], float]) -> None:
        self._backend = backend
        self._now = now
        self._call: Call | None = None  # a look under way
        self._asked = 0.0  # when it began; of a bad one: when it was found bad
        self._heard = 0.0  # the last one that was answered began then
        self._failed = False  # the last one was answered badly
        self._status = 0

    def gone(self, patience_s: float) -> bool:
        """Whether a look found nothing there, or has not been answered for so long. Begins one if it is time to."""
        now = self._now()
        if self._call is not None:
            if now - self._asked < patience_s:
                return False
            self._call.cancel()
            self._call = None
            self._failed = True
            self._asked = now
        if now - self._heard < patience_s:
            return False
        if self._failed and now - self._asked < patience_s:
            return True
        self._asked = now
        self._failed = False
        backend = self._backend
        self._call = backend.upstream.send(b"GET", backend.kind.health_path.encode(), backend.headers, b"", self)
        return False

    def on_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Of the answer to a look."""
        self._status = status

    def on_data(self, data: bytes) -> None:
        """Nothing in it matters."""

    def on_end(self) -> None:
        """It was answered."""
        self._call = None
        self._failed = self._status >= 500
        if not self._failed:
            self._heard = self._asked

    def on_fault(self, fault: Fault, why: str) -> None:
        """It was not."""
        self._call = None
        self._failed = True
        self._asked = self._now()
