"""`Exposition`: the sum of all workers' rows, and the books, as Prometheus text."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

import numpy as np
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from meritorder.dispatch.reasons import REASONS
from meritorder.fleet.schema import Fleet
from meritorder.serve.seen import layout
from meritorder.serve.seen.layout import (
    ANSWER_RATIO,
    APIS,
    COUNTERS,
    DURATION,
    GAUGES,
    OUTCOMES,
    OUTPUT,
    PROMPT,
    REASON,
    STATUSES,
    TPOT,
    TPOT_RATIO,
    TTFT,
    TTFT_RATIO,
    WAIT,
    Histogram,
    Layout,
)
from meritorder.serve.seen.overview import Counts, Overview
from meritorder.serve.seen.present import gauges

_WINDOWS = {"5m": 300.0, "1h": 3600.0}

# name, what it says, histogram; names of OpenTelemetry's GenAI conventions where there are such
_TIMES = (
    ("gen_ai_server_request_duration_seconds", "From a request's arrival to the end of its answer.", DURATION),
    ("gen_ai_server_time_to_first_token_seconds", "From arrival to the first byte of a stream.", TTFT),
    ("gen_ai_server_time_per_output_token_seconds", "Of streams, per token after the first.", TPOT),
)
_COUNTS = (
    ("merit_retries", "Further backends asked before the first byte.", layout.RETRIES),
    ("merit_continuations", "Broken streams taken up by another backend.", layout.CONTINUED),
    ("merit_hedges", "Requests sent to a second backend because the first was late.", layout.HEDGED),
    ("merit_cached_prompt_tokens", "Prompt tokens that were in a prefix cache.", layout.CACHED),
    ("merit_energy_joules", "Energy of the machines, predicted.", layout.JOULES),
    ("merit_cost_usd", "Energy, carbon and metered prices, USD.", layout.USD),
    ("merit_carbon_kg", "CO2 of the electricity, kg.", layout.KG),
)
_WORKER_COUNTS = {
    "accepted": ("merit_connections_accepted", "Connections of clients."),
    "bad_requests": ("merit_bad_requests", "What came in and was no HTTP request."),
    "log_lines_lost": ("merit_log_lines_lost", "Lines of the request log dropped because its reader was slow."),
    "recordings_lost": ("merit_recordings_lost", "Requests not recorded because the disk was slow or full."),
    "spans": ("merit_traced", "Requests that were traced."),
}
_WORKER_GAUGES = {
    "connections": ("merit_connections", "Connections of clients."),
    "in_flight": ("merit_in_flight", "Requests that are being answered."),
}


class Rows(Protocol):
    """What the workers counted."""

    def total(self) -> Counts:
        """The sum of all rows."""


class Books(Protocol):
    """What the books know of replicas, pools and sites."""

    def snapshot(self) -> dict[str, Any]:
        """All of it at this moment."""


class Exposition(Collector):
    """Reads `rows` and `books` when it is asked; `overview` is what the live page shows of the same numbers."""

    def __init__(self, fleet: Fleet, rows: Rows, books: Books, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._fleet, self._rows, self._books, self._clock = fleet, rows, books, clock
        self._layout = Layout(fleet)
        self.overview = Overview(fleet)
        self._also: Callable[[], Iterable[Metric]] = tuple
        self._registry = CollectorRegistry()
        self._registry.register(self)
        models = [service.model for service in fleet.services.values()]
        self._labels = [
            (self._layout.services[service], self._layout.pools[pool], models[service] if service >= 0 else "")
            for service, pool in self._layout.lines
        ]

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def also(self, collect: Callable[[], Iterable[Metric]]) -> None:
        """Let the metrics of `collect` be among them from now on."""
        self._also = collect

    def sample(self) -> None:
        """Remember how things stand, for burn rates and quantiles; every few seconds, scraped or not."""
        self.overview.sample(self._clock(), self._rows.total())

    def describe(self) -> list[Metric]:
        """Nothing: names don't collide in a registry of its own."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The metrics at this moment."""
        total = self._rows.total()
        now = self._clock()
        self.overview.sample(now, total)
        yield from self._requests(total)
        yield from self._histograms(total)
        yield from self._levels(total, now)
        yield from self._workers(total)
        yield from gauges(self._books.snapshot())
        yield from self._also()

    def _requests(self, total: Counts) -> Iterator[Metric]:
        lines = self.overview.lines(total)
        requests = CounterMetricFamily(
            "merit_requests", "Requests by what became of them.", labels=("service", "pool", "outcome")
        )
        decisions = CounterMetricFamily(
            "merit_decisions", "Requests by why their replica was chosen.", labels=("service", "pool", "reason")
        )
        for (service, pool, _), line in zip(self._labels, lines, strict=True):
            for i, outcome in enumerate(OUTCOMES):
                if line[i]:
                    requests.add_metric((service, pool, outcome), line[i])
            for i, reason in enumerate(REASONS):
                if line[REASON + i]:
                    decisions.add_metric((service, pool, reason), line[REASON + i])
        yield requests
        yield decisions
        for name, what, at in _COUNTS:
            family = CounterMetricFamily(name, what, labels=("service", "pool"))
            for (service, pool, _), line in zip(self._labels, lines, strict=True):
                if pool:
                    family.add_metric((service, pool), line[at])
            yield family
        answers = CounterMetricFamily("merit_http_responses", "Answers by HTTP status.", labels=("api", "status"))
        table = total[self._layout.answers : self._layout.gauges].reshape(len(APIS), len(STATUSES))
        for a, s in np.argwhere(table).tolist():
            answers.add_metric((APIS[a] or "other", str(STATUSES[s] or "other")), table[a, s])
        yield answers

    def _histograms(self, total: Counts) -> Iterator[Metric]:
        lines = self.overview.lines(total)
        for name, what, histogram in _TIMES:
            yield self._family(lines, name, what, ("gen_ai_request_model",), ((histogram, ()),))
        yield self._family(
            lines,
            "gen_ai_client_token_usage",
            "Tokens of a request.",
            ("gen_ai_request_model", "gen_ai_token_type"),
            ((PROMPT, ("input",)), (OUTPUT, ("output",))),
        )
        yield self._family(
            lines, "merit_wait_seconds", "In the gateway, from arrival to the first sending.", (), ((WAIT, ()),)
        )
        yield self._family(
            lines,
            "merit_prediction_ratio",
            "Real / predicted time: `ttft` and `tpot` of streams, the whole `answer` of all.",
            ("what",),
            ((TTFT_RATIO, ("ttft",)), (TPOT_RATIO, ("tpot",)), (ANSWER_RATIO, ("answer",))),
        )

    def _family(
        self,
        lines: Counts,
        name: str,
        what: str,
        more: tuple[str, ...],
        histograms: tuple[tuple[Histogram, tuple[str, ...]], ...],
    ) -> HistogramMetricFamily:
        """One histogram metric by service, pool and `more`; lines that saw nothing are left out."""
        family = HistogramMetricFamily(name, what, labels=("service", "pool", *more))
        with_model = more[:1] == ("gen_ai_request_model",)
        for (service, pool, model), line in zip(self._labels, lines, strict=True):
            for histogram, values in histograms:
                reached = np.cumsum(line[histogram.start : histogram.end - 1]).tolist()
                if reached[-1]:
                    buckets = [
                        *((repr(bound), count) for bound, count in zip(histogram.bounds, reached, strict=False)),
                        ("+Inf", reached[-1]),
                    ]
                    labels = (service, pool, *((model,) if with_model else ()), *values)
                    family.add_metric(labels, buckets, float(line[histogram.end - 1]))
        return family

    def _levels(self, total: Counts, now: float) -> Iterator[Metric]:
        """Service levels: met and missed, the objective, and how fast the allowed misses are used up."""
        sums = self.overview.by_service(total)
        judged = CounterMetricFamily(
            "merit_slo_requests", "Requests that were owed a service level.", labels=("service", "met")
        )
        objective = GaugeMetricFamily("merit_slo_objective", "Share that must meet the targets.", labels=("service",))
        for (name, service), line in zip(self._fleet.services.items(), sums, strict=True):
            judged.add_metric((name, "true"), line[layout.MET])
            judged.add_metric((name, "false"), line[layout.MISSED])
            objective.add_metric((name,), service.slo.percentile)
        yield judged
        yield objective
        burn = GaugeMetricFamily(
            "merit_slo_burn_rate",
            "Share of misses in the window / share allowed; 1 uses up just what the SLO allows.",
            labels=("service", "window"),
        )
        for window, seconds in _WINDOWS.items():
            for name, value in zip(self._fleet.services, self.overview.burn(seconds, now, total), strict=True):
                if not np.isnan(value):
                    burn.add_metric((name, window), value)
        yield burn
        waiting = GaugeMetricFamily("merit_queue_requests", "Waiting in the gateway.", labels=("service",))
        for index, name in enumerate(self._fleet.services):
            waiting.add_metric((name,), total[self._layout.waiting + index])
        yield waiting

    def _workers(self, total: Counts) -> Iterator[Metric]:
        for i, key in enumerate(GAUGES):
            yield GaugeMetricFamily(*_WORKER_GAUGES[key], value=total[self._layout.gauges + i])
        for i, key in enumerate(COUNTERS):
            yield CounterMetricFamily(*_WORKER_COUNTS[key], value=total[self._layout.counters + i])
