"""How a site gets rid of heat, in the fleet file: one plant per class of coolant."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from meritorder.fleet.part import Number, Part, Positive, Switch
from meritorder.units import Celsius, Watts

Coolant: TypeAlias = Literal["air", "liquid-21c", "liquid-45c"]

PerWatt = Annotated[Number, Field(ge=0, le=0.5)]


class Plant(Part):
    """What cools the loops of one class. Sizes that are not given are those that the halls need on the design day."""

    rejection: Literal["dry-cooler", "adiabatic", "tower", "closed-tower"] = Field(
        default="dry-cooler",
        description="Where heat leaves: to dry air, to air wetted on hot days, by evaporation, or so in closed coils.",
    )
    chillers: Literal["none", "air-cooled", "water-cooled"] | None = Field(
        default=None,
        description="Compressors for days that are too warm; absent: where the class needs them in this weather.",
    )
    economiser: Switch = Field(default=True, description="Cool without compressors where it is cold enough.")
    supply: Celsius | None = Field(
        default=None, ge=10, le=60, description="Coolant to the machines; absent: 25 C air, 21 C or 40 C liquid."
    )
    approach: Number | None = Field(
        default=None,
        ge=1,
        le=30,
        description="Kelvin of the plant's supply above outdoor air (towers: its wet bulb) at design load; "
        "absent: 10 dry, 5 tower, 6.5 closed tower.",
    )
    design_load: Watts | None = Field(
        default=None, gt=0, description="Heat it is built for; absent: all machines of the class at their most."
    )
    units: Positive = Field(default=4, le=1000, description="Equal chillers, towers and pumps that carry it.")
    spare_units: int = Field(default=1, ge=0, le=1000, description="Further ones (N+1: 1).")
    cop: Number | None = Field(
        default=None,
        ge=1,
        le=15,
        description="Reference efficiency of its chillers, heat per electricity (air-cooled: 7 C water, 35 C air; "
        "water-cooled: 9 C, 27 C); absent: 2.8 and 5.5.",
    )
    loop_power: PerWatt | None = Field(
        default=None, description="CDU pumps (air: room fans) at full flow, watts per watt of heat; absent: by class."
    )
    pump_power: PerWatt | None = Field(
        default=None, description="The plant's own pumps at full flow, watts per watt of heat; absent: by class."
    )
    fan_power: PerWatt | None = Field(
        default=None, description="Fans of dry coolers or towers at full speed, the same; absent: 0.025 and 0.014."
    )
    house_power: PerWatt | None = Field(
        default=None, description="Ventilation, lights and controls, always on, the same; absent: by class."
    )
    cycles: Number = Field(default=4.0, gt=1, le=20, description="Cycles of concentration of evaporated water.")

    @model_validator(mode="after")
    def _towers_for_water(self) -> Self:
        if self.chillers == "water-cooled" and self.rejection not in ("tower", "closed-tower"):
            raise ValueError("has `chillers: water-cooled`, whose heat goes to towers: set `rejection: tower`")
        return self


class Cooling(Part):
    """The cooling plants of a site; those of classes that stand there and are not given have their defaults."""

    air: Plant = Field(default=Plant(rejection="tower", chillers="water-cooled"), description="For air-cooled racks.")
    liquid_21c: Plant = Field(
        default=Plant(rejection="tower", chillers="water-cooled"),
        description="For machines that want 21 C, e.g. CS-3.",
    )
    liquid_45c: Plant = Field(
        default=Plant(rejection="dry-cooler"),
        description="For machines that take 45 C, e.g. NVL72 racks.",
    )
