"""`Case`: a way to serve a service whose capacity is to be found, and all cases of a fleet's plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from meritorder.fleet.plan.offers import Run
from meritorder.fleet.schema import Fleet


class Key(NamedTuple):
    """What a case is known by."""

    offer: str  # of a pair the one that computes prompts
    decode: str  # of a pair the one that makes tokens; empty: the same system does
    service: str


@dataclass(frozen=True)
class Case:
    """One service on one offer, or on a pair of offers at one site."""

    offer: str
    model: str
    service: str
    run: Run
    decode: str = ""
    decode_run: Run | None = None

    @property
    def key(self) -> Key:
        """Its name among the capacities."""
        return Key(self.offer, self.decode, self.service)

    @property
    def words(self) -> str:
        """How a person is told of it."""
        return f"{self.service} on {self.offer}" + (f" with {self.decode}" if self.decode else "")


def cases_of(fleet: Fleet) -> list[Case]:
    """Every service that demand is planned for, on every offer and pair that runs its model, in the file's order."""
    return [] if fleet.plan is None else list(_cases(fleet))


def _cases(fleet: Fleet) -> Iterator[Case]:
    plan = fleet.plan
    assert plan is not None
    for service in plan.demand:
        model = fleet.services[service].model
        for name, offer in plan.offers.items():
            if model in offer.runs:
                yield Case(name, model, service, offer.runs[model])
        seen = set()
        for pair in plan.pairs.values():
            first, second = plan.offers[pair.prefill], plan.offers[pair.decode]
            ends = (pair.prefill, pair.decode)
            if model in pair.models and model in first.runs and model in second.runs and ends not in seen:
                seen.add(ends)
                yield Case(pair.prefill, model, service, first.runs[model], pair.decode, second.runs[model])
