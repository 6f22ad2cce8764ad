"""Things that are due at a time of the emulated fleet, done in the order of these times as real time passes."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable


class Timeline:
    """Emulated seconds since the start, `speed` of them per real second.

    What is due is done with its own time, however late the event loop gets to it, so that lateness never adds up:
    an iteration starts when the one before it ended, not when somebody noticed that.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, speed: float, after: Callable[[], None]) -> None:
        """`after` is called whenever some things have been done."""
        self._loop = loop
        self._speed = speed
        self._after = after
        self._started = time.monotonic()
        self._due: list[tuple[float, int, Callable[[float], None]]] = []
        self._added = 0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = float("inf")
        self._turns = 0
        self._late_s = self._latest_s = 0.0

    @property
    def late_s(self) -> tuple[float, float]:
        """Real seconds by which turns came too late, on average and at most."""
        return self._late_s / max(self._turns, 1), self._latest_s

    def now(self) -> float:
        """Emulated seconds since the start."""
        return (time.monotonic() - self._started) * self._speed

    def at(self, when: float, do: Callable[[float], None]) -> None:
        """Let `do(when)` be called at `when`; of equal times the first added comes first."""
        self._added += 1
        heapq.heappush(self._due, (when, self._added, do))

    def advance(self) -> None:
        """Do what is due by now, and come back when the next is."""
        due, now = self._due, self.now()
        if due and due[0][0] <= now:
            late_s = (now - due[0][0]) / self._speed
            self._turns += 1
            self._late_s += late_s
            self._latest_s = max(self._latest_s, late_s)
            while due and due[0][0] <= now:
                when, _, do = heapq.heappop(due)
                do(when)
            self._after()
        if due and due[0][0] < self._timer_at:
            self._set_timer(due[0][0], now)

    def close(self) -> None:
        """Nothing is done any more."""
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()

    def _set_timer(self, when: float, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = when
        self._timer = self._loop.call_later(max(when - now, 0.0) / self._speed, self._on_timer)

    def _on_timer(self) -> None:
        self._timer, self._timer_at = None, float("inf")
        self.advance()
