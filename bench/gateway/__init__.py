"""What the gateway costs: CPU per request and per streamed event, beside other gateways in the same run."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.child import NotMeasured
from bench.gateway.contenders import CONTENDERS, Running, started
from bench.gateway.load import Measured, bodies, load, mocks
from bench.section import Section

BACKENDS = 8
CONNECTIONS = 32
STREAMS = 256
SECONDS = 5.0
PACED_SECONDS = 8.0

TEXT = f"""
One gateway in front of {BACKENDS} backends that answer at once (`bench/gateway/mock.c`), the gateway with all its
processes on one core, backends and load generator (`bench/gateway/load.c`) on the other; rounds interleave the
gateways, the table gives medians with the range of the rounds. `requests`: {CONNECTIONS} connections, closed loop,
small non-streaming chat completions. `streams`: {STREAMS} paced streams of 100 events a second. `half load`: Poisson
arrivals at half of the gateway's own closed-loop throughput, latency counted from the scheduled time, above that of the
backends alone under the same load. CPU is user and system time of all the gateway's processes. Ours checks an API key
and its limits, chooses with merit-order by predicted latency and prefix, and keeps histograms; the others run round
robin without keys, except LiteLLM, which wants one.
"""

HEADER = [
    "gateway",
    "requests/s",
    "CPU us/request",
    "CPU us/event",
    "event delay p99, ms",
    "added p99 at half load, ms",
]


@dataclass
class Round:
    """One round of one gateway."""

    requests_per_s: float
    us_per_request: float
    us_per_event: float
    delay_p99_ms: float
    added_p99_ms: float


def measure(repeats: int) -> Section:
    """All gateways, round by round."""
    section = Section("Gateway", TEXT, HEADER)
    with tempfile.TemporaryDirectory() as name, mocks(BACKENDS, Path(name)) as ports:
        folder = Path(name)
        rounds: dict[str, list[Round]] = {}
        missing: dict[str, NotMeasured] = {}
        for _ in range(repeats):
            for contender in CONTENDERS:
                if contender.name in missing:
                    continue
                try:
                    with started(contender, ports, folder) as running:
                        rounds.setdefault(contender.name, []).append(one_round(running, ports[0], folder))
                except NotMeasured as error:
                    missing[contender.name] = error
        for contender in CONTENDERS:
            if contender.name in missing:
                section.missing(contender.name, missing[contender.name])
            else:
                _row(section, contender.name, rounds[contender.name])
    _verdicts(section, rounds)
    return section


def one_round(running: Running, direct: int, folder: Path) -> Round:
    """The three loads on one gateway."""
    body = bodies(folder)
    many = CONNECTIONS // 2 if running.slow else CONNECTIONS
    _asked(running, body.small, many, 1.0)  # warm
    small, cpu = _asked(running, body.small, many, SECONDS)
    per_request = cpu / max(small.all_requests, 1) * 1e6
    streams = 8 if running.slow else STREAMS
    paced, cpu = _asked(running, body.paced, streams, PACED_SECONDS)
    per_event = cpu / max(paced.all_events, 1) * 1e6
    rate = small.requests_per_s / 2
    half, _ = _asked(running, body.small, 256, SECONDS, rate)
    alone = load(direct, 256, SECONDS, rate, body.small, ())
    for measured in (small, paced, half):
        if measured.errors or measured.cut:
            raise NotMeasured(f"{measured.errors} errors and {measured.cut} cut answers")
    return Round(
        small.requests_per_s, per_request, per_event, paced.one_way_ms[2], half.latency_ms[2] - alone.latency_ms[2]
    )


def _asked(running: Running, body: Path, connections: int, seconds: float, rate: float = 0.0) -> tuple[Measured, float]:
    before = running.cpu_s()
    measured = load(running.port, connections, seconds, rate, body, running.headers)
    return measured, running.cpu_s() - before


def _row(section: Section, name: str, rounds: Sequence[Round]) -> None:
    cells = []
    for field, form in (
        ("requests_per_s", ",.0f"),
        ("us_per_request", ",.1f"),
        ("us_per_event", ",.1f"),
        ("delay_p99_ms", ",.2f"),
        ("added_p99_ms", ",.2f"),
    ):
        values = [getattr(each, field) for each in rounds]
        section.raw[f"{name}: {field}"] = values
        low, middle, high = min(values), statistics.median(values), max(values)
        cells.append(f"{middle:{form}} ({low:{form}} - {high:{form}})")
    section.rows.append([name, *cells])


def _verdicts(section: Section, rounds: dict[str, list[Round]]) -> None:
    """The bars, under the table."""
    ours = rounds.get("meritorder")
    if not ours:
        return
    lines = []

    def middle(name: str, field: str) -> float:
        return float(statistics.median(getattr(each, field) for each in rounds[name]))

    def bar(what: str, value: float, held: bool, form: str) -> None:
        lines.append(f"* {what}: {value:{form}}, {'held' if held else '**not held**'}")

    cpu = middle("meritorder", "us_per_request")
    bar("CPU per request, at most 40 us", cpu, cpu <= 40, ".1f")
    rate = middle("meritorder", "requests_per_s")
    bar("requests a second on one core, at least 25,000", rate, rate >= 25_000, ",.0f")
    event = middle("meritorder", "us_per_event")
    bar("CPU per streamed event, at most 25 us", event, event <= 25, ".1f")
    added = middle("meritorder", "added_p99_ms")
    bar("added latency p99 at half load, below 1 ms", added, added < 1.0, ".2f")
    for name, least in (("vllm-router", 2.0), ("sglang-router", 2.0), ("LiteLLM", 100.0)):
        if name in rounds:
            ratios = [b.us_per_request / a.us_per_request for a, b in zip(ours, rounds[name], strict=False)]
            ratio = statistics.median(ratios)
            bar(f"times less CPU per request than {name}, at least {least:.0f}", ratio, ratio >= least, ".1f")
    section.after = "\n".join(lines)
