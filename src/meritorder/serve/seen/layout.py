"""Where each number of the metrics stands in a worker's row.

A row is one line per service and pool that may serve it (and one per service for requests that reached no pool), then
the HTTP answers, then what only this worker knows. All numbers are float64: a reader sees each of them whole.
"""

from __future__ import annotations

from dataclasses import dataclass

from meritorder.dispatch.reasons import REASONS
from meritorder.fleet.schema import Fleet
from meritorder.serve.account import COUNT_TOKENS

OUTCOMES = ("ok", "refused", "failed", "broken", "cancelled")
APIS = ("chat", "completions", "responses", "embeddings", "messages", COUNT_TOKENS, "")
STATUSES = (0, 200, 400, 401, 402, 403, 404, 405, 408, 413, 415, 422, 429, 431, 500, 502, 503, 504)  # 0: any other

SECONDS = tuple(2.0**k for k in range(-10, 10))  # 1 ms ... 512 s
SECONDS_A_TOKEN = tuple(2.0**k for k in range(-14, 2))  # 60 µs ... 2 s
TOKENS = tuple(4.0**k for k in range(11))  # 1 ... 1 M, the buckets of OpenTelemetry's convention
RATIOS = tuple(2.0 ** (k / 2) for k in range(-6, 7))  # 1/8 ... 8


@dataclass(frozen=True)
class Histogram:
    """A histogram in a line: a count per bucket (one more than `bounds`), then the sum of what was observed."""

    start: int
    bounds: tuple[float, ...]

    @property
    def end(self) -> int:
        """Index after it."""
        return self.start + len(self.bounds) + 2


# The line's plain counters.
OUTCOME = {outcome: index for index, outcome in enumerate(OUTCOMES)}
MET, MISSED, RETRIES, CONTINUED, HEDGED, CACHED, JOULES, USD, KG = range(len(OUTCOMES), len(OUTCOMES) + 9)
REASON = KG + 1

# Its histograms.
WAIT = Histogram(REASON + len(REASONS), SECONDS)  # from arrival to the first sending
TTFT = Histogram(WAIT.end, SECONDS)  # of streams, from arrival
TPOT = Histogram(TTFT.end, SECONDS_A_TOKEN)  # of streams
DURATION = Histogram(TPOT.end, SECONDS)  # from arrival to end
PROMPT = Histogram(DURATION.end, TOKENS)
OUTPUT = Histogram(PROMPT.end, TOKENS)
TTFT_RATIO = Histogram(OUTPUT.end, RATIOS)  # real / predicted, of streams
TPOT_RATIO = Histogram(TTFT_RATIO.end, RATIOS)
ANSWER_RATIO = Histogram(TPOT_RATIO.end, RATIOS)  # the whole answer, from sending to end
LINE = ANSWER_RATIO.end

# What a worker as a whole knows: gauges fall back to 0 when it starts, counters go on.
GAUGES = ("connections", "in_flight")
COUNTERS = ("accepted", "bad_requests", "log_lines_lost", "recordings_lost", "spans")


class Layout:
    """The row's form for a fleet; the same in every process that has read the same fleet."""

    def __init__(self, fleet: Fleet) -> None:
        self.services = (*fleet.services, "")
        self.pools = (*fleet.pools, "")
        self.lines: list[tuple[int, int]] = []  # service, pool; -1: none
        # [service][pool] -> where its line starts; -1, as Python has it, is the last: none
        self.starts: list[list[int]] = []
        for service, spec in enumerate([*fleet.services.values(), None]):
            none = len(self.lines) * LINE
            self.lines.append((service if spec is not None else -1, -1))
            starts = [none] * len(self.pools)
            for pool, machine in enumerate(fleet.pools.values()):
                if spec is not None and machine.model == spec.model:
                    starts[pool] = len(self.lines) * LINE
                    self.lines.append((service, pool))
            self.starts.append(starts)
        self.answers = len(self.lines) * LINE  # HTTP answers by API and status
        self.gauges = self.answers + len(APIS) * len(STATUSES)
        self.waiting = self.gauges + len(GAUGES)  # a gauge per service: requests in the gateway's queue
        self.counters = self.waiting + len(fleet.services)
        self.size = self.counters + len(COUNTERS)
