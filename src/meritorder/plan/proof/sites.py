"""Sites of a period's fleet file: their buildings as large as the blocks that stand by then."""

from __future__ import annotations

from typing import Any

import numpy as np

from meritorder.fleet.schema import Fleet
from meritorder.fleet.site import Facility
from meritorder.plan.instance import Instance
from meritorder.plan.outcome import Build
from meritorder.plan.sites.sizes import building_with
from meritorder.units import show


def site_data(fleet: Fleet, instance: Instance, build: Build, t: int, s: int) -> dict[str, Any]:
    """One site as in a fleet file.

    What the file says of certain moments (`scenarios`, `demand_response`) is about another time and left out.
    """
    name = instance.names.sites[s]
    site = fleet.sites[name]
    data = site.model_dump(mode="json", exclude_unset=True, exclude={"scenarios", "demand_response", "facility"})
    blocks = blocks_of(instance, build, t, s)
    built_w = sum(count * watts for count, watts in blocks.values())
    data["power_limit"] = show(built_w, "W")
    if site.facility is not None:
        building = building_with(fleet, name, {kind: count for kind, (count, _) in blocks.items()})
        data["facility"] = _facility(site.facility, building, instance, build, t, s)
    return data


def blocks_of(instance: Instance, build: Build, t: int, s: int) -> dict[str, tuple[float, float]]:
    """Blocks that stand at a site by kind: how many, and the IT power of one, W."""
    here = np.flatnonzero(instance.ground.block_site == s)
    kinds = [instance.names.blocks[b].partition("/")[2] for b in here]
    return {
        kind: (float(build.blocks[t, b]), float(instance.ground.block_w[b]))
        for kind, b in zip(kinds, here, strict=True)
    }


def _facility(given: Facility, building: Facility, instance: Instance, build: Build, t: int, s: int) -> dict[str, Any]:
    """The building in words: what the file says of it, with the sizes for its blocks, the grid's limit, batteries."""
    data: dict[str, Any] = given.model_dump(mode="json", exclude_unset=True, exclude={"halls", "grid"})
    grid_w = float(instance.ground.grid_w[t, s])
    if np.isfinite(grid_w):
        data["grid"] = show(grid_w, "W")
    path = {key: value for key, value in data.get("power", {}).items() if key != "oversubscription"}
    assert building.power.capacity is not None
    path["capacity"] = show(building.power.capacity, "W")
    if storage := _storage(given, instance, build, t, s):
        path["storage"] = path.get("storage", {}) | storage
    cooling = {name: dict(plant) for name, plant in data.get("cooling", {}).items()}
    for name in type(building.cooling).model_fields:
        heat_w = getattr(building.cooling, name).design_load
        if heat_w is not None:
            cooling.setdefault(name, {})["design_load"] = show(heat_w, "W")
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
