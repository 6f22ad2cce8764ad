"""`Window`: how much of something a key used in the last minute, over all workers."""

from __future__ import annotations

WINDOW_S = 60.0


class Window:
    """A sliding minute made of two fixed ones: the one that runs, and of the one before the part not yet a minute old.

    `now` and `before` are what this process counted; `others_now` and `others_before` what the other workers did, as
    last heard. Times are seconds of a clock that all workers share.
    """

    __slots__ = ("before", "minute", "now", "others_before", "others_now")

    def __init__(self) -> None:
        self.minute = 0.0  # number of the minute that runs
        self.now = 0.0
        self.before = 0.0
        self.others_now = 0.0
        self.others_before = 0.0

    def add(self, time: float, amount: float) -> None:
        """Count `amount`; a negative one takes back what was counted too much, here or in the minute before."""
        minute = time // WINDOW_S
        if minute != self.minute:
            self.roll(minute)
        self.now += amount
        if self.now < 0.0:
            self.before = max(0.0, self.before + self.now)
            self.now = 0.0

    def wait(self, time: float, amount: float, limit: float) -> float:
        """Seconds until `amount` more fits under `limit`, if nothing else comes; 0: it fits now.

        What exceeds the limit all by itself fits where there is nothing else.
        """
        minute = time // WINDOW_S
        if minute != self.minute:
            self.roll(minute)
        now = self.now + self.others_now
        before = self.before + self.others_before
        room = (limit - amount if amount < limit else 0.0) - now
        if before <= room:
            return 0.0
        left = 1.0 + minute - time / WINDOW_S  # part of the minute before that still counts
        if before * left <= room:
            return 0.0
        if room >= 0.0:  # when enough of the minute before has passed out of sight
            return (left - room / before) * WINDOW_S
        return (left + 1.0 - (room + now) / now) * WINDOW_S  # likewise of this one, once it is the minute before

    def roll(self, minute: float) -> None:
        """Go on to another minute."""
        follows = minute == self.minute + 1.0
        self.before = self.now if follows else 0.0
        self.others_before = self.others_now if follows else 0.0
        self.now = self.others_now = 0.0
        self.minute = minute
