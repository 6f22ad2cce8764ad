"""Whether a backend may be used: a circuit breaker fed by real requests, looks at its health, and its own refusals.

    up ---failures---> open ---an answer to a look, after a pause---> half-open ---a good request---> starting ---> up
     \\--silent to looks---> down ---an answer to a look---> starting

All of it is one worker's opinion, told to dispatch as it changes; nothing here waits or asks the backend anything. A
worker that keeps a backend out of use says so again and again: where nobody does any more, another one brings it back.
"""

from __future__ import annotations

import logging
import math
from typing import Literal, Protocol, TypeAlias

State: TypeAlias = Literal["up", "open", "half-open", "starting", "down"]

FAILURES = 3  # in a row: open
RATE = 0.5  # failures among the recent requests: open
ENOUGH = 10.0  # recent requests that a rate or a mean needs
HALF_LIFE_S = 10.0  # what is recent
OPEN_S = 2.0  # first pause; doubles each time that it did not help
MOST_OPEN_S = 60.0
QUIET_S = 5.0  # half-open for so long without any failure: nobody asked, so go on
STARTING_S = 10.0  # from one request at a time to as many as it takes
MISSES = 2  # looks in a row without an answer: down
PAUSE_S = 1.0  # first pause after a refusal without Retry-After; doubles
MOST_PAUSE_S = 30.0
EJECTED_S = 30.0  # pause of one that was only worse than its peers
MOST_RETRY_AFTER_S = 600.0  # however long the backend says: after this it is asked again
HOLD_S = 5.0  # a worker that has not said for so long that it keeps a backend out of use does so no longer

logger = logging.getLogger("meritorder.backends")


class Dispatch(Protocol):
    """What dispatch is told of a replica."""

    def usable(self, replica: int, on: bool) -> None:
        """Whether requests may be sent there; what the last worker says holds for all."""

    def is_usable(self, replica: int) -> bool:
        """What was last said of it, by whichever worker."""

    def hold(self, replica: int, until: float) -> None:
        """Some worker keeps it out of use, no shorter than until then (of the clock that all share)."""

    def held_until(self, replica: int) -> float:
        """The latest time of any `hold`; 0: none."""

    def most(self, replica: int, requests: int | None) -> None:
        """Most requests in flight there; None: as many as the engine takes."""

    def admits(self, replica: int) -> int:
        """Most requests in flight there, as it was last set by whichever worker."""

    def foreign(self, replica: int, running: int, waiting: int) -> None:
        """How many requests its engine runs and has waiting, whoever sent them; dispatch takes off our own."""

    def forget(self, replica: int) -> None:
        """Nothing is in its prefix cache any more."""


class Recent:
    """Requests of the recent past: how many were well and how many not, and how late their first tokens came.

    Older ones count less.
    """

    __slots__ = ("_at", "_ratio_sum", "_timed", "_ttft_sum", "bad", "good")

    def __init__(self) -> None:
        self.good = self.bad = self._at = 0.0
        self._timed = self._ttft_sum = self._ratio_sum = 0.0

    def add(self, now: float, good: float, bad: float, ttft_s: float = 0.0, ratio: float | None = None) -> None:
        """One more request, or (0, 0): let what is there age until now. `ratio`: see `Health.ok`."""
        keep = math.exp2((self._at - now) / HALF_LIFE_S)
        self._at = now
        self.good = self.good * keep + good
        self.bad = self.bad * keep + bad
        timed = ratio is not None
        self._timed = self._timed * keep + timed
        self._ttft_sum = self._ttft_sum * keep + ttft_s * timed
        self._ratio_sum = self._ratio_sum * keep + (ratio or 0.0)

    @property
    def rate(self) -> float | None:
        """Part that failed; None: too few to say."""
        count = self.good + self.bad
        return self.bad / count if count >= ENOUGH else None

    @property
    def lateness(self) -> tuple[float, float] | None:
        """Mean time to first token (s) and mean ratio to what was predicted; None: too few to say."""
        if self._timed < ENOUGH:
            return None
        return self._ttft_sum / self._timed, self._ratio_sum / self._timed


