"""What happens at a time of its own, earliest first; of equal times what was added first."""

from __future__ import annotations

import heapq
from typing import NamedTuple

import numpy as np

NOBODY = -1


class Event(NamedTuple):
    """Something that happens. It is void if what it is about has been undone by a failure since."""

    time: float
    order: int
    kind: str
    request: int
    epoch: int  # of the request when it was added; NOBODY: holds whatever happens
    replica: int  # whose memory it frees; NOBODY: none
    failures: int  # of that replica when it was added


class Events:
    """A heap of events."""

    def __init__(self) -> None:
        self.heap: list[Event] = []
        self.added = 0

    def add(
        self,
        time: float,
        kind: str,
        request: int = NOBODY,
        epoch: int = NOBODY,
        replica: int = NOBODY,
        failures: int = 0,
    ) -> None:
        """Add an event."""
        self.added += 1
        heapq.heappush(self.heap, Event(time, self.added, kind, request, epoch, replica, failures))

    @property
    def next_s(self) -> float:
        """When the next one happens; infinity: never."""
        return self.heap[0].time if self.heap else np.inf

    def pop(self) -> Event:
        """Take the next one out."""
        return heapq.heappop(self.heap)
