"""`Answer`: one request of a sweep and when each of its tokens came."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from statistics import median

from meritorder.serve.http.client import Call, Fault
from meritorder.serve.replay.attempt import error_message
from meritorder.serve.replay.stream import Stream


class Answer:
    """Takes what the HTTP client reports; `changed` is called with every token and at the end. Times: monotonic."""

    def __init__(self, prompt: int, changed: Callable[[], None]) -> None:
        """`prompt`: its tokens, until the endpoint says how many it counted."""
        self.sent = time.monotonic()
        self.ended = False
        self.why = ""  # it failed: why
        self.http = 0
        self.call: Call | None = None
        self.seen: list[float] = []  # when tokens came
        self._prompt = prompt
        self._changed = changed
        self._stream = Stream()
        self._error = b""
        self._latest = self.sent

    @property
    def prompt_tokens(self) -> int:
        """Of its prompt, as the endpoint counted where it did."""
        usage = self._stream.usage
        return usage.prompt_tokens if usage and usage.prompt_tokens else self._prompt

    @property
    def output_tokens(self) -> int:
        """Of its answer."""
        return max(self._stream.output_tokens, len(self.seen))

    def on_head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """The answer begins."""
        self.http = status

    def on_data(self, data: bytes) -> None:
        """A part of its body."""
        if self.http != 200:
            self._error += data[:2_000]
            return
        now, before = time.monotonic(), self._stream.pieces
        self._latest = now
        self._stream.read(data, now)
        if new := self._stream.pieces - before:
            self.seen += [now] * new
            self._changed()

    def on_end(self) -> None:
        """It is complete."""
        if self.http != 200:
            self._end(error_message(self._error) or f"HTTP {self.http}")
        elif self._stream.error:
            self._end(error_message(self._stream.error.encode()))
        else:
            if not self.seen and self._stream.output_tokens:  # tokens without a character: the last event tells when
                self.seen.append(self._latest)
            self._end("" if self.seen else "an empty answer")

    def on_fault(self, fault: Fault, why: str) -> None:
        """The connection failed."""
        self._end(f"{fault.name.lower().replace('_', ' ')}: {why}")

    def give_up(self, why: str) -> None:
        """End it from this side."""
        if self.call is not None:
            self.call.cancel()
        self._end(why)

    def token_times(self) -> list[float]:
        """When each token came. Some endpoints send no event where a token ends no character: those tokens are put
        into the longest pauses.
        """
        times = list(self.seen)
        for _ in range(min(self.output_tokens - len(times), len(times) - 1)):
            usual = median(later - earlier for earlier, later in pairwise(times))
            gap, at = max((later - earlier, i) for i, (earlier, later) in enumerate(pairwise(times)))
            if gap < 1.5 * usual:  # they came after the last
                break
            times.insert(at + 1, times[at] + min(usual, 0.5 * gap))
        return times

    def _end(self, why: str) -> None:
        if not self.ended:
            self.ended, self.why = True, why
            self._changed()
