"""Every range that a fleet file gives, as the file with the figure at its low and at its high end.

Prices and rents of offers and growth of services have ranges of their own. Prices of electricity, what the systems of
an offer carry, and demand beside its growth have those that the scenarios give. All else is at its best.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from meritorder.fleet.plan.demand import Future
from meritorder.fleet.plan.plan import Plan
from meritorder.fleet.plan.span import Span
from meritorder.fleet.schema import Fleet
from meritorder.units import show


@dataclass(frozen=True)
class Ranged:
    """A figure with a range."""

    name: str
    key: str
    low: str
    high: str
    ends: tuple[Fleet, Fleet]


def at_best(fleet: Fleet) -> Fleet:
    """The file with one scenario, in which everything is as the file thinks best."""
    return _future(fleet)


def ranges_of(fleet: Fleet) -> Iterator[Ranged]:
    """All ranges that are more than one figure."""
    plan = fleet.plan
    assert plan is not None
    yield from _offers(fleet, plan)
    yield from _growth(fleet, plan)
    yield from _scenarios(fleet, plan)


def _offers(fleet: Fleet, plan: Plan) -> Iterator[Ranged]:
    for name, offer in plan.offers.items():
        for field, words in (("price", "price"), ("rent_per_month", "rent")):
            span = getattr(offer, field)
            if span is None or span.low == span.high:
                continue
            low, high = (
                _with(fleet, offers={**plan.offers, name: offer.model_copy(update={field: _only(end)})})
                for end in (span.low, span.high)
            )
            labels = (show(span.low, "USD"), show(span.high, "USD"))
            yield Ranged(f"{words} of {name}", f"plan.offers.{name}.{field}", *labels, (low, high))


def _growth(fleet: Fleet, plan: Plan) -> Iterator[Ranged]:
    for name, asked in plan.demand.items():
        if asked.history:  # its interval is fitted: only the whole scenario can be moved
            continue
        span = asked.growth.per_year
        if span.low == span.high:
            continue
        low, high = (
            _with(
                fleet,
                demand={
                    **plan.demand,
                    name: asked.model_copy(update={"growth": asked.growth.model_copy(update={"per_year": _only(end)})}),
                },
            )
            for end in (span.low, span.high)
        )
        key = f"plan.demand.{name}.growth.per_year"
        yield Ranged(f"growth of {name}", key, f"{span.low:g} a year", f"{span.high:g} a year", (low, high))


def _scenarios(fleet: Fleet, plan: Plan) -> Iterator[Ranged]:
    futures = plan.scenarios.values()
    fitted = [name for name, asked in plan.demand.items() if asked.history]
    if fitted:
        ends = (_future(fleet, growth="low"), _future(fleet, growth="high"))
        key = ", ".join(f"plan.demand.{name}.history" for name in fitted)
        yield Ranged("growth of all, as fitted", key, "low", "high", ends)
    prices = [1.0, *(future.power_price for future in futures)]
    if min(prices) < max(prices):
        ends = (_future(fleet, power_price=min(prices)), _future(fleet, power_price=max(prices)))
        labels = (f"x {min(prices):g}", f"x {max(prices):g}")
        yield Ranged("price of electricity", "plan.scenarios.*.power_price", *labels, ends)
    for field, words, known in (("speed", "what {} carries", plan.offers), ("demand", "demand of {}", plan.demand)):
        for name in known:
            factors = [1.0, *(_factor(future, field, name) for future in futures)]
            if min(factors) < max(factors):
                low, high = (_future(fleet, **{field: {name: end}}) for end in (min(factors), max(factors)))
                labels = (f"x {min(factors):g}", f"x {max(factors):g}")
                yield Ranged(words.format(name), f"plan.scenarios.*.{field}.{name}", *labels, (low, high))


def _factor(future: Future, field: str, name: str) -> float:
    known: dict[str, float] = getattr(future, field)
    return known.get(name, known.get("default", 1.0) if field == "demand" else 1.0)


def _future(fleet: Fleet, **changes: Any) -> Fleet:
    """The file with this one scenario."""
    return _with(fleet, scenarios={"best": Future(probability=1.0, **changes)})


def _only(value: float) -> Span[float]:
    return Span(low=value, best=value, high=value)


def _with(fleet: Fleet, **changes: Any) -> Fleet:
    """The file with other keys under `plan`, and one scenario unless they say which."""
    assert fleet.plan is not None
    scenarios = {"best": Future(probability=1.0)}
    return fleet.model_copy(update={"plan": fleet.plan.model_copy(update={"scenarios": scenarios, **changes})})
