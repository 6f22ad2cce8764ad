"""From a case to its `Capacity`: what a request needs alone, then the largest rate in pools and at round trips."""

from __future__ import annotations

import math

import numpy as np

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.load import accelerators
from meritorder.catalog.ranges import ends, leans_on_ranges
from meritorder.fleet.schema import Fleet
from meritorder.plan.capacity.capacity import Capacity
from meritorder.plan.capacity.case import Case
from meritorder.plan.capacity.draw import Source
from meritorder.plan.capacity.observe import wilson
from meritorder.plan.capacity.runs import GRID, Runs
from meritorder.plan.capacity.search import Found, largest
from meritorder.problems import InputError
from meritorder.simulate.columns import columns
from meritorder.simulate.service_level import CAUSES, Target, Verdict, judge
from meritorder.workload.trace import Floats

# Pools that are simulated; the last one only where many replicas fit into a system.
SIZES = (1, 2, 4, 16, 64, 256)
# Where round trips are tried, and energy is taken.
REFERENCE = 4
# The longest round trip, and parts of it; and how far from a straight line makes one of them worth its runs.
RTT_S, PARTS, BENT = 0.4, (0.25, 0.5), 0.02


def measure(fleet: Fleet, case: Case, source: Source, seed: int) -> Capacity:
    """The case's capacity by simulation. The same arguments give the same bits."""
    try:
        runs = Runs(fleet, case, source, seed)
    except InputError as error:
        return _without(fleet, case, source, "; ".join(_plain(problem.what) for problem in error.problems))
    slo = fleet.services[case.service].slo
    kept, why, stay_s = _alone(runs, slo.ttft, slo.token_rate)
    known = _known(fleet, case, source, runs)
    if wilson(kept(0.0), len(kept.times))[1] < slo.percentile:
        return Capacity(**known, alone=kept(0.0), reason=f"even alone, {kept(0.0):.1%} of the requests keep it: {why}")
    return _pools(fleet, case, runs, known, kept, stay_s)


class _Alone:
    """Share of requests that keep the targets when nobody else is there, by round trip."""

    def __init__(self, first_s: Floats, quick: Floats, ttft_s: float | None) -> None:
        self.times, self._ttft_s = np.where(quick > 0, first_s, np.inf), ttft_s

    def __call__(self, rtt_s: float) -> float:
        limit = math.inf if self._ttft_s is None else self._ttft_s - rtt_s
        return float((np.isfinite(self.times) & (self.times <= limit)).mean())


def _alone(runs: Runs, ttft_s: float | None, token_rate: float | None) -> tuple[_Alone, str, float]:
    """Who keeps the targets alone; what the others lack, in words; mean seconds that a request stays."""
    result, first = runs.alone()
    verdicts = judge(columns(result), [Target(None, token_rate)])
    every = judge(columns(result), [Target(ttft_s, token_rate)])
    lacking = [(float((every == v).mean()), CAUSES[v]) for v in Verdict if v in CAUSES and (every == v).any()]
    why = ", ".join(f"{words} ({share:.0%})" for share, words in sorted(lacking, reverse=True))
    stay = result.finish_s - result.arrival_s
    return _Alone(first, (verdicts == Verdict.MET) * 1.0, ttft_s), why, float(np.nanmean(stay))


def _pools(
    fleet: Fleet, case: Case, runs: Runs, known: dict[str, object], kept: _Alone, stay_s: float
) -> Capacity:
    slo = fleet.services[case.service].slo

    def find(pools: int, rtt_s: float, guess: int, stride: int = 4) -> Found:
        if wilson(kept(rtt_s), len(kept.times))[1] < slo.percentile:
            return Found(0.0, 0.0, guess)
        return largest(lambda step, effort: runs.at(pools, rtt_s, step, effort), guess, slo.percentile, stride)

    start = round(math.log(1.0 / stay_s) / math.log(GRID))
    first = find(REFERENCE, 0.0, start, 32)
    if first.rate == 0.0:
        return Capacity(**known, alone=kept(0.0), reason="no rate keeps its service level")  # type: ignore[arg-type]
    rtts = _round_trips(find, first, slo.ttft)
    found: dict[int, list[Found]] = {}
    guess = {rtt: find(REFERENCE, rtt, first.step).step for rtt in rtts}
    for size in _sizes(runs, first, float(str(known["replica_systems"]))):
        row = [find(size, rtt, guess[rtt]) for rtt in rtts]
        found[size] = row
        guess = {rtt: cell.step if cell.rate else guess[rtt] for rtt, cell in zip(rtts, row, strict=True)}
    zero = rtts.index(0.0)
    reference = max(size for size in found if size <= 16)
    step = found[reference][zero].step
    full = runs.at(reference, 0.0, step, 1)
    half = runs.at(reference, 0.0, step - round(math.log(2.0) / math.log(GRID)), 1)
    limit = () if slo.ttft is None else (slo.ttft,)
    return Capacity(
        **known,  # type: ignore[arg-type]
        sizes=tuple(found),
        rtts=(*rtts, *limit),
        simulated=tuple((*(cell.rate for cell in row), *(0.0 for _ in limit)) for row in found.values()),
        error=max(cell.error for row in found.values() for cell in row),
        alone=kept(0.0),
        joules=full.joules,
        joules_half=half.joules,
        ends=_ends(fleet, case, runs, found[REFERENCE][zero]),
    )


