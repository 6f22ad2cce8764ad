"""What a plant can remove at a supply temperature and weather, and what removing it costs.

Cheap means first: fans faster, then (adiabatic coolers) water on the pads, then compressors for what is left.
"""

from __future__ import annotations

import math

from meritorder.compiled import compiled, inlined
from meritorder.facility.chiller import capacity_of, chiller_power
from meritorder.facility.plant import ADIABATIC, AIR, AIR_COOLED, NO_CHILLERS, WATER_COOLED
from meritorder.facility.tower import (
    AIR_SIDE,
    FAN_EXPONENT,
    HEAT_EXPONENT,
    PAD,
    cells,
    conductance,
    fan_power_w,
    is_wet,
    saturated_c,
    saturated_enthalpy,
    speed_for,
)
from meritorder.facility.water import make_up_l_s
from meritorder.records import Records

HALVINGS = 50
USUAL_COP = 7.0  # of compressors where fans are weighed against them


@inlined
def affinity(flow: float) -> float:
    """Power of pumps and room fans by flow: exponent 2.5, between 2.2 and 2.8 where there is some static head [G]."""
    return flow * flow * math.sqrt(flow)


@inlined
def flow_of(plant: Records, load: float) -> float:
    """Part of full flow that pumps and room fans are set to, at a part of full load."""
    return float(min(1.0, max(load, plant.flow_floor)))


@inlined
def _return_k(plant: Records, load: float) -> float:
    """Rise of the water through the rows; pumps keep it but for loads below the floor."""
    return float(plant.primary_k * min(1.0, load / flow_of(plant, load)))


@compiled
def free_w(plant: Records, load: float, supply_c: float, dry_c: float, wet_c: float, spray: float) -> float:
    """Most heat that leaves without compressors, fans at full speed, pads wetted to the part `spray`."""
    if plant.chillers != NO_CHILLERS and plant.economiser == 0:
        return 0.0
    back_c = supply_c + _return_k(plant, load)
    if is_wet(plant):
        driving = saturated_enthalpy(back_c) - saturated_enthalpy(wet_c)
    else:
        pads = spray * PAD if plant.rejection == ADIABATIC else 0.0
        driving = back_c - dry_c + pads * (dry_c - wet_c)
    return max(0.0, conductance(plant) * driving)


@compiled
def condenser_c(plant: Records, rejected_w: float, speed: float, wet_c: float) -> float:
    """Water from the towers to the condensers."""
    moved = conductance(plant) * speed**HEAT_EXPONENT
    if moved <= 0.0:
        return wet_c + 60.0  # no cells are up: far above what a condenser stands
    back_c = saturated_c(saturated_enthalpy(wet_c) + rejected_w / moved)
    return float(max(wet_c + 1.0, back_c - plant.primary_k * rejected_w / plant.tower_w))


@compiled
def chillers_w(plant: Records, supply_c: float, dry_c: float, wet_c: float) -> float:
    """Most heat through the chillers that are up."""
    if plant.chillers == NO_CHILLERS or plant.chillers_up == 0 or plant.power <= 0.0:
        return 0.0
    entering = dry_c
    if plant.chillers == WATER_COOLED:
        if plant.towers_up == 0:
            return 0.0
        entering = condenser_c(plant, plant.tower_w, 1.0, wet_c)
    capacity = capacity_of(plant.chillers, supply_c, entering)
    return float(plant.chillers_up * plant.unit_w * capacity * plant.power)


@compiled
def most_w(plant: Records, load: float, supply_c: float, dry_c: float, wet_c: float) -> float:
    """Most heat that can be removed at this supply temperature: rises with it, falls with the weather's heat."""
    free = free_w(plant, load, supply_c, dry_c, wet_c, 1.0)
    return free + chillers_w(plant, supply_c, dry_c, wet_c)


@compiled
def worthwhile(plant: Records, heat_w: float, supply_c: float, dry_c: float, wet_c: float) -> float:
    """Fan speed beyond which fans draw more than the compressors that they spare; full where heat has no other way."""
    if plant.chillers == NO_CHILLERS:
        return 1.0
    rated = max(1e-9, plant.fan * plant.tower_w * cells(plant))
    even = (HEAT_EXPONENT * max(heat_w, 0.0) / (FAN_EXPONENT * USUAL_COP * rated)) ** (1.0 / FAN_EXPONENT)
    if even >= 1.0 or heat_w > chillers_w(plant, supply_c, dry_c, wet_c):
        return 1.0
    return float(even)


@compiled
def aim_c(plant: Records, heat_w: float, fall_w_k: float, dry_c: float, wet_c: float) -> float:
    """Supply to aim at: the set point, or as much warmer (to `warm_c`) as spares compressors.

    `heat_w` is to be removed at the set point, and `fall_w_k` less for each kelvin that the water gets warmer.
    """
    low, high = plant.set_c, plant.warm_c
    if plant.chillers == NO_CHILLERS or plant.economiser == 0 or high <= low:
        return float(low)
    if not compressors_run(plant, heat_w, low, dry_c, wet_c):
        return float(low)
    if compressors_run(plant, heat_w - fall_w_k * (high - low), high, dry_c, wet_c):
        return float(high)
    for _ in range(HALVINGS):
        x = 0.5 * (low + high)
        if compressors_run(plant, heat_w - fall_w_k * (x - plant.set_c), x, dry_c, wet_c):
            low = x
        else:
            high = x
    return float(high)


