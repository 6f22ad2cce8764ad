"""Plants and loops as they are built: sizes from the heat they carry and the weather of the place.

What the fleet file doesn't say is from the tables here: figures per watt of design heat, by class of coolant and by
what rejects the heat. Sources: [A] approach, median of 6,730 models, and 0.012-0.021 W fans per W of open towers
(Energies 2023, 16(9), 3661); [C] flows of CS-3 (4 L/min/kW) and NVL72 (1.5 L/min/kW); [F] 8.5 kW of pump for 0.84 MW
a CDU (Frontier); [G] guesses; [T] tuned so that annual PUE falls into published bands (docs/facility.md says which).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from meritorder.facility.chiller import capacity_of
from meritorder.facility.loop import row_stored_j
from meritorder.facility.plant import CHILLERS, COOLANTS, NO_CHILLERS, REJECTIONS, WATER_COOLED
from meritorder.facility.removal import condenser_c, most_w, mover_w, pumps_w
from meritorder.facility.tower import PAD, is_wet, saturated_enthalpy
from meritorder.fleet.cooling import Coolant, Plant
from meritorder.records import Records


class Class(NamedTuple):
    """What loops of one class of coolant are like; see PLANT for units."""

    limit_c: float
    supply_c: float
    plate_j_k: float
    secondary_s: float  # time in which the coolant goes round (air: the room's air and what it touches)
    primary_s: float
    plant_s: float
    plate_k: float
    secondary_k: float
    exchange_k: float
    primary_k: float
    mover: float
    flow_floor: float
    pump: float
    house: float


CLASSES: dict[Coolant, Class] = {
    # ASHRAE's recommended limit of 27 C; heat sinks and chassis of 80 kJ/K for 10 kW [G]; coils 6 K [G]; fans [T].
    "air": Class(27.0, 25.0, 8.0, 60.0, 40.0, 180.0, 30.0, 12.0, 6.0, 8.0, 0.06, 0.4, 0.012, 0.01),
    # Flow [C]: 3.6 K; CDU 4 K [G]; cold plates and water in them [G].
    "liquid-21c": Class(21.0, 21.0, 1.5, 25.0, 40.0, 180.0, 10.0, 3.6, 4.0, 5.0, 0.012, 0.4, 0.014, 0.01),
    # Flow [C]: 9.6 K.
    "liquid-45c": Class(45.0, 40.0, 1.0, 25.0, 40.0, 180.0, 15.0, 9.6, 4.0, 10.0, 0.010, 0.4, 0.010, 0.01),
}
# Approach (K) [A] and fans (W per W) by what rejects the heat.
APPROACH_K = {"dry-cooler": 10.0, "adiabatic": 10.0, "tower": 5.0, "closed-tower": 6.5}
FANS = {"dry-cooler": 0.025, "adiabatic": 0.025, "tower": 0.014, "closed-tower": 0.020}
TOWER_PUMP = 0.012  # to the towers and back
COP = {"none": 1.0, "air-cooled": 2.8167, "water-cooled": 5.53}  # of the machines whose curves are in chiller.py
WARMEST_RATING_C = 25.6  # wet bulb at which towers are rated (CTI 78 F), where nothing asks for a cooler one
MARGIN_K = 1.0  # below the limit at which compressors start
WORK = 0.2  # compressors' heat that towers carry besides on the hottest days


def fill_plant(
    plant: Records, spec: Plant, coolant: Coolant, design_w: float, weather: Records, lowest_c: float = math.inf
) -> None:
    """Size the plant for `design_w` of heat at the hottest hour of `weather` (records with dry_c, wet_c).

    `lowest_c`: warmest supply that all machines take, where some take less than their class.
    """
    kind = CLASSES[coolant]
    limit_c = min(kind.limit_c, lowest_c)
    plant.coolant = COOLANTS.index(coolant)
    plant.rejection = REJECTIONS.index(spec.rejection)
    plant.economiser = int(spec.economiser)
    plant.design_w = spec.design_load or design_w
    supply = min(kind.supply_c, limit_c) if spec.supply is None else spec.supply
    plant.limit_c = max(limit_c, supply)
    plant.set_c = supply - kind.exchange_k
    plant.warm_c = max(float(plant.set_c), float(plant.limit_c) - kind.exchange_k - MARGIN_K)
    plant.units = spec.units
    plant.chillers_up = plant.pumps_up = plant.towers_up = spec.units + spec.spare_units
    plant.power = plant.ups_power = 1.0
    _loops(plant, kind)
    plant.mover = kind.mover if spec.loop_power is None else spec.loop_power
    plant.pump = kind.pump if spec.pump_power is None else spec.pump_power
    plant.tower_pump = TOWER_PUMP
    plant.approach_k = APPROACH_K[spec.rejection] if spec.approach is None else spec.approach
    plant.rated_wet_c = min(WARMEST_RATING_C, plant.set_c - plant.approach_k) if spec.economiser else WARMEST_RATING_C
    plant.fan = FANS[spec.rejection] if spec.fan_power is None else spec.fan_power
    plant.cycles = spec.cycles
    plant.house_w = plant.design_w * (kind.house if spec.house_power is None else spec.house_power)
    plant.tower_w = plant.design_w
    dry, wet = design_hour(plant, weather)
    chillers = spec.chillers
    if chillers is None:
        cool_enough = _without_chillers(plant, dry, wet) >= _with_pumps_w(plant)
        chillers = "none" if cool_enough else "water-cooled" if is_wet(plant) else "air-cooled"
    _size_chillers(plant, CHILLERS.index(chillers), dry, wet)
    plant.cop = COP[chillers] if spec.cop is None else spec.cop
    plant.supply_c = plant.set_c


def design_hour(plant: Records, weather: Records) -> tuple[float, float]:
    """Dry and wet bulb of the hour that is hardest for this plant."""
    dry, wet = np.asarray(weather.dry_c, np.float64), np.asarray(weather.wet_c, np.float64)
    ambient = wet if is_wet(plant) else dry
    if REJECTIONS[plant.rejection] == "adiabatic":
        ambient = dry - PAD * (dry - wet)
    worst = int(np.argmax(ambient))
    return float(dry[worst]), float(wet[worst])


def fill_loops(rows: Records, plants: Records) -> None:
    """Rows at the temperatures of a plant that has just been switched on; the heat in all of it."""
    for plant in plants:
        plant.stored_j = plant.water_j_k * plant.supply_c
    for row in rows:
        if row.plant < 0:
            continue
        plant = plants[row.plant]
        row.primary_c = plant.supply_c
        row.secondary_c = row.cold_plate_c = plant.supply_c + 0.5 * plant.exchange_k
        row.flow = row.stretch = 1.0
        plant.stored_j += row_stored_j(plant, row)


def _loops(plant: Records, kind: Class) -> None:
    plant.plate_k, plant.secondary_k = kind.plate_k, kind.secondary_k
    plant.exchange_k, plant.primary_k = kind.exchange_k, kind.primary_k
    plant.flow_floor = kind.flow_floor
    plant.plate_j_k = kind.plate_j_k
    plant.secondary_j_k = kind.secondary_s / kind.secondary_k
    plant.primary_j_k = kind.primary_s / kind.primary_k
    plant.water_j_k = plant.design_w * kind.plant_s / kind.primary_k
    plant.plate_ntu = -math.log(1 - kind.secondary_k / kind.plate_k)
    smaller, larger = sorted((kind.secondary_k, kind.primary_k))
    plant.exchange_ntu = transfer_units(larger / (kind.exchange_k + kind.secondary_k), smaller / larger)


def transfer_units(effectiveness: float, ratio: float) -> float:
    """NTU of a counterflow exchanger of that effectiveness, the inverse of `loop.effectiveness`."""
    if ratio > 1.0 - 1e-6:
        return effectiveness / (1.0 - effectiveness)
    return math.log((1.0 - effectiveness * ratio) / (1.0 - effectiveness)) / (1.0 - ratio)


def _without_chillers(plant: Records, dry_c: float, wet_c: float) -> float:
    plant.chillers = NO_CHILLERS
    return most_w(plant, 1.0, plant.limit_c - plant.exchange_k, dry_c, wet_c)


def _with_pumps_w(plant: Records) -> float:
    """Heat at full load, pumps and room fans included."""
    return float(plant.design_w + mover_w(plant, 1.0) * plant.design_w + pumps_w(plant, 1.0))


def _enthalpy_rise(plant: Records, wet_c: float = WARMEST_RATING_C) -> float:
    """What drives a tower at its approach, kJ/kg: where free cooling ends, or at the hottest wet bulb of its rating."""
    return saturated_enthalpy(wet_c + plant.approach_k + plant.primary_k) - saturated_enthalpy(wet_c)


def _size_chillers(plant: Records, kind: int, dry_c: float, wet_c: float) -> None:
    plant.chillers = kind
    if kind == NO_CHILLERS:
        return
    entering = dry_c
    if kind == WATER_COOLED:
        plant.tower_w *= max(1.0, (1.0 + WORK) * _enthalpy_rise(plant, plant.rated_wet_c) / _enthalpy_rise(plant))
        entering = condenser_c(plant, plant.tower_w, 1.0, wet_c)
    plant.unit_w = _with_pumps_w(plant) / plant.units / capacity_of(kind, plant.set_c, entering)
