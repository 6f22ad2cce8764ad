"""`Meter`: counts what became of requests, in one worker."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from meritorder.fleet.schema import Fleet
from meritorder.serve.account import COUNT_TOKENS, Account
from meritorder.serve.seen.count import count_placed
from meritorder.serve.seen.layout import (
    APIS,
    CONTINUED,
    COUNTERS,
    GAUGES,
    HEDGED,
    MET,
    MISSED,
    OUTCOME,
    RETRIES,
    STATUSES,
    Layout,
)
from meritorder.serve.seen.targets import Targets


class Meter:
    """A watcher. Counts in an array of its own and copies it on `flush`.

    `row` (size of the layout) is this worker's place in `MeterRows`; what a worker before it counted goes on.
    """

    def __init__(self, fleet: Fleet, row: npt.NDArray[np.float64] | None = None) -> None:
        form = Layout(fleet)
        self.row = np.zeros(form.size) if row is None else row
        self.row[form.gauges : form.counters] = 0.0
        self._counts = self.row.copy()
        self._starts = form.starts
        self._targets = [Targets(service) for service in fleet.services.values()]
        self._answers = {
            (api, status): form.answers + a * len(STATUSES) + s
            for a, api in enumerate(APIS)
            for s, status in enumerate(STATUSES)
        }
        self._waiting = form.waiting
        self._gauges = {name: form.gauges + i for i, name in enumerate(GAUGES)}
        self._counters = {name: form.counters + i for i, name in enumerate(COUNTERS)}
        count_placed(
            np.zeros(form.size), 0, 0, 0, 0, 0, 0, 0, 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        )  # compiles it
        self._before = {name: float(self._counts[at]) for name, at in self._counters.items()}

    def __call__(self, account: Account) -> None:
        """Count a request that has ended."""
        counts = self._counts
        service = account.service
        line = self._starts[service][account.pool]
        outcome = line + OUTCOME[account.outcome]
        answer = self._answers.get((account.api, account.status))
        if answer is None:
            answer = self._answers[account.api if account.api in APIS else "", 0]
        met = self._targets[service].judge(account) if service >= 0 else None
        target = -1 if met is None else line + MET if met else line + MISSED
        if not account.placed or account.api == COUNT_TOKENS:
            for counter in (answer, outcome, target):
                if counter >= 0:
                    counts[counter] += 1.0
            return
        ttft = account.predicted_ttft_s
        if account.retries or account.continued or account.hedged:
            counts[line + RETRIES] += account.retries
            counts[line + CONTINUED] += account.continued
            counts[line + HEDGED] += account.hedged
            ttft = 0.0
        elif account.outcome != "ok":
            ttft = 0.0
        count_placed(
            counts,
            answer,
            outcome,
            target,
            line,
            account.reason,
            account.prompt_tokens,
            account.cached_tokens,
            account.output_tokens,
            account.received,
            account.placed,
            account.first if account.stream else 0.0,
            account.ended,
            account.energy_j,
            account.usd,
            account.kg,
            ttft,
            account.predicted_tpot_s,
        )

    def gauge(self, name: str, value: float) -> None:
        """Say how many there are now: one of `GAUGES`."""
        self._counts[self._gauges[name]] = value

    def waiting(self, service: int, requests: int) -> None:
        """Say how many requests of a service wait in the gateway."""
        self._counts[self._waiting + service] = requests

    def counter(self, name: str, value: float) -> None:
        """Say how many there have been since this worker started: one of `COUNTERS`."""
        self._counts[self._counters[name]] = self._before[name] + value

    def flush(self) -> None:
        """Let the supervisor see what was counted; about twice a second."""
        self.row[:] = self._counts
