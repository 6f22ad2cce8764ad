"""What a plan leans on: figures of the fleet file and of the catalog that are ranges or guesses, with their sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from meritorder.catalog.load import accelerator_entries, figures
from meritorder.fleet.plan.span import Span
from meritorder.fleet.schema import Fleet
from meritorder.plan.demand import demand_of
from meritorder.plan.demand.history import Fit
from meritorder.units import show

# Figures of the catalog that nothing here is computed from: what the machine costs and how it is sold is in the offers.
_UNUSED = frozenset(("usd_per_hour", "purchase_usd", "rental_usd_per_hour"))


@dataclass(frozen=True)
class Assumption:
    """One figure that is not known well. Values as text with their units."""

    what: str
    key: str  # in the fleet file, or "catalog: NAME"
    value: str
    low: str  # "" where there is no range
    high: str
    source: str  # "fleet file", or the catalog's
    confidence: str  # "range", "fitted", "guess", "low"


def assumptions(fleet: Fleet) -> list[Assumption]:
    """Ranges of the plan first, then doubtful figures of the machines that it offers."""
    asked = fleet.plan
    assert asked is not None
    found = []
    fits = demand_of(fleet).fits
    for name, service in asked.demand.items():
        key, growth = f"plan.demand.{name}.growth", service.growth
        found += _span(f"growth of {name} a year", f"{key}.per_year", growth.per_year, "")
        found += _span(f"ceiling of {name}, times its start", f"{key}.ceiling", growth.ceiling, "")
        found += [_fitted(name, fits[name])] if name in fits else []
    for name, offer in asked.offers.items():
        if offer.price is not None:
            found += _span(f"price of {name}", f"plan.offers.{name}.price", offer.price, "USD")
        if offer.rent_per_month is not None:
            key = f"plan.offers.{name}.rent_per_month"
            found += _span(f"rent of {name} a month", key, offer.rent_per_month, "USD")
    entries = accelerator_entries()
    for machine in dict.fromkeys(offer.accelerator for offer in asked.offers.values()):
        found += _catalog(machine) if machine in entries else []
    return found


def _fitted(name: str, fit: Fit) -> Assumption:
    """Growth by a service's past; its range is the interval in which four of five months should fall."""
    low, best, high = (f"{value:.3g}" for value in fit.per_year)
    models = ", ".join(f"{model} {weight:.0%}" for model, weight in fit.models.items() if weight >= 0.005)
    source = f"fitted to {fit.months} months to {fit.last} ({models})"
    if fit.tried:
        source += f"; of {fit.tried} earlier forecasts {fit.inside:.0%} inside, median error {fit.error:.0%}"
    return Assumption(f"growth of {name} a year", f"plan.demand.{name}.history", best, low, high, source, "fitted")


def _span(what: str, key: str, span: Span[Any] | None, unit: str) -> list[Assumption]:
    if span is None or span.low == span.high:
        return []
    low, best, high = (show(value, unit, 3) if unit else f"{value:g}" for value in (span.low, span.best, span.high))
    return [Assumption(what, key, best, low, high, "fleet file", "range")]


def _catalog(machine: str) -> list[Assumption]:
    """The machine's figures that are ranges or guesses."""
    found = []
    for key, figure in figures(machine).items():
        doubtful = figure.low is not None or figure.confidence in ("guess", "low")
        if not doubtful or key in _UNUSED:
            continue
        low, high = ("" if end is None else str(end) for end in (figure.low, figure.high))
        source = f"{figure.source}, {figure.date}" + (f": {figure.note}" if figure.note else "")
        found.append(
            Assumption(
                f"{machine}: {key}", f"catalog: {machine}", str(figure.value), low, high, source, figure.confidence
            )
        )
    return found
