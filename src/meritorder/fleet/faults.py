"""What breaks, in the fleet file: drawn from rates, or at set times."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias, get_args

from pydantic import Field, Strict, model_validator

from meritorder.fleet.part import Name, Number, Part, Positive
from meritorder.units import BytesPerSecond, Seconds

# simulate.faults.causes numbers them in this order.
Breaks: TypeAlias = Literal[
    "engine",
    "machine",
    "pipeline",
    "rack",
    "row",
    "cdu",
    "pump",
    "chiller",
    "tower",
    "feed",
    "grid",
    "site",
    "link",
    "supplier",
    "slow",
]
BREAKS: tuple[Breaks, ...] = get_args(Breaks)

Factor = Annotated[Number, Field(gt=1, le=100)]


class FaultRate(Part):
    """One kind of fault, drawn for each thing of its kind, independently of one another."""

    what: Breaks = Field(description="What breaks.")
    pools: tuple[Name, ...] | None = Field(
        default=None, min_length=1, description="Only these, or what they stand on; absent: everywhere."
    )
    mtbf: Seconds | None = Field(
        default=None,
        gt=0,
        description="Mean time from a repair to the next failure of one thing (of `pipeline`: of one of its machines); "
        "absent: the catalog's.",
    )
    mttr: Seconds | None = Field(
        default=None, gt=0, description="Mean time to repair, loading weights not included; absent: the catalog's."
    )
    shape: Number | None = Field(
        default=None,
        ge=0.3,
        le=10,
        description="Weibull shape of the times between; 1: exponential; absent: the catalog's.",
    )
    spread: Number | None = Field(
        default=None, ge=0, le=3, description="Sigma of the log-normal repair times; absent: the catalog's."
    )
    factor: Factor | None = Field(
        default=None, description="`slow`: how much longer an iteration takes; absent: the catalog's."
    )
    window: Seconds | None = Field(
        default=None,
        ge=0,
        description="`supplier`: a release reaches its machines over so long; absent: the catalog's.",
    )


class FaultAt(Part):
    """One fault at a set time."""

    what: Breaks = Field(description="What breaks.")
    name: Name | None = Field(
        default=None,
        description="Whose: a pool (`engine`, `machine`, `pipeline`, `slow`), a hall, or `SITE/HALL` where several "
        "have its name (`rack`, `row`, `cdu`), a site (`pump`, `chiller`, `tower`, `feed`, `grid`, `site`), a link, or "
        "a supplier as the catalog writes it; absent: the only one there is.",
    )
    number: Annotated[int, Strict()] = Field(default=0, ge=0, description="Which one of them, from 0.")
    start: Seconds = Field(ge=0, description="From the trace's time 0.")
    duration: Seconds | None = Field(
        default=None, gt=0, description="Until it is repaired, loading weights not included; absent: it stays broken."
    )
    factor: Factor = Field(default=3.0, description="`slow`: how much longer an iteration takes.")
    left: Number = Field(
        default=0.0, ge=0, lt=1, description="`feed`: part of its power that still comes in, a brown-out; 0: none."
    )
    window: Seconds = Field(
        default=0.0, ge=0, description="`supplier`: a release reaches its machines over so long; 0: all at once."
    )

    @model_validator(mode="after")
    def _only_feeds_brown_out(self) -> Self:
        if self.left > 0.0 and self.what != "feed":
            raise ValueError(f"has `left`, but is `{self.what}`: only a `feed` can have a part of its power left")
        return self


class Faults(Part):
    """What breaks, and how the fleet takes it."""

    rates: Literal["default"] | tuple[FaultRate, ...] = Field(
        default=(), description="Drawn, from the run's seed; `default`: every kind at the catalog's rates."
    )
    at: tuple[FaultAt, ...] = Field(default=(), description="At set times.")
    detection: Seconds = Field(
        default=2.0, ge=0, description="From a failure until the gateway sends its requests elsewhere."
    )
    retries: Annotated[int, Strict()] = Field(default=2, ge=0, le=10, description="Further replicas tried.")
    spares: dict[Name, Positive] = Field(
        default={}, description="Machines of a pool that stand by: a failed one is replaced after loading weights."
    )
    crew: Positive | None = Field(
        default=None, description="Repairs of hardware that go on at the same time at a site; absent: any number."
    )
    engine_start: Seconds | None = Field(
        default=None, ge=0, description="Start of an engine before it loads weights; absent: the catalog's."
    )
    load_rate: BytesPerSecond | None = Field(
        default=None, gt=0, description="Weights that one chip loads; absent: the catalog's."
    )

    def drawn(self) -> tuple[FaultRate, ...]:
        """The rates, `default` written out: all kinds but `pipeline`, whose machines fail as such already."""
        if isinstance(self.rates, str):
            return tuple(FaultRate(what=what) for what in BREAKS if what != "pipeline")
        return self.rates
