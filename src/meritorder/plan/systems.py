"""What a system of an offer is: power, coolant, supplier; and what may stand in a kind of block."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meritorder.catalog.accelerator import Accelerator
from meritorder.catalog.housing import ASSUMED, cooled_by
from meritorder.fleet.cooling import Coolant
from meritorder.fleet.plan.offers import Offer
from meritorder.fleet.plan.stands import blocks_for, coolant_of, nameplate_of, supplier_of
from meritorder.fleet.schema import Fleet
from meritorder.problems import InputError, Problem
from meritorder.units import show


@dataclass(frozen=True)
class System:
    """One system of an offer, SI units."""

    supplier: str
    nameplate_w: float  # IT power at its most
    idle_w: float  # the same with a model loaded and nothing to do
    coolant: Coolant
    supply_c: float  # warmest coolant that it takes
    air_share: float  # of its heat, that goes to the room's air


@dataclass(frozen=True)
class Machines:
    """What stands in a block, as its building sees it."""

    coolant: Coolant  # class of the block
    supply_c: float | None  # warmest coolant that all of them take; None: that of the class
    air_share: float  # of their heat


def systems_of(fleet: Fleet) -> dict[str, System]:
    """The systems of all offers of the fleet's plan, by name. Raises InputError where powers don't fit together."""
    assert fleet.plan is not None
    return {name: _system(fleet, name, offer) for name, offer in fleet.plan.offers.items()}


def _system(fleet: Fleet, name: str, offer: Offer) -> System:
    chip = fleet.accelerators[offer.accelerator]
    coolant = coolant_of(offer, chip)
    supply = chip.loop[1] if coolant == chip.loop[0] else cooled_by(coolant, None)[1]
    nameplate = nameplate_of(offer, chip)
    idle = offer.chips * chip.idle
    if idle > nameplate:
        what = f"is {show(nameplate, 'W', 3)}, less than the {show(idle, 'W', 3)} that its chips draw idle"
        raise InputError(Problem(what, key=f"plan.offers.{name}.power", fix="give the most that a system draws"))
    return System(supplier_of(offer, chip), nameplate, idle, coolant, supply, 1.0 if coolant == "air" else _air(chip))


def _air(chip: Accelerator) -> float:
    """Share of a liquid-cooled machine's heat that goes to the air, also where the catalog's is cooled by air."""
    return ASSUMED["wafer"].air_share if chip.loop[0] == "air" else chip.stands.air_share


def block_of(fleet: Fleet, site: str, offer: str) -> str | None:
    """The kind of block that systems of an offer stand in at a site; None: they can't stand there.

    That of their own coolant; machines that take 45 C stand in blocks of 21 C where there are no others.
    """
    assert fleet.plan is not None
    asked = fleet.plan.offers[offer]
    if asked.sites is not None and site not in asked.sites:
        return None
    coolant = coolant_of(asked, fleet.accelerators[asked.accelerator])
    return next(iter(blocks_for(fleet.plan.sites[site], coolant)), None)


def machines_in(fleet: Fleet, site: str, kind: str) -> Machines:
    """What may stand in a kind of block: its building must suit the most demanding of them."""
    assert fleet.plan is not None
    coolant = fleet.plan.sites[site].blocks[kind].coolant
    here = [system for name, system in systems_of(fleet).items() if block_of(fleet, site, name) == kind]
    if not here:
        return Machines(coolant, None, 1.0 if coolant == "air" else ASSUMED["wafer"].air_share)
    air = 1.0 if coolant == "air" else float(np.mean([system.air_share for system in here]))
    return Machines(coolant, min(system.supply_c for system in here), air)
