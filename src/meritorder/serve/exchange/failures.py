"""`Failures`: what a request's attempts have come to so far, and what the client is told when none is left."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from meritorder.serve.errors import Refused


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt gave no answer."""

    why: str  # in words, for logs: the client isn't told
    frozen: bool = False  # it stopped saying anything
    busy: bool = False  # it refused for now
    wait_s: float = 0.0  # the Retry-After of one that refused; 0: none
    answer: tuple[int, bytes, bytes] | None = None  # status, headers and body of one that has no such thing (404)


class Failures:
    """All of one request."""

    __slots__ = ("_busy", "_frozen", "_wait_s", "answer", "avoid", "never", "why")

    def __init__(self, never: Iterable[int]) -> None:
        self.never: list[int] = list(never)  # replicas that are no use for it, said nothing, or are busy
        self.avoid: list[int] = list(self.never)  # these, and all others that failed it
        self.why = ""  # the last one's
        self.answer: tuple[int, bytes, bytes] | None = None  # what the client gets if there is nothing better
        self._busy = self._frozen = False
        self._wait_s = 0.0

    def add(self, replica: int, name: str, failure: Failure) -> None:
        """One more."""
        self.why = f"{name}: {failure.why}"
        self.avoid.append(replica)
        if failure.frozen:
            self._frozen = True
            self.never.append(replica)
        if failure.busy:
            self._busy = True
            self.never.append(replica)
            self._wait_s = max(self._wait_s, failure.wait_s)
        self.answer = failure.answer or self.answer

    def rule_out(self, replicas: Sequence[int]) -> None:
        """From now on these are no use for it."""
        self.never += replicas
        self.avoid += replicas

    def error(self, tried: int, paused_s: float, again_s: float) -> Refused:
        """For the client, after `tried` attempts.

        `paused_s`: until a backend that refused may be asked again; `again_s`: until any that is out of use may be.
        """
        after = f" ({tried} tried)" if tried > 1 else ""
        if self._busy or (not tried and paused_s):
            words = f"Every backend that could serve this is at its limit{after}."
            return Refused(429, "backends_busy", words, retry_after_s=max(paused_s or self._wait_s, 1.0))
        if not tried:
            return Refused(503, "no_backend", "No backend for this is up now.", retry_after_s=again_s)
        if self._frozen:
            return Refused(504, "backend_timeout", f"The backend stopped answering{after}.")
        return Refused(502, "backend_failed", f"The backend failed{after}.")
