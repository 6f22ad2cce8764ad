"""How a site gets rid of heat, in the fleet file: one plant per class of coolant."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field

from meritorder.fleet.part import Number, Part, Positive, Switch
from meritorder.units import Celsius, Watts

Coolant: TypeAlias = Literal["air", "liquid-21c", "liquid-45c"]


class Plant(Part):
    """What cools the loops of one class. Sizes that are not given are those that the halls need on the design day."""

    rejection: Literal["dry-cooler", "adiabatic", "tower"] = Field(
        default="dry-cooler", description="Where heat leaves: to dry air, to air wetted on hot days, or by evaporation."
    )
    chillers: Literal["none", "air-cooled", "water-cooled"] | None = Field(
        default=None, description="Compressors for the days that are too warm; absent: where the class needs them here."
    )
    economiser: Switch = Field(default=True, description="Cool without compressors where it is cold enough.")
    supply: Celsius | None = Field(
        default=None, description="Coolant to the machines; absent: as warm as the class allows, less a margin."
    )
    design_load: Watts | None = Field(
        default=None, gt=0, description="Heat it is built for; absent: all machines of the class at their most."
    )
    units: Positive = Field(default=4, le=1000, description="Equal chillers, towers and pumps that carry it.")
    spare_units: int = Field(default=1, ge=0, le=1000, description="Further ones (N+1: 1).")
    cycles: Number = Field(default=4.0, gt=1, le=20, description="Cycles of concentration of evaporated water.")


class Cooling(Part):
    """The cooling plants of a site; those of classes that stand there and are not given have their defaults."""

    air: Plant = Field(default=Plant(rejection="tower", chillers="water-cooled"), description="For air-cooled racks.")
    liquid_21c: Plant = Field(
        default=Plant(rejection="tower", chillers="water-cooled"),
        description="For machines that want 21 C, e.g. CS-3.",
    )
    liquid_45c: Plant = Field(
        default=Plant(rejection="dry-cooler", chillers="none"),
        description="For machines that take 45 C, e.g. NVL72 racks.",
    )
