"""What a machine carries that is known as a range only, at either end of it."""

from __future__ import annotations

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.ranges import ends, leans_on_ranges
from meritorder.plan.capacity.alone import alone
from meritorder.plan.capacity.runs import Runs, step_of
from meritorder.plan.capacity.search import Found, largest
from meritorder.problems import InputError


def at_ends(runs: Runs, pools: int, base: Found) -> tuple[float, float]:
    """Factors on the rate `base` of a pool with all ranges at their unfavourable, and at their favourable end."""
    plan = runs.fleet.plan
    assert plan is not None
    names = [plan.offers[offer].accelerator for offer in (runs.case.offer, runs.case.decode) if offer]
    known = runs.fleet.accelerators
    uncertain = {name: ends(known[name]) for name in names if leans_on_ranges(known[name])}
    if not uncertain:
        return 1.0, 1.0
    bad, good = (_rate(runs, pools, {name: both[i] for name, both in uncertain.items()}, base) for i in (0, 1))
    return min(bad / base.rate, 1.0), max(good / base.rate, 1.0)


def _rate(runs: Runs, pools: int, machines: dict[str, Accelerator], base: Found) -> float:
    try:
        other = Runs(runs.fleet, runs.case, runs.source, runs.seed, machines, runs.pair)
    except InputError:
        return 0.0  # the model doesn't fit at this end
    each = alone(other)
    if each.hopeless():
        return 0.0
    full = other.most(pools, each.stay_s)
    look = lambda step, effort: other.at(pools, 0.0, step, effort)  # noqa: E731
    found = largest(look, min(base.step, step_of(full)), runs.slo.percentile, 8, step_of(full))
    return min(found.rate / (pools * runs.pair[0]), full)