def _round_trips(find: object, first: Found, ttft_s: float | None) -> list[float]:
    """Round trips to simulate: with no TTFT target none matters; else the ends, and what bends in between."""
    if ttft_s is None:
        return [0.0]
    longest = min(RTT_S, 0.9 * ttft_s)
    looser = -0.1 * ttft_s
    rates = {rtt: find(REFERENCE, rtt, first.step).rate for rtt in (looser, 0.0, longest)}  # type: ignore[operator]
    for part in sorted(PARTS, reverse=True):
        rtt = part * longest
        rate = find(REFERENCE, rtt, first.step).rate  # type: ignore[operator]
        straight = float(np.interp(rtt, sorted(rates), [rates[key] for key in sorted(rates)]))
        if abs(rate - straight) <= BENT * first.rate:
            break
        rates[rtt] = rate
    return sorted(rates)


def _sizes(runs: Runs, first: Found, systems: float) -> list[int]:
    """Pools to simulate, as far as runs may be."""
    wanted = [size for size in SIZES if size < 256 or systems <= 0.125]
    return [size for size in wanted if size <= REFERENCE or runs.fits(size, first.rate)]


def _ends(fleet: Fleet, case: Case, runs: Runs, base: Found) -> tuple[float, float]:
    """Factors on the rate with the machine at either end of its ranges."""
    assert fleet.plan is not None
    names = [fleet.plan.offers[offer].accelerator for offer in (case.offer, case.decode) if offer]
    known = {**accelerators(), **fleet.accelerators}
    uncertain = {name: ends(known[name]) for name in names if leans_on_ranges(known[name])}
    if not uncertain:
        return 1.0, 1.0
    low, high = (_end(fleet, case, runs, {name: both[i] for name, both in uncertain.items()}, base) for i in (0, 1))
    return min(low, 1.0), max(high, 1.0)


def _end(fleet: Fleet, case: Case, runs: Runs, machines: dict[str, Accelerator], base: Found) -> float:
    try:
        other = Runs(fleet, case, runs.source, runs.seed, machines, runs.pair)
    except InputError:
        return 0.0  # the model doesn't fit at this end
    slo = fleet.services[case.service].slo
    kept, _, _ = _alone(other, slo.ttft, slo.token_rate)
    if wilson(kept(0.0), len(kept.times))[1] < slo.percentile:
        return 0.0
    look = largest(lambda step, effort: other.at(REFERENCE, 0.0, step, effort), base.step, slo.percentile, 8)
    return look.rate / base.rate


def _known(fleet: Fleet, case: Case, source: Source, runs: Runs) -> dict[str, object]:
    assert fleet.plan is not None
    replica = runs.replicas[0]
    slo = fleet.services[case.service].slo
    return {
        "key": case.key,
        "model": case.model,
        "ttft_s": slo.ttft,
        "token_rate": slo.token_rate,
        "percentile": slo.percentile,
        "replica_systems": replica.accelerators / fleet.plan.offers[case.offer].chips,
        "idle_w": replica.table.idle_w,
        "max_w": replica.max_w,
        "prompt_tokens": float(source.base.prompt_tokens.mean()),
        "output_tokens": float(source.base.output_tokens.mean()),
        "notes": (*source.base.warnings, *replica.notes),
    }


def _without(fleet: Fleet, case: Case, source: Source, reason: str) -> Capacity:
    return Capacity(key=case.key, model=case.model, reason=reason)


def _plain(text: str) -> str:
    return " ".join(text.split())
