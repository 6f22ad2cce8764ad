"""A site in the fleet file: a place with its electricity, its building, its weather and its distance to clients."""

from __future__ import annotations

from typing import Literal, Self, TypeAlias

from pydantic import Field, model_validator

from meritorder.fleet.control import DemandResponse
from meritorder.fleet.cooling import Cooling
from meritorder.fleet.halls import Hall
from meritorder.fleet.network import Egress
from meritorder.fleet.part import Name, Number, Part
from meritorder.fleet.power_train import PowerTrain
from meritorder.fleet.surroundings import Scenario
from meritorder.units import KgPerKwh, Seconds, UsdPerKwh, Watts

SeriesFile: TypeAlias = str


class Facility(Part):
    """The building: what carries power to the machines and heat away from them."""

    grid: Watts | None = Field(
        default=None, gt=0, description="Most facility power that the grid contract allows, at the meter."
    )
    power: PowerTrain = Field(default=PowerTrain(), description="From the grid to the machines.")
    cooling: Cooling = Field(default=Cooling(), description="From the machines to the air outside.")
    halls: dict[Name, Hall] = Field(
        default={}, description="Where racks stand; absent: halls that just hold the pools of the site."
    )

    @model_validator(mode="after")
    def _halls_hang_on_its_feeds(self) -> Self:
        for name, hall in self.halls.items():
            if hall.feeds and max(hall.feeds) >= self.power.feeds:
                raise ValueError(
                    f"has the hall {name} on feed {max(hall.feeds)}, but its feeds are 0 to {self.power.feeds - 1}; "
                    "give `power.feeds`, or other feeds"
                )
        return self


class Site(Part):
    """A place with its electricity: what power costs and emits there, and how far clients are."""

    pue: Number = Field(
        default=1.25,
        ge=1,
        le=5,
        description="Facility power per IT power of an unknown building; computed where there is `facility`.",
    )
    facility: Facility | None = Field(default=None, description="The building; absent: only `pue` is known of it.")
    weather: SeriesFile = Field(
        default="",
        max_length=4096,
        description="A climate of the catalog, or a file (EPW, Open-Meteo); absent: 15 C and 60 % humidity always.",
    )
    usd_per_kwh: UsdPerKwh = Field(description="Price of grid electricity, USD per kWh.")
    price: SeriesFile = Field(
        default="",
        max_length=4096,
        description="A grid of the catalog or a file of prices by the hour, instead of `usd_per_kwh`.",
    )
    exchange_rate: Number | None = Field(
        default=None, gt=0, description="USD per unit of the currency of the `price` file, where that is another."
    )
    kg_per_kwh: KgPerKwh = Field(le=5, description="Carbon of grid electricity, kg CO2 per kWh (or `380 g/kWh`).")
    carbon: SeriesFile = Field(
        default="",
        max_length=4096,
        description="A grid of the catalog or a file of carbon by the hour, instead of `kg_per_kwh`.",
    )
    carbon_scope: Literal["direct", "life-cycle"] = Field(
        default="direct", description="Which emissions of the `carbon` file count: of power stations alone, or of all."
    )
    scenarios: tuple[Scenario, ...] = Field(default=(), description="Heat waves, price spikes and the like.")
    demand_response: tuple[DemandResponse, ...] = Field(default=(), description="When the grid wants less.")
    rtt: dict[Name, Seconds] = Field(
        default={},
        description="Network round trip from each client region of the trace to this site, for example `40 ms`; "
        "the key `default` holds for regions not named, 0 where there is none.",
    )
    egress: Egress = Field(default=Egress(), description="Network towards its clients.")
    power_limit: Watts | None = Field(
        default=None, gt=0, description="Most IT power that may be used there; absent: what the building carries."
    )

    def round_trip_s(self, region: str) -> float:
        """Seconds from clients of a region to the site and back."""
        return self.rtt.get(region, self.rtt.get("default", 0.0))

    @model_validator(mode="after")
    def _one_pue(self) -> Self:
        if self.facility is not None and "pue" in self.model_fields_set:
            raise ValueError("has `pue` beside `facility`, from which it is computed; drop the one")
        return self
