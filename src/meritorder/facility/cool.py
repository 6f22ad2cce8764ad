"""`cool`: the heat of one site's rows and rooms goes into the air outside, or stays and warms the loops."""

from __future__ import annotations

import math

from meritorder.compiled import compiled
from meritorder.facility.loop import begin_row, end_row, own_w, row_stored_j
from meritorder.facility.removal import HALVINGS, aim_c, most_w, plant_capacity_w, plant_power, pumps_w, removal
from meritorder.facility.state import FacilityState
from meritorder.facility.throttle import throttle
from meritorder.records import Records

__all__ = ["cool", "plant_capacity_w", "plant_power"]

SUBSTEP_S = 5.0  # steps are cut into ones of this length ...
MOST_SUBSTEPS = 8  # ... but into no more than so many


@compiled
def cool(facility: FacilityState, site: int, dt: float) -> None:
    """Move the site's plants and the loops of its rows on by `dt` seconds; see `PLANT` for what it sets.

    Takes `rows.heat_w`, `trains[site].room_w`, weather, `power` and `ups_power` as constant meanwhile.
    """
    s = facility.sites[site]
    for p in range(s.first_plant, s.first_plant + s.plant_count):
        plant = facility.plants[p]
        plant.heat_w = plant.rejected_w = plant.free_w = plant.chiller_w = plant.fan_w = 0.0
        plant.inside_fan_w = 0.0
        plant.pump_w = plant.water_l_s = plant.compressor = plant.room_w = 0.0
    if s.plant_count > 0:
        facility.plants[s.first_plant].room_w = facility.trains[site].room_w
    for r in range(s.first_row, s.first_row + s.row_count):
        row = facility.rows[r]
        facility.plants[s.first_plant].room_w += row.heat_w - own_w(facility.plants[row.plant], row)
    count = int(min(float(MOST_SUBSTEPS), max(1.0, math.ceil(dt / SUBSTEP_S))))
    h = dt / count
    for _ in range(count):
        for p in range(s.first_plant, s.first_plant + s.plant_count):
            plant = facility.plants[p]
            plant.take_w = plant.slope_w_k = plant.row_pump_w = plant.row_fan_w = plant.row_heat_w = 0.0
        for r in range(s.first_row, s.first_row + s.row_count):
            row = facility.rows[r]
            begin_row(facility.plants[row.plant], row, h)
        for p in range(s.first_plant, s.first_plant + s.plant_count):
            step_plant(facility.plants[p], s.dry_c, s.wet_c, h, 1.0 / count)
        for r in range(s.first_row, s.first_row + s.row_count):
            row = facility.rows[r]
            end_row(facility.plants[row.plant], row)
    for p in range(s.first_plant, s.first_plant + s.plant_count):
        plant = facility.plants[p]
        plant.stored_j = plant.water_j_k * plant.supply_c
    for r in range(s.first_row, s.first_row + s.row_count):
        row = facility.rows[r]
        plant = facility.plants[row.plant]
        plant.stored_j += row_stored_j(plant, row)
        throttle(plant, row)


@compiled
def step_plant(plant: Records, dry_c: float, wet_c: float, h: float, weight: float) -> None:
    """The plant's water at the end of `h` seconds and what that costs; `weight` of this substep in the means."""
    heat = plant.row_heat_w + plant.room_w
    load = (heat - plant.row_pump_w - plant.row_fan_w) / plant.design_w
    room_fans = plant.mover * plant.room_w * plant.power
    pumps = pumps_w(plant, load)
    inertia = plant.water_j_k / h
    # What is left to remove, at a supply of x: gain - fall x.
    gain = plant.take_w + plant.room_w + room_fans + pumps + inertia * plant.supply_c
    fall = inertia - plant.slope_w_k
    x = plant.set_c
    out = gain - fall * x
    if out <= 0.0:
        x, out = gain / fall, 0.0
    else:
        x = aim_c(plant, out, fall, dry_c, wet_c)
        out = gain - fall * x
        if out > most_w(plant, out / plant.design_w, x, dry_c, wet_c):
            x = too_warm(plant, x, gain, fall, dry_c, wet_c)
            out = gain - fall * x
    plant.supply_c = x
    work, fans, water, chilled = removal(plant, out, x, dry_c, wet_c)
    plant.heat_w += weight * (heat + room_fans + pumps)
    plant.rejected_w += weight * out
    plant.free_w += weight * (out - chilled)
    plant.chiller_w += weight * work
    plant.fan_w += weight * (fans + plant.row_fan_w + room_fans + plant.house_w * plant.power)
    plant.inside_fan_w += weight * (plant.row_fan_w + room_fans)
    plant.pump_w += weight * (pumps + plant.row_pump_w)
    plant.water_l_s += weight * water
    plant.compressor += weight * chilled / plant.design_w


@compiled
def too_warm(plant: Records, low: float, gain: float, fall: float, dry_c: float, wet_c: float) -> float:
    """Supply above `low` at which what is left, falling with it, is the most that can be removed, rising."""
    high = gain / fall
    for _ in range(HALVINGS):
        x = 0.5 * (low + high)
        out = gain - fall * x
        if out > most_w(plant, out / plant.design_w, x, dry_c, wet_c):
            low = x
        else:
            high = x
    return high
