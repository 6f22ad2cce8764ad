"""Cooling of one site: heat from its rows into the air outside."""

from __future__ import annotations

from meritorder.compiled import compiled
from meritorder.facility.state import FacilityState
from meritorder.records import Records

CHILLER, FAN, PUMP = 0.05, 0.03, 0.02  # watts per watt of heat


@compiled
def cool(facility: FacilityState, site: int, dt: float) -> None:
    """Move the site's plants on by `dt` seconds."""
    s = facility.sites[site]
    for p in range(s.first_plant, s.first_plant + s.plant_count):
        facility.plants[p].heat_w = 0.0
    if s.plant_count:
        facility.plants[s.first_plant].heat_w += facility.trains[site].room_w
    for r in range(s.first_row, s.first_row + s.row_count):
        row = facility.rows[r]
        facility.plants[row.plant].heat_w += row.heat_w * (1.0 - row.air_share)
        facility.plants[s.first_plant].heat_w += row.heat_w * row.air_share
    for p in range(s.first_plant, s.first_plant + s.plant_count):
        plant = facility.plants[p]
        chiller, fan, pump, water, compressor = plant_power(plant, plant.heat_w, s.dry_c, s.wet_c)
        plant.chiller_w, plant.fan_w, plant.pump_w = chiller * plant.power, fan * plant.power, pump * plant.ups_power
        plant.water_l_s, plant.compressor = water, compressor
        plant.heat_w += plant.pump_w
        plant.rejected_w = plant.heat_w


@compiled
def plant_power(plant: Records, heat_w: float, dry_c: float, wet_c: float) -> tuple[float, float, float, float, float]:
    """Steady watts of chillers, fans and pumps, litres of water a second, part of full compressor load."""
    return CHILLER * heat_w, FAN * heat_w, PUMP * heat_w, 0.0, 0.0


@compiled
def plant_capacity_w(plant: Records, dry_c: float, wet_c: float) -> float:
    """Most heat at which supply stays within its limit, with the units that are up."""
    return float(plant.design_w * min(1.0, plant.pumps_up / max(plant.units, 1)))
