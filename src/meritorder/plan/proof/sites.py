"""Sites of a period's fleet file: their buildings as large as the blocks that stand by then."""

from __future__ import annotations

from typing import Any

import numpy as np

from meritorder.facility.sizes import capacity_w
from meritorder.fleet.schema import Fleet, Site
from meritorder.fleet.site import Facility
from meritorder.plan.instance import Instance
from meritorder.plan.outcome import Build
from meritorder.units import show

ROOM_HEAT = 0.05  # of IT power: losses of UPS and distribution, which the air plant carries (facility.build)


def site_data(fleet: Fleet, instance: Instance, build: Build, t: int, s: int, air_w: float) -> dict[str, Any]:
    """One site as in a fleet file. `air_w`: heat that its liquid-cooled machines may leave in the air.

    What the file says of certain moments (`scenarios`, `demand_response`) is about another time and left out.
    """
    name = instance.names.sites[s]
    site = fleet.sites[name]
    data = site.model_dump(mode="json", exclude_unset=True, exclude={"scenarios", "demand_response", "facility"})
    blocks = blocks_of(fleet, instance, build, t, s)
    built_w = sum(blocks.values())
    limit = built_w if site.power_limit is None else min(site.power_limit, built_w)
    data["power_limit"] = show(limit, "W")
    if site.facility is not None:
        data["facility"] = _facility(site, instance, build, t, s, blocks, air_w)
    return data


def blocks_of(fleet: Fleet, instance: Instance, build: Build, t: int, s: int) -> dict[str, float]:
    """IT power of the blocks that stand at a site by their class of coolant, W."""
    assert fleet.plan is not None
    found: dict[str, float] = {}
    for b in np.flatnonzero(instance.ground.block_site == s):
        site, _, kind = instance.names.blocks[b].partition("/")
        coolant = fleet.plan.sites[site].blocks[kind].coolant
        found[coolant] = found.get(coolant, 0.0) + float(build.blocks[t, b] * instance.ground.block_w[b])
    return found


def _facility(
    site: Site, instance: Instance, build: Build, t: int, s: int, blocks: dict[str, float], air_w: float
) -> dict[str, Any]:
    """The building: power path and cooling plants for the blocks, the grid's limit, batteries."""
    assert site.facility is not None
    data: dict[str, Any] = site.facility.model_dump(mode="json", exclude_unset=True, exclude={"halls", "grid"})
    grid_w = float(instance.ground.grid_w[t, s])
    if np.isfinite(grid_w):
        data["grid"] = show(grid_w, "W")
    built_w = sum(blocks.values())
    power = site.facility.power.model_copy(update={"capacity": None, "oversubscription": 1.0})
    path = dict(data.get("power", {}))
    path.pop("oversubscription", None)
    path["capacity"] = show(capacity_w(power, built_w), "W")
    if storage := _storage(site.facility, instance, build, t, s):
        path["storage"] = dict(path.get("storage", {})) | storage
    cooling = {name: dict(plant) for name, plant in data.get("cooling", {}).items()}
    for coolant, watts in blocks.items():
        if watts > 0.0:
            heat = watts + ROOM_HEAT * built_w + air_w if coolant == "air" else watts
            cooling.setdefault(coolant.replace("-", "_"), {})["design_load"] = show(heat, "W")
    return data | {"power": path, "cooling": cooling}


def _storage(facility: Facility, instance: Instance, build: Build, t: int, s: int) -> dict[str, Any]:
    """The battery at the meter: the one that stood there with those that were bought."""
    ground, bought_j = instance.ground, float(build.battery_j[t, s])
    if bought_j <= 0.0:
        return {}
    power_w = float(ground.battery_w[s]) + bought_j / (3600.0 * float(ground.battery_hours[s]))
    energy_j = float(ground.battery_j[s]) + bought_j
    stood = facility.power.storage is not None
    efficiency = {} if stood else {"efficiency": float(ground.battery_efficiency[s])}
    return {"power": show(power_w, "W"), "energy": show(energy_j, "J"), **efficiency}
