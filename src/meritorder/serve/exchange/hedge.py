"""`Hedges`: how many requests of a service may be sent to a second backend because the first is late."""

from __future__ import annotations

HALF_S = 30.0  # requests are counted in two such spans, together the last minute

LATE = 2.0  # times the predicted time to first token
LEAST_S = 0.05  # nothing is late before this


class Hedges:
    """The budget of one service: `share` of its requests of the last minute."""

    __slots__ = ("_hedged", "_requests", "_since", "share")

    def __init__(self, share: float) -> None:
        self.share = share
        self._since = 0.0
        self._requests = [0, 0]  # this span, the one before
        self._hedged = [0, 0]

    def asked(self, now: float) -> None:
        """One more request of the service."""
        self._turn(now)
        self._requests[0] += 1

    def allows(self, now: float) -> bool:
        """Whether one more may be hedged now."""
        self._turn(now)
        return sum(self._hedged) + 1 <= self.share * sum(self._requests)

    def hedged(self) -> None:
        """One more was."""
        self._hedged[0] += 1

    def _turn(self, now: float) -> None:
        if now - self._since < HALF_S:
            return
        over = now - self._since >= 2 * HALF_S
        for counts in (self._requests, self._hedged):
            counts[:] = [0, 0 if over else counts[0]]
        self._since = now
