"""`Replay`: the requests of a trace sent to an endpoint when the trace says, whether earlier ones have ended or not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import numpy as np
import orjson

from meritorder.serve.http.client import Upstream
from meritorder.serve.replay.attempt import OUTCOMES, Attempt
from meritorder.serve.replay.measured import Measured
from meritorder.serve.replay.prompts import Prompts
from meritorder.workload.trace import Trace

Api: TypeAlias = Literal["completions", "chat"]

# From the start to time 0 of the trace: the first request is made ready.
_LEAD_S = 0.1
_TICK_S = 0.1


class Replay:
    """One replay. Open loop where the trace's requests start by the clock, closed where they wait for one another."""

    def __init__(
        self,
        trace: Trace,
        upstream: Upstream,
        models: Sequence[str],
        prompts: Prompts,
        *,
        loop: asyncio.AbstractEventLoop,
        api: Api = "completions",
        headers: bytes = b"",
        timeout_s: float = 600.0,
        progress: Callable[[float], None] = lambda _: None,
    ) -> None:
        """`models`: the name to ask for, per request; `headers`: further raw header lines."""
        self._trace, self._upstream, self._models, self._prompts = trace, upstream, models, prompts
        self._loop = loop
        self._api = api
        self._path = b"/v1/chat/completions" if api == "chat" else b"/v1/completions"
        self._headers = b"content-type: application/json\r\naccept: text/event-stream\r\n" + headers
        self._timeout_s = timeout_s
        self._progress = progress
        self._measured = Measured.nothing_yet(len(trace))
        self._by_clock = np.flatnonzero(trace.after < 0)
        self._by_clock = self._by_clock[np.argsort(trace.arrival_s[self._by_clock], kind="stable")]
        self._next = 0  # of these
        self._ready: tuple[int, bytes] = (-1, b"")  # a request and its body, made before its time comes
        self._followers: dict[int, list[int]] = {}
        for i in np.flatnonzero(trace.after >= 0):
            self._followers.setdefault(int(trace.after[i]), []).append(int(i))
        self._under_way: dict[int, Attempt] = {}
        self._left = len(trace)
        self._start = 0.0
        self._done = asyncio.Event()

    async def run(self) -> Measured:
        """Send everything and wait for its end, or for `stop`."""
        self._start = time.monotonic() + _LEAD_S - float(self._trace.arrival_s[self._by_clock[0]])
        self._send_due()
        while not self._done.is_set():
            try:
                await asyncio.wait_for(self._done.wait(), _TICK_S)
            except TimeoutError:
                self._tick()
        return self._measured

    def stop(self) -> None:
        """End it now; what has been measured stays."""
        self._measured.interrupted = True
        self._left = 0
        self._done.set()
        for attempt in list(self._under_way.values()):
            attempt.give_up("interrupted")

    def _send_due(self) -> None:
        """Send what is due, make the next ready, and come back when it is due."""
        while self._next < len(self._by_clock) and not self._done.is_set():
            request = int(self._by_clock[self._next])
            due = self._start + float(self._trace.arrival_s[request])
            if self._ready[0] != request:
                self._ready = (request, self._body(request))
            wait = due - time.monotonic()
            if wait > 0.0:
                self._loop.call_later(wait, self._send_due)
                return
            self._next += 1
            self._send(request, due)

    def _send(self, request: int, due: float) -> None:
        if self._done.is_set():
            return
        body = self._ready[1] if self._ready[0] == request else self._body(request)
        self._measured.arrival_s[request] = due - self._start
        attempt = Attempt(request, self._on_end)
        self._under_way[request] = attempt
        attempt.call = self._upstream.send(b"POST", self._path, self._headers, body, attempt)
        patience = float(self._trace.cancel_s[request])
        if patience < self._timeout_s:
            self._loop.call_later(max(due + patience - time.monotonic(), 0.0), attempt.give_up, "cancelled")

    def _body(self, request: int) -> bytes:
        """The request's body: an exact number of tokens asked for, and of the prompt where it is one of tokens."""
        asked = {
            "model": self._models[request],
            "max_tokens": int(self._trace.output_tokens[request]),
            "ignore_eos": True,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if self._api == "chat":
            asked["messages"] = [{"role": "user", "content": self._prompts.text(request)}]
        else:
            asked["prompt"] = self._prompts.tokens(request)
        return orjson.dumps(asked, option=orjson.OPT_SERIALIZE_NUMPY)

    def _on_end(self, attempt: Attempt) -> None:
        """An attempt has ended: note it, and let those that wait for it follow."""
        request = attempt.request
        del self._under_way[request]
        self._measured.note(attempt, self._start)
        self._count(1)
        for follower in self._followers.get(request, ()):
            if attempt.outcome == "completed":
                due = attempt.finish + float(self._trace.think_s[follower])
                self._loop.call_later(max(due - time.monotonic(), 0.0), self._send, follower, due)
            elif attempt.outcome != "interrupted":
                self._unreached(follower)

    def _unreached(self, request: int) -> None:
        """One before it did not complete: neither it nor those behind it are ever sent."""
        behind = [request]
        while behind:
            i = behind.pop()
            self._measured.outcome[i] = OUTCOMES.index("unreached")
            self._count(1)
            behind += self._followers.get(i, ())

    def _count(self, ended: int) -> None:
        self._left -= ended
        if self._left <= 0:
            self._done.set()

    def _tick(self) -> None:
        """Now and then: end what takes too long, show how far it is."""
        now = time.monotonic()
        for attempt in list(self._under_way.values()):
            if now - attempt.sent > self._timeout_s:
                attempt.give_up("timeout", f"took more than {self._timeout_s:g} s")
        self._progress(1.0 - self._left / len(self._trace))