@compiled
def compressors_run(plant: Records, heat_w: float, supply_c: float, dry_c: float, wet_c: float) -> bool:
    """Whether this heat needs some at this supply, with fans no faster than worth while."""
    moved = worthwhile(plant, heat_w, supply_c, dry_c, wet_c) ** HEAT_EXPONENT
    return bool(heat_w > moved * free_w(plant, heat_w / plant.design_w, supply_c, dry_c, wet_c, 1.0))


@compiled
def removal(
    plant: Records, heat_w: float, supply_c: float, dry_c: float, wet_c: float
) -> tuple[float, float, float, float]:
    """Electricity of chillers and of fans (W), water (L/s) and heat through chillers (W) of removing `heat_w`."""
    if heat_w <= 0.0:
        return 0.0, 0.0, 0.0, 0.0
    load = heat_w / plant.design_w
    top = worthwhile(plant, heat_w, supply_c, dry_c, wet_c)
    moved = top**HEAT_EXPONENT
    dry_free = free_w(plant, load, supply_c, dry_c, wet_c, 0.0) * moved
    if dry_free >= heat_w:
        fans = fan_power_w(plant, top * speed_for(heat_w / dry_free))
        water = make_up_l_s(heat_w, plant.cycles) if is_wet(plant) else 0.0
        return 0.0, fans, water, 0.0
    water = 0.0
    free_all = dry_free
    if plant.rejection == ADIABATIC and (plant.chillers == NO_CHILLERS or plant.economiser == 1):
        wet_free = free_w(plant, load, supply_c, dry_c, wet_c, 1.0) * moved
        if wet_free > dry_free:
            spray = min(1.0, (heat_w - dry_free) / (wet_free - dry_free))
            free_all = dry_free + spray * (wet_free - dry_free)
            air_w_k = conductance(plant) / AIR_SIDE * top  # its rise is that part of what drives the heat
            water = make_up_l_s(spray * PAD * (dry_c - wet_c) * air_w_k, plant.cycles)
    if free_all >= heat_w * (1.0 - 1e-12) or plant.chillers == NO_CHILLERS:
        return 0.0, fan_power_w(plant, top), water + _tower_water(plant, heat_w), 0.0
    part = free_all / heat_w
    if plant.chillers == AIR_COOLED:
        # Dry coolers run beside the chillers' own condensers, slower the less they help.
        free = free_all * part**HEAT_EXPONENT
        work = chiller_power(plant, heat_w - free, supply_c, dry_c)
        fans = fan_power_w(plant, top * part) if free > 0.0 else 0.0
        return work, fans, water * part, heat_w - free
    # Towers carry both: at least as fast as their whole load wants, and faster the more of it they take alone.
    work = 0.2 * heat_w
    speed = 1.0
    entering = wet_c
    free = 0.0
    for _ in range(3):
        rejected = heat_w + work
        alone = min(1.0, rejected / (plant.tower_w * cells(plant)))
        speed = min(alone, top) + max(0.0, top - alone) * part
        free = free_all * (speed / top) ** HEAT_EXPONENT
        entering = condenser_c(plant, rejected, speed, wet_c)
        work = chiller_power(plant, heat_w - free, supply_c, entering)
    return work, fan_power_w(plant, speed), _tower_water(plant, heat_w + work), heat_w - free


@inlined
def _tower_water(plant: Records, heat_w: float) -> float:
    return make_up_l_s(heat_w, plant.cycles) if is_wet(plant) else 0.0


@compiled
def mover_w(plant: Records, load: float) -> float:
    """CDU pumps or room fans per watt of what they are built for."""
    return float(plant.mover * affinity(flow_of(plant, load)))


@compiled
def pumps_w(plant: Records, load: float) -> float:
    """The plant's own pumps: those of its water, and those to the towers."""
    if plant.pumps_up == 0:
        return 0.0
    flow = flow_of(plant, load)
    towers = plant.tower_pump if is_wet(plant) else 0.0
    return float(plant.ups_power * plant.design_w * (plant.pump + towers) * affinity(flow))


@compiled
def plant_power(plant: Records, heat_w: float, dry_c: float, wet_c: float) -> tuple[float, float, float, float, float]:
    """Steady: electricity of chillers, fans, pumps (W), water (L/s), heat through chillers / design.

    `heat_w` is of rows and rooms; what pumps and room fans give off is added here.
    """
    load = heat_w / plant.design_w
    mover = mover_w(plant, load) * plant.design_w
    pumps = pumps_w(plant, load)
    total = heat_w + mover + pumps
    supply_c = aim_c(plant, total, 0.0, dry_c, wet_c)
    work, fans, water, chilled = removal(plant, total, supply_c, dry_c, wet_c)
    fans += plant.house_w * plant.power
    if plant.coolant == AIR:
        return work, fans + mover, pumps, water, chilled / plant.design_w
    return work, fans, pumps + mover, water, chilled / plant.design_w


@compiled
def plant_capacity_w(plant: Records, dry_c: float, wet_c: float) -> float:
    """Most heat of rows and rooms at which the machines' coolant stays within its limit, with the units now up."""
    if plant.pumps_up == 0:
        return 0.0
    most = most_w(plant, 1.0, plant.limit_c - plant.exchange_k, dry_c, wet_c)
    own = mover_w(plant, 1.0) * plant.design_w + pumps_w(plant, 1.0)
    return float(max(0.0, min(most - own, plant.design_w * min(1.0, plant.pumps_up / plant.units))))
