"""What breaks, in the fleet file: drawn from rates, or at set times."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, Strict

from meritorder.fleet.part import Name, Number, Part, Positive
from meritorder.units import Seconds

Breaks: TypeAlias = Literal[
    "engine", "machine", "rack", "row", "cdu", "pump", "chiller", "feed", "grid", "site", "link", "supplier", "slow"
]


class FaultRate(Part):
    """One kind of fault, drawn for each thing of its kind, independently of one another."""

    what: Breaks = Field(description="What breaks.")
    pools: tuple[Name, ...] | None = Field(default=None, min_length=1, description="Only these; absent: everywhere.")
    mtbf: Seconds = Field(gt=0, description="Mean time between failures of one thing.")
    mttr: Seconds = Field(gt=0, description="Mean time to repair, loading weights not included.")
    shape: Number = Field(default=1.0, gt=0, le=10, description="Weibull shape of the times between; 1: exponential.")
    spread: Number = Field(default=0.8, ge=0, le=3, description="Sigma of the log-normal repair times.")
    factor: Number = Field(default=3.0, gt=1, le=100, description="`slow`: how much longer an iteration takes.")


class FaultAt(Part):
    """One fault at a set time."""

    what: Breaks = Field(description="What breaks.")
    name: Name | None = Field(default=None, description="Its pool, site, hall, link or supplier.")
    number: Annotated[int, Strict()] = Field(default=0, ge=0, description="Which one of them, from 0.")
    start: Seconds = Field(ge=0, description="From the trace's time 0.")
    duration: Seconds | None = Field(default=None, gt=0, description="Until it is repaired; absent: it stays broken.")
    factor: Number = Field(default=3.0, gt=1, le=100, description="`slow`: how much longer an iteration takes.")


class Faults(Part):
    """What breaks, and how the fleet takes it."""

    rates: tuple[FaultRate, ...] = Field(default=(), description="Drawn, from the run's seed.")
    at: tuple[FaultAt, ...] = Field(default=(), description="At set times.")
    detection: Seconds = Field(
        default=2.0, ge=0, description="From a failure until the gateway sends its requests elsewhere."
    )
    retries: Annotated[int, Strict()] = Field(default=2, ge=0, le=10, description="Further replicas tried.")
    spares: dict[Name, Positive] = Field(
        default={}, description="Machines of a pool that stand by: a failed one is replaced after loading weights."
    )
