"""Whether the controller keeps sites within their power and important services within theirs: two published cases."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.section import Section, verdict
from meritorder.fleet.control import DemandResponse
from meritorder.fleet.load import load
from meritorder.fleet.schema import Fleet
from meritorder.simulate.result import Result, Status
from meritorder.simulate.run import simulate
from meritorder.workload.synthesis import presets
from meritorder.workload.synthesis.synthesize import synthesize
from meritorder.workload.trace import Trace

EXAMPLES = Path(__file__).parent.parent / "examples"
SEED = 1


@dataclass(frozen=True)
class Grid:
    """Grid power of the first site: mean of each bin and the time at which it ends."""

    watts: npt.NDArray[np.float64]
    ends_s: npt.NDArray[np.float64]

    def within(self, start_s: float, stop_s: float, bin_s: float) -> npt.NDArray[np.float64]:
        """Of the bins that lie wholly within that time."""
        return self.watts[(self.ends_s - bin_s >= start_s) & (self.ends_s <= stop_s)]


def azure(rate_per_s: float, duration_s: float) -> Trace:
    """Traffic in the shape of Azure's conversation service of 2023."""
    return synthesize(presets.load("azure-2023-conv"), SEED, duration_s=duration_s, rate_per_s=rate_per_s)


def steady(trace: Trace) -> Trace:
    """The same requests as a Poisson process, so that "a quarter less" is less of what would be drawn now, too."""
    arrivals = np.random.default_rng(SEED).uniform(0.0, trace.duration_s, len(trace))
    return replace(trace, arrival_s=np.sort(arrivals))


def grid_of(result: Result) -> Grid:
    """What the first site's meter saw."""
    assert result.facility is not None
    series = result.facility.series[0]
    known = series.seconds > 0
    ends = np.cumsum(series.seconds[known])
    return Grid(series.grid_j[known] / series.seconds[known], ends)


def p99_ttft(result: Result, service: str) -> float:
    """Seconds to the first token, of those that got one."""
    mine = result.service == list(result.fleet.services).index(service)
    return float(np.nanpercentile((result.first_s - result.arrival_s)[mine], 99))


def outside(result: Result, service: str) -> float:
    """Share of a service's requests that were refused or lost, or missed a target."""
    index = list(result.fleet.services).index(service)
    slo = result.fleet.services[service].slo
    mine = result.service == index
    ttft = result.first_s - result.arrival_s
    tokens = np.maximum(result.trace.output_tokens - 1, 1)
    rate = tokens / np.maximum(result.finish_s - result.first_s, 1e-9)
    kept = (result.status == Status.COMPLETED) & (ttft <= (slo.ttft or np.inf)) & (rate >= (slo.token_rate or 0.0))
    return float(1.0 - kept[mine].mean())


def without_limit(fleet: Fleet) -> Fleet:
    """The same fleet where nobody asks for less, and of whose building nothing is known, so that nothing binds."""
    unlimited = {"demand_response": (), "facility": None}
    sites = {name: site.model_copy(update=unlimited) for name, site in fleet.sites.items()}
    return fleet.model_copy(update={"sites": sites})


def quarter_less(rate_per_s: float, start_s: float, duration_s: float, after_s: float) -> tuple[Result, Result]:
    """The example of demand response, and the same traffic without it."""
    fleet = load(EXAMPLES / "demand-response.yaml")
    site = fleet.sites["phoenix"]
    wish = DemandResponse(start=start_s, duration=duration_s, reduce=0.25, within=30.0)
    asked = fleet.model_copy(update={"sites": {"phoenix": site.model_copy(update={"demand_response": (wish,)})}})
    trace = steady(azure(rate_per_s, start_s + duration_s + after_s))
    return simulate(asked, trace), simulate(without_limit(fleet), trace)


def fuller_row(rate_per_s: float, duration_s: float) -> tuple[Result, Result]:
    """The example of an oversubscribed row, and the same without a limit."""
    fleet = load(EXAMPLES / "oversubscribed-row.yaml")
    trace = azure(rate_per_s, duration_s)
    return simulate(fleet, trace), simulate(without_limit(fleet), trace)


def measure(repeats: int) -> Section:
    """Both cases; they are the same at every repeat."""
    section = Section(
        "Power limits",
        "examples/demand-response.yaml: a quarter less for 3 h within 30 s, jobs and people on the same GPUs, as "
        "Emerald AI has done it (arXiv 2507.00909), at a steady 24 a second. examples/oversubscribed-row.yaml: "
        "30 % more servers than those whose most at work the row feeds, as POLCA, at 50 a second. Requests of "
        "Azure's conversation service; against the same fleet and traffic without a limit.",
        ["case", "figure", "with the limit", "without", "bar", "held"],
    )
    start, duration = 1800.0, 10_800.0
    kept, free = quarter_less(24.0, start, duration, 600.0)
    power = grid_of(kept)
    bin_s = float(np.median(np.diff(power.ends_s)))
    before = float(power.within(start - 300.0, start, bin_s).mean())
    part = power.within(start + 30.0, start + duration, bin_s) / before
    section.add(
        "a quarter less, most", [part.max()], "grid power, of that before", f"{part.max():.3f}", "",
        "<= 0.75", verdict([part.max()], at_most=0.75),
    )  # fmt: skip
    late, late_free = p99_ttft(kept, "chat"), p99_ttft(free, "chat")
    section.add(
        "a quarter less, people", [late], "P99 TTFT of chat, s", f"{late:.2f}", f"{late_free:.2f}",
        "<= 1.05 times that without", verdict([late / late_free], at_most=1.05),
    )  # fmt: skip
    kept, free = fuller_row(50.0, 1800.0)
    assert kept.control is not None
    missed, missed_free = outside(kept, "chat"), outside(free, "chat")
    section.add(
        "30 % more servers, people", [missed - missed_free], "chat outside its SLO", f"{missed:.4f}",
        f"{missed_free:.4f}", "< 0.01 more", verdict([missed - missed_free], at_most=0.01),
    )  # fmt: skip
    return section
