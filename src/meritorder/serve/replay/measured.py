"""What a replay measured, per request."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from meritorder.serve.replay.attempt import OUTCOMES, Attempt, Outcome

Floats = npt.NDArray[np.float64]


@dataclass
class Measured:
    """Columns in the order of the trace (n each); seconds since the start, NaN where it never happened.

    Latencies count from `arrival_s`, when the request should have been sent, so that a sender that comes late (because
    it was waiting, or busy) does not hide how long the client would have waited.
    """

    arrival_s: Floats
    sent_s: Floats
    first_s: Floats
    finish_s: Floats  # last token, or when it ended otherwise
    prompt_tokens: npt.NDArray[np.int64]  # as the endpoint counted; 0: it didn't say
    output_tokens: npt.NDArray[np.int64]
    outcome: npt.NDArray[np.uint8]  # index into OUTCOMES
    http: npt.NDArray[np.int16]
    why: list[str]
    pool: list[str]
    interrupted: bool = False

    @staticmethod
    def nothing_yet(n: int) -> Measured:
        """Before the first request: all of them interrupted, should nothing more come."""
        arrival, sent, first, finish = np.full((4, n), np.nan)
        return Measured(
            arrival_s=arrival,
            sent_s=sent,
            first_s=first,
            finish_s=finish,
            prompt_tokens=np.zeros(n, np.int64),
            output_tokens=np.zeros(n, np.int64),
            outcome=np.full(n, OUTCOMES.index("interrupted"), np.uint8),
            http=np.zeros(n, np.int16),
            why=[""] * n,
            pool=[""] * n,
        )

    def note(self, attempt: Attempt, start: float) -> None:
        """An attempt has ended; `start` is the replay's zero on the attempt's clock."""
        i, stream = attempt.request, attempt.stream
        assert attempt.outcome is not None
        self.sent_s[i] = attempt.sent - start
        self.first_s[i], self.finish_s[i] = stream.first - start, attempt.finish - start
        self.prompt_tokens[i] = stream.usage.prompt_tokens if stream.usage else 0
        self.output_tokens[i] = stream.output_tokens
        self.outcome[i] = OUTCOMES.index(attempt.outcome)
        self.http[i], self.why[i], self.pool[i] = attempt.http, attempt.why, attempt.pool

    def of(self, outcome: Outcome) -> npt.NDArray[np.bool_]:
        """Which requests ended so."""
        found: npt.NDArray[np.bool_] = self.outcome == OUTCOMES.index(outcome)
        return found

    def latencies(self) -> dict[str, Floats]:
        """`ttft_s`, `tpot_s`, `e2e_s` of completed requests, NaN elsewhere; `tpot_s` for 2 output tokens and more."""
        with np.errstate(invalid="ignore", divide="ignore"):
            tpot = (self.finish_s - self.first_s) / np.maximum(self.output_tokens - 1, 0)
        tpot[self.output_tokens < 2] = np.nan
        found = {"ttft_s": self.first_s - self.arrival_s, "tpot_s": tpot, "e2e_s": self.finish_s - self.arrival_s}
        completed = self.of("completed")
        return {name: np.where(completed, values, np.nan) for name, values in found.items()}
