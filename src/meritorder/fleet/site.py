"""A site in the fleet file: a place with its electricity, its building, its weather and its distance to clients."""

from __future__ import annotations

from typing import Self, TypeAlias

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
        default="", max_length=300, description="A climate of the catalog, or a file (EPW, Open-Meteo); absent: mild."
    )
    usd_per_kwh: UsdPerKwh = Field(description="Price of grid electricity, USD per kWh.")
    price: SeriesFile = Field(default="", max_length=300, description="File of hourly prices, instead of the mean.")
    kg_per_kwh: KgPerKwh = Field(le=5, description="Carbon of grid electricity, kg CO2 per kWh (or `380 g/kWh`).")
    carbon: SeriesFile = Field(default="", max_length=300, description="File of hourly carbon, instead of the mean.")
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

    @model_validator(mode="after")
    def _one_pue(self) -> Self:
        if self.facility is not None and "pue" in self.model_fields_set:
            raise ValueError("has `pue` beside `facility`, from which it is computed; drop the one")
        return self
