"""`Meter`: counts what became of requests, in one worker."""

from __future__ import annotations

from bisect import bisect_left

import numpy as np
import numpy.typing as npt

from meritorder.fleet.schema import Fleet
from meritorder.serve.account import Account
from meritorder.serve.seen import layout
from meritorder.serve.seen.layout import (
    ANSWER_RATIO,
    APIS,
    COUNTERS,
    DURATION,
    GAUGES,
    OUTCOME,
    OUTPUT,
    PROMPT,
    STATUSES,
    TPOT,
    TPOT_RATIO,
    TTFT,
    TTFT_RATIO,
    WAIT,
    Layout,
)
from meritorder.serve.seen.targets import Targets

_SECONDS, _A_TOKEN, _TOKENS, _RATIOS = layout.SECONDS, layout.SECONDS_A_TOKEN, layout.TOKENS, layout.RATIOS
# Where a histogram starts and where its sum is; as plain numbers, since this runs for every request.
_WAIT, _WAIT_SUM = WAIT.start, WAIT.end - 1
_TTFT, _TTFT_SUM = TTFT.start, TTFT.end - 1
_TPOT, _TPOT_SUM = TPOT.start, TPOT.end - 1
_DURATION, _DURATION_SUM = DURATION.start, DURATION.end - 1
_PROMPT, _PROMPT_SUM = PROMPT.start, PROMPT.end - 1
_OUTPUT, _OUTPUT_SUM = OUTPUT.start, OUTPUT.end - 1
_TTFT_RATIO, _TTFT_RATIO_SUM = TTFT_RATIO.start, TTFT_RATIO.end - 1
_TPOT_RATIO, _TPOT_RATIO_SUM = TPOT_RATIO.start, TPOT_RATIO.end - 1
_ANSWER_RATIO, _ANSWER_RATIO_SUM = ANSWER_RATIO.start, ANSWER_RATIO.end - 1
_MET, _MISSED, _REASON = layout.MET, layout.MISSED, layout.REASON
_RETRIES, _CONTINUED, _HEDGED, _CACHED = layout.RETRIES, layout.CONTINUED, layout.HEDGED, layout.CACHED
_JOULES, _USD, _KG = layout.JOULES, layout.USD, layout.KG


class Meter:
    """A watcher. Counts in a list of its own (a shared array costs three times as much) and copies it on `flush`.

    `row` (size of the layout) is this worker's place in `MeterRows`; what a worker before it counted goes on.
    """

    def __init__(self, fleet: Fleet, row: npt.NDArray[np.float64] | None = None) -> None:
        form = Layout(fleet)
        self.row = np.zeros(form.size) if row is None else row
        self.row[form.gauges : form.counters] = 0.0
        self._counts: list[float] = self.row.tolist()
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
        self._before = {name: self._counts[at] for name, at in self._counters.items()}

    def __call__(self, account: Account) -> None:
        """Count a request that has ended."""
        counts = self._counts
        service = account.service
        line = self._starts[service][account.pool]
        counts[line + OUTCOME[account.outcome]] += 1.0
        try:
            counts[self._answers[account.api, account.status]] += 1.0
        except KeyError:
            counts[self._answers[account.api if account.api in APIS else "", 0]] += 1.0
        if service >= 0:
            met = self._targets[service].judge(account)
            if met is not None:
                counts[line + (_MET if met else _MISSED)] += 1.0
        placed = account.placed
        if not placed:
            return
        received, ended = account.received, account.ended
        counts[line + _REASON + account.reason] += 1.0
        counts[line + _JOULES] += account.energy_j
        counts[line + _USD] += account.usd
        counts[line + _KG] += account.kg
        counts[line + _CACHED] += account.cached_tokens
        if account.retries or account.continued or account.hedged:
            counts[line + _RETRIES] += account.retries
            counts[line + _CONTINUED] += account.continued
            counts[line + _HEDGED] += account.hedged
        value = placed - received
        counts[line + _WAIT + bisect_left(_SECONDS, value)] += 1.0
        counts[line + _WAIT_SUM] += value
        value = ended - received
        counts[line + _DURATION + bisect_left(_SECONDS, value)] += 1.0
        counts[line + _DURATION_SUM] += value
        value = account.prompt_tokens
        counts[line + _PROMPT + bisect_left(_TOKENS, value)] += 1.0
        counts[line + _PROMPT_SUM] += value
        output = account.output_tokens
        counts[line + _OUTPUT + bisect_left(_TOKENS, output)] += 1.0
        counts[line + _OUTPUT_SUM] += output
        first = account.first
        if account.stream and first:
            value = first - received
            counts[line + _TTFT + bisect_left(_SECONDS, value)] += 1.0
            counts[line + _TTFT_SUM] += value
            if output > 1:
                value = (ended - first) / (output - 1)
                counts[line + _TPOT + bisect_left(_A_TOKEN, value)] += 1.0
                counts[line + _TPOT_SUM] += value
        if account.outcome == "ok":
            self._compare(line, account)

    def _compare(self, line: int, account: Account) -> None:
        """Real against predicted, of a request that ran undisturbed where it was sent first."""
        ttft = account.predicted_ttft_s
        if ttft <= 0.0 or account.retries or account.continued or account.hedged:
            return
        counts = self._counts
        tpot = account.predicted_tpot_s
        later = account.output_tokens - 1
        value = (account.ended - account.placed) / (ttft + max(later, 0) * tpot)
        counts[line + _ANSWER_RATIO + bisect_left(_RATIOS, value)] += 1.0
        counts[line + _ANSWER_RATIO_SUM] += value
        if account.stream and account.first:
            value = (account.first - account.placed) / ttft
            counts[line + _TTFT_RATIO + bisect_left(_RATIOS, value)] += 1.0
            counts[line + _TTFT_RATIO_SUM] += value
            if later > 0 and tpot > 0.0:
                value = (account.ended - account.first) / (later * tpot)
                counts[line + _TPOT_RATIO + bisect_left(_RATIOS, value)] += 1.0
                counts[line + _TPOT_RATIO_SUM] += value

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
