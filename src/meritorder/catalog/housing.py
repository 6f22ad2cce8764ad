"""`Housing`: how a machine stands in a hall: systems, racks, height, coolant, and heat that it leaves in the air."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from meritorder.units import Celsius

Coolant: TypeAlias = Literal["air", "liquid-21c", "liquid-45c"]

_AIR_C = 30.0  # warmest inlet of air-cooled nodes: NVIDIA DGX user guides, "5 to 30 C"
_WARM_C = 40.0  # loops of the 45 C class suit machines that take at least this


class Housing(BaseModel):
    """A system is what is bought, stands and fails as one: a node of 8 GPUs, a rack of 72, a box with a wafer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    system_chips: int = Field(default=8, ge=1, description="chips of one system")
    systems_per_rack: int = Field(default=4, ge=1, description="systems of a rack, if its power and height allow")
    racks_per_system: int = Field(default=1, ge=1, description="racks that one system fills, where it needs several")
    rack_units: int = Field(default=8, ge=0, description="height of one system in a rack")
    rack_places: int = Field(default=1, ge=1, description="places in a row that one rack takes: 2 of a double-wide one")
    air_share: float = Field(default=1.0, ge=0, le=1, description="part of its heat that goes to the hall's air")
    coolant_supply: Celsius | None = Field(
        default=None, description="warmest coolant at the inlet; absent: its class's"
    )

    @property
    def part_chips(self) -> int:
        """Chips of what stands in one rack: of a system, or of a part of one that fills several."""
        return -(-self.system_chips // self.racks_per_system)

    @property
    def parts_per_rack(self) -> int:
        """Systems, or parts of one, in a rack."""
        return 1 if self.racks_per_system > 1 else self.systems_per_rack


ASSUMED = {
    "gpu": Housing(),
    "wafer": Housing(system_chips=1, systems_per_rack=2, rack_units=16, air_share=0.1),
}


def cooled_by(coolant: str, supply: float | None) -> tuple[Coolant, float]:
    """The class of loop that suits a machine, and the warmest supply (Celsius) that it takes.

    Machines that are only known to be cooled by liquid go to the loop that their warmest supply allows: the 21 C
    one, unless it is known to be 40 C or more.
    """
    if coolant == "air":
        return "air", _AIR_C if supply is None else supply
    if coolant == "liquid-45c" or (coolant == "liquid" and supply is not None and supply >= _WARM_C):
        return "liquid-45c", 45.0 if supply is None else supply
    return "liquid-21c", 21.0 if supply is None else supply


def suits(machine: Coolant, hall: Coolant) -> bool:
    """Whether a hall's loop cools such a machine: its own class does, and colder liquid too."""
    return machine == hall or (machine == "liquid-45c" and hall == "liquid-21c")
