"""Heat to the air outside without compressors: dry coolers, wetted ones, towers; and their fans.

Each is an exchanger of fixed effectiveness at a fan speed: heat = G (return - ambient), G chosen so that `tower_w` leaves
at `approach_k` between supply and ambient. Towers are driven by the enthalpy of saturated air, whose slope over
temperature falls with the wet bulb: so does their G (a tower of 5 K at 25 C wet bulb has 8 K or more near freezing).
Air moved ~ speed, heat ~ speed^0.85 (an exchanger of some 1.5 transfer units), power of fans ~ speed^2.7.
"""

from __future__ import annotations

import math

from meritorder.compiled import compiled, inlined
from meritorder.facility.plant import CLOSED_TOWER, OPEN_TOWER
from meritorder.records import Records

HEAT_EXPONENT = 0.85
FAN_EXPONENT = 2.7
PAD = 0.75  # of the way from dry to wet bulb that wet pads cool the air [G]
AIR_SIDE = 0.7  # rise of the air as part of return minus ambient, at full speed [G]
_SPAN_K = 10.0  # over which the slope of saturated enthalpy is taken


@inlined
def _saturated_enthalpy(celsius: float) -> float:
    """kJ per kg of dry air at sea level; Magnus' formula, 0.1 % against psychro.py between 0 and 45 C."""
    vapour = 611.2 * math.exp(17.62 * celsius / (243.12 + celsius))
    return 1.006 * celsius + 0.621945 * vapour / (101325.0 - vapour) * (2501.0 + 1.86 * celsius)


@compiled
def saturation_slope(wet_c: float) -> float:
    """kJ/kg/K of saturated air just above the wet bulb."""
    return (_saturated_enthalpy(wet_c + _SPAN_K) - _saturated_enthalpy(wet_c)) / _SPAN_K


@inlined
def is_wet(plant: Records) -> bool:
    return plant.rejection == OPEN_TOWER or plant.rejection == CLOSED_TOWER


@compiled
def conductance_w_k(plant: Records, wet_c: float) -> float:
    """G of all cells that are up, at full fan speed."""
    size = plant.tower_w * plant.power * plant.towers_up / plant.units
    if is_wet(plant):
        size *= saturation_slope(wet_c) / saturation_slope(plant.rated_wet_c)
    return size / (plant.approach_k + plant.primary_k)


@inlined
def fan_power_w(plant: Records, speed: float) -> float:
    """Of all cells at the same part of full speed; drives lose 3 % of the rating when on."""
    rated = plant.fan * plant.tower_w * plant.power * plant.towers_up / plant.units
    return rated * (0.97 * speed**FAN_EXPONENT + 0.03 * min(1.0, 10.0 * speed))


@inlined
def speed_for(part: float) -> float:
    """Fan speed that moves `part` of the heat of full speed."""
    return min(1.0, max(0.0, part)) ** (1.0 / HEAT_EXPONENT)
