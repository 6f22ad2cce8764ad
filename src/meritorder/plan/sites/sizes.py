"""A site's building as large as some of its power blocks: what its `facility` says, sized for them."""

from __future__ import annotations

from collections.abc import Mapping

from meritorder.facility.build import ROOM_HEAT
from meritorder.facility.sizes import capacity_w
from meritorder.fleet.cooling import Coolant, Cooling, Plant
from meritorder.fleet.plan.ground import Ground
from meritorder.fleet.schema import Fleet
from meritorder.fleet.site import Facility
from meritorder.plan.systems import machines_in
from meritorder.problems import InputError, Problem

_KEYS: dict[Coolant, str] = {"air": "air", "liquid-21c": "liquid_21c", "liquid-45c": "liquid_45c"}


def building_with(fleet: Fleet, site: str, blocks: Mapping[str, float]) -> Facility:
    """The building of a site with so many blocks of each kind: power path and cooling carry their IT power.

    Sizes that the file gives in watts are those of the blocks that stand at the start; others are built alike. Halls
    are left out, since blocks say what can stand there; all else is as the file has it. Raises InputError where such a
    size is given and nothing stands at the start that it could be of.
    """
    assert fleet.plan is not None
    ground, facility = fleet.plan.sites[site], fleet.sites[site].facility
    assert facility is not None
    watts = {kind: count * ground.blocks[kind].power for kind, count in blocks.items() if count > 0}
    total = sum(watts.values())
    power = facility.power.model_copy(update={"oversubscription": 1.0})
    size = capacity_w(power, total)
    if power.capacity is not None:  # then it is that
        size *= _of_standing(site, ground, "power.capacity", total, None)
    power = power.model_copy(update={"capacity": size})
    heat = {"air": ROOM_HEAT * total}
    for kind, it_w in watts.items():
        machines = machines_in(fleet, site, kind)
        if machines.coolant != "air":
            heat[machines.coolant] = heat.get(machines.coolant, 0.0) + (1.0 - machines.air_share) * it_w
        heat["air"] += machines.air_share * it_w
    plants: dict[str, Plant] = {}
    for coolant, key in _KEYS.items():
        plant: Plant = getattr(facility.cooling, key)
        size = heat.get(coolant, 0.0)
        if plant.design_load is not None and size > 0.0:
            of = sum(w for kind, w in watts.items() if ground.blocks[kind].coolant == coolant) or total
            where = f"cooling.{key}.design_load"
            size = plant.design_load * _of_standing(site, ground, where, of, coolant)
        plants[key] = plant.model_copy(update={"design_load": size or None})
    return facility.model_copy(update={"power": power, "cooling": Cooling(**plants), "halls": {}})


def _of_standing(site: str, ground: Ground, key: str, watts: float, coolant: Coolant | None) -> float:
    """IT power per that of the blocks of a class (of all, where it has none) that stand at the start."""
    standing = {kind: block.standing * block.power for kind, block in ground.blocks.items()}
    own = sum(standing[kind] for kind, block in ground.blocks.items() if coolant in (None, block.coolant))
    whole = own or sum(standing.values())
    if whole > 0.0:
        return watts / whole
    what = "is a size in watts, where no block stands at the start that it could be of"
    raise InputError(Problem(what, key=f"sites.{site}.facility.{key}", fix="drop it: it is sized for each block"))
