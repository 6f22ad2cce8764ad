"""What the live page and the metrics say of services and pools, from the sum of all workers' rows."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt

from meritorder.dispatch.reasons import REASONS
from meritorder.fleet.schema import Fleet
from meritorder.serve.seen import layout
from meritorder.serve.seen.layout import DURATION, LINE, OUTCOMES, OUTPUT, PROMPT, REASON, TPOT, TTFT, Histogram, Layout

Counts = npt.NDArray[np.float64]

_SAMPLE_S = 5.0  # apart, at least
_KEEP_S = 3600.0


class Overview:
    """Sums by service and by pool, and what changed over the last minutes."""

    def __init__(self, fleet: Fleet) -> None:
        self._layout = Layout(fleet)
        self._fleet = fleet
        self._samples: deque[tuple[float, Counts]] = deque()

    def by_service(self, total: Counts) -> Counts:
        """The lines of each service added up (services, LINE)."""
        return self._added(total, 0, len(self._fleet.services))

    def by_pool(self, total: Counts) -> Counts:
        """The lines of each pool added up (pools, LINE)."""
        return self._added(total, 1, len(self._fleet.pools))

    def lines(self, total: Counts) -> Counts:
        """All lines (lines, LINE), in the order of `Layout.lines`."""
        return total[: self._layout.answers].reshape(-1, LINE)

    def sample(self, now: float, total: Counts) -> None:
        """Remember how things stand at `now` (seconds of any clock), for `over`."""
        if not self._samples or now - self._samples[-1][0] >= _SAMPLE_S:
            self._samples.append((now, self.by_service(total)))
            while now - self._samples[0][0] > _KEEP_S + 2 * _SAMPLE_S:
                self._samples.popleft()

    def over(self, window_s: float, now: float, total: Counts) -> Counts:
        """What was counted by service in the last `window_s`, or since the start if later (services, LINE)."""
        before = np.zeros((len(self._fleet.services), LINE))
        for when, counts in self._samples:
            if now - when < window_s:
                break
            before = counts
        return np.maximum(self.by_service(total) - before, 0.0)

    def burn(self, window_s: float, now: float, total: Counts) -> Counts:
        """Share of misses / share that the SLO allows, per service over the window; NaN: nothing was owed."""
        counts = self.over(window_s, now, total)
        met, missed = counts[:, layout.MET], counts[:, layout.MISSED]
        allowed = np.array([1.0 - service.slo.percentile for service in self._fleet.services.values()])
        with np.errstate(divide="ignore", invalid="ignore"):
            share = missed / (met + missed)
            return np.where(share == 0.0, 0.0, share / allowed)

    def services(self, now: float, total: Counts) -> dict[str, dict[str, Any]]:
        """Per service: counters `met`, `missed`, `outcomes`, and quantiles of the last minute."""
        sums, recent = self.by_service(total), self.over(60.0, now, total)
        return {
            name: {
                "met": int(line[layout.MET]),
                "missed": int(line[layout.MISSED]),
                "outcomes": {outcome: int(line[i]) for i, outcome in enumerate(OUTCOMES)},
                "waiting": int(total[self._layout.waiting + index]),
                "ttft_s": _quantiles(recent[index], TTFT),
                "tpot_s": _quantiles(recent[index], TPOT),
            }
            for index, (name, line) in enumerate(zip(self._fleet.services, sums, strict=True))
        }

    def pools(self, total: Counts) -> dict[str, dict[str, Any]]:
        """Per pool: counters of requests that ended there, tokens, energy, money and carbon."""
        return {
            name: {
                "requests": int(line[DURATION.start : DURATION.end - 1].sum()),
                "failed": int(line[layout.OUTCOME["failed"]] + line[layout.OUTCOME["broken"]]),
                "prompt_tokens": int(line[PROMPT.end - 1]),
                "output_tokens": int(line[OUTPUT.end - 1]),
                "joules": float(line[layout.JOULES]),
                "usd": float(line[layout.USD]),
                "kg": float(line[layout.KG]),
            }
            for name, line in zip(self._fleet.pools, self.by_pool(total), strict=True)
        }

    def flows(self, total: Counts) -> list[dict[str, Any]]:
        """Requests of each service that each pool answered; those with any."""
        return [
            {
                "service": self._layout.services[service],
                "pool": self._layout.pools[pool],
                "requests": int(line[layout.OUTCOME["ok"]]),
            }
            for (service, pool), line in zip(self._layout.lines, self.lines(total), strict=True)
            if pool >= 0 and line[layout.OUTCOME["ok"]]
        ]

    def decisions(self, total: Counts) -> dict[str, int]:
        """Requests by the reason for their replica."""
        sums = self.lines(total)[:, REASON : REASON + len(REASONS)].sum(axis=0)
        return {reason: int(count) for reason, count in zip(REASONS, sums, strict=True) if count}

    def attempts(self, total: Counts) -> dict[str, int]:
        """`retries`, `continued` and `hedged`, over all requests."""
        sums = self.lines(total).sum(axis=0)
        names = {"retries": layout.RETRIES, "continued": layout.CONTINUED, "hedged": layout.HEDGED}
        return {name: int(sums[at]) for name, at in names.items()}

    def _added(self, total: Counts, which: int, count: int) -> Counts:
        sums = np.zeros((count + 1, LINE))  # the last for -1: none
        np.add.at(sums, [line[which] for line in self._layout.lines], self.lines(total))
        return sums[:-1]


def quantile(counts: Counts, bounds: tuple[float, ...], share: float) -> float:
    """The value below which `share` of a histogram's entries are, evenly spread inside a bucket; NaN without any."""
    reached = np.cumsum(counts)
    if not reached[-1]:
        return float("nan")
    edges = np.concatenate(((0.0,), bounds, (bounds[-1],)))
    return float(np.interp(share * reached[-1], np.concatenate(((0.0,), reached)), edges))


def _quantiles(line: Counts, histogram: Histogram) -> dict[str, float] | None:
    counts = line[histogram.start : histogram.end - 1]
    if not counts.any():
        return None
    return {f"p{share}": quantile(counts, histogram.bounds, share / 100) for share in (50, 95)}