class Health:
    """One backend's. `full`: requests in flight that its engine takes. Times are those of the event loop's clock."""

    __slots__ = (
        *("_dispatch", "_full", "_heard", "_index", "_misses", "_name", "_open_s", "_pause_s", "_row", "_since"),
        *("_until", "paused_until", "recent", "state", "usable", "why"),
    )

    def __init__(self, dispatch: Dispatch, index: int, name: str, full: int) -> None:
        self.state: State = "up"
        self.usable = True
        self.why = ""  # why it is not up, in words
        self.paused_until = 0.0  # it asked to be left alone until then, this worker or another; 0: it did not
        self.recent = Recent()
        self._dispatch, self._index, self._name, self._full = dispatch, index, name, full
        self._row = 0  # failures in a row
        self._misses = 0  # looks without an answer in a row
        self._heard = 0.0  # last sign of life; 0: none ever
        self._open_s = OPEN_S
        self._pause_s = PAUSE_S
        self._since = self._until = 0.0  # of the state; until: no sooner half-open

    @property
    def rests_until(self) -> float:
        """It is not asked before this time; 0: it may be now, or nobody knows when."""
        return max(self.paused_until, self._until if self.state == "open" else 0.0)

    # what requests say

    def ok(self, now: float, ttft_s: float, ratio: float | None) -> None:
        """A request got its first token after `ttft_s`, or its whole answer (`ratio` None: it says nothing of speed).

        `ratio`: to the time that is predicted for a replica as fast as the fleet file says.
        """
        self._heard = now
        self._row = 0
        self._misses = 0
        self.recent.add(now, 1.0, 0.0, ttft_s, ratio)
        if self.state == "up":
            if not self.paused_until:
                self._pause_s = PAUSE_S
        elif self.state in ("half-open", "down"):
            self._start(now)

    def failed(self, now: float, why: str) -> None:
        """A request failed through the backend's fault: no connection, a cut, a 5xx, frozen."""
        self._row += 1
        self.recent.add(now, 0.0, 1.0)
        if self.state in ("open", "down"):
            self._dispatch.usable(self._index, False)  # another worker thought it well
        elif self.state == "half-open":
            self._open(now, why)
        elif self.state in ("up", "starting"):
            rate = self.recent.rate
            if self._row >= FAILURES or (rate is not None and rate >= RATE):
                self._open(now, why)

    def throttled(self, now: float, retry_after_s: float | None) -> None:
        """It said 429 or 503: nothing is broken, but it wants no requests for a while."""
        self._heard = now
        if retry_after_s is None and not self.paused_until:  # otherwise it is one of those that were under way
            retry_after_s = self._pause_s
            self._pause_s = min(2 * self._pause_s, MOST_PAUSE_S)
        if retry_after_s is not None:
            self.paused_until = max(self.paused_until, now + min(max(retry_after_s, 0.0), MOST_RETRY_AFTER_S))
        self._keep_out(self.paused_until)

    # what looks at its health say

    @property
    def wants_looks(self) -> bool:
        """Whether this worker must look at it itself: to bring it back, or to see what another one has seen."""
        return self.state in ("open", "half-open", "down") or (
            self.usable and not self._dispatch.is_usable(self._index)
        )

    def answered(self, now: float) -> None:
        """A look at it was answered."""
        self._heard = now
        self._misses = 0
        quiet = self.state == "half-open" and now - self._since >= QUIET_S
        if self.state == "down" or quiet or self._is_abandoned(now):
            self._start(now)
        elif self.state == "open" and now >= max(self._until, self.paused_until):
            self._to("half-open", now, self.why)
            self._row = 0
            self._dispatch.most(self._index, 1)
            self._let_in(now)

    def silent(self, now: float, why: str, *, since: float, sure: bool) -> None:
        """A look at it, begun at `since`, was not. `sure`: nothing listens there, so that one look is enough."""
        if self._heard >= since:
            return  # it is only too busy for looks
        self._misses += 1
        if self.state == "down":
            self._dispatch.usable(self._index, False)  # another worker thought it well
        elif sure or self._misses >= MISSES or not self._heard or not self._dispatch.is_usable(self._index):
            self._to("down", now, why)
            self._keep_out(now + HOLD_S)
            self._dispatch.forget(self._index)

    # what its peers and the time say

    def eject(self, now: float, why: str) -> None:
        """It is far worse than the others of its pool."""
        self._open(now, why)
        self._until = now + EJECTED_S

    def take_over(self, now: float) -> None:
        """Go on where a worker may have left off when it died: somebody must lift the limit that it had set."""
        most = self._dispatch.admits(self._index)
        if most < self._full:
            self._to("half-open" if most == 1 else "starting", now, "")
            self._since -= most / self._full * STARTING_S

    def tick(self, now: float) -> None:
        """Let time pass: several times a second."""
        if self.state in ("open", "down"):
            self._dispatch.hold(self._index, now + HOLD_S)
        elif self.paused_until:
            self.paused_until = max(self.paused_until, self._dispatch.held_until(self._index))
            if now >= self.paused_until:
                self._start(now, part=0.0 if self.state == "half-open" else 0.5)  # it was not broken, only full
        elif self.state == "starting":
            part = (now - self._since) / STARTING_S
            if part < 1.0:
                self._dispatch.most(self._index, max(1, int(self._full * part)))
            else:
                self._to("up", now, "")
                self._open_s = OPEN_S
                self._dispatch.most(self._index, None)

    def _open(self, now: float, why: str) -> None:
        self._to("open", now, why)
        self._until = now + self._open_s
        self._open_s = min(2 * self._open_s, MOST_OPEN_S)
        self._keep_out(now + HOLD_S)

    def _start(self, now: float, part: float = 0.0) -> None:
        """From `part` of what it takes, to all of it."""
        self._to("starting", now, "")
        self._since -= part * STARTING_S
        self._row = 0
        self.recent = Recent()
        self._dispatch.most(self._index, max(1, int(self._full * part)))
        self._let_in(now)

    def _to(self, state: State, now: float, why: str) -> None:
        if state != self.state:
            level = logging.WARNING if state in ("open", "down") else logging.INFO
            logger.log(level, "backend %s is %s%s", self._name, state, f": {why}" if why else "")
        self.state, self.why, self._since = state, why, now

    def _is_abandoned(self, now: float) -> bool:
        """Whether it is out of use only because of a worker that is gone."""
        dispatch, index = self._dispatch, self._index
        return (
            self.state == "up" and self.usable and not dispatch.is_usable(index) and now >= dispatch.held_until(index)
        )

    def _keep_out(self, until: float) -> None:
        """No requests, whatever other workers have said since."""
        self.usable = False
        self._dispatch.usable(self._index, False)
        self._dispatch.hold(self._index, until)

    def _let_in(self, now: float) -> None:
        """Requests again, unless it asked this worker or another to be left alone for longer."""
        held_until = self._dispatch.held_until(self._index)
        if held_until > now + HOLD_S:  # more than being open says
            self.paused_until = max(self.paused_until, held_until)
        self.usable = now >= self.paused_until
        if self.usable:
            self.paused_until = 0.0
            self._dispatch.usable(self._index, True)
