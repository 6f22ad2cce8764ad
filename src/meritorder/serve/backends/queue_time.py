"""The queue of a backend that has no metrics of now, from the queue times in its answers."""

from __future__ import annotations

import math

from meritorder.serve.backends.readings import Timings

WEIGHT = 0.3  # of the newest answer
HALF_LIFE_S = 20.0  # a queue that nothing is heard of is forgotten


class QueueTime:
    """Smoothed queue time and time in service of the answers that came, in seconds."""

    __slots__ = ("_at", "_queue_s", "_service_s")

    def __init__(self) -> None:
        self._at = self._queue_s = self._service_s = 0.0

    @property
    def heard(self) -> bool:
        """Whether any answer told one."""
        return self._at > 0.0

    def add(self, now: float, timings: Timings) -> None:
        """One more answer, with its `queue_s`."""
        service_s = (timings.prompt_s or 0.0) + (timings.output_s or 0.0)
        self._service_s += (service_s - self._service_s) * (WEIGHT if self._at else 1.0)
        queue_s = self.seconds(now)
        self._queue_s = queue_s + ((timings.queue_s or 0.0) - queue_s) * (WEIGHT if self._at else 1.0)
        self._at = now

    def seconds(self, now: float) -> float:
        """The queue time to expect now."""
        return self._queue_s * math.exp2((self._at - now) / HALF_LIFE_S)

    def waiting(self, now: float, at_once: int) -> int:
        """About how many requests wait there, if it serves `at_once` at a time (Little's law)."""
        return round(self.seconds(now) * at_once / self._service_s) if self._service_s > 0 else 0
