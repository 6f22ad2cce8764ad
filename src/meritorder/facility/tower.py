"""Heat to the air outside without compressors: dry coolers, wetted ones, towers; and their fans.

Each is an exchanger of fixed effectiveness at a fan speed, sized so that `tower_w` leaves at `approach_k` between
supply and ambient. Dry coolers are driven by return minus ambient temperature; towers by the enthalpies of saturated
air at return and at wet bulb, so that a tower of 5 K at 25 C wet bulb has 8 K or more near freezing.
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


@compiled
def saturated_enthalpy(celsius: float) -> float:
    """kJ per kg of dry air at sea level; Magnus' formula for the vapour."""
    vapour = 611.2 * math.exp(17.62 * celsius / (243.12 + celsius))
    return 1.006 * celsius + 0.621945 * vapour / (101325.0 - vapour) * (2501.0 + 1.86 * celsius)


@compiled
def saturated_c(enthalpy: float) -> float:
    """The inverse, by Newton's method, for enthalpies of -10 to 80 C."""
    celsius = 25.0
    for _ in range(20):
        value = saturated_enthalpy(celsius)
        slope = (saturated_enthalpy(celsius + 0.01) - value) / 0.01
        ahead = min(80.0, max(-40.0, celsius + (enthalpy - value) / slope))
        if abs(ahead - celsius) < 1e-9:
            break
        celsius = ahead
    return celsius


@inlined
def is_wet(plant: Records) -> bool:
    """Whether heat leaves by evaporation, all of it."""
    return bool(plant.rejection == OPEN_TOWER or plant.rejection == CLOSED_TOWER)


@inlined
def cells(plant: Records) -> float:
    """Part of the sized towers or dry coolers that runs, spares included."""
    return float(plant.power * plant.towers_up / plant.units)


@compiled
def conductance(plant: Records) -> float:
    """Of all cells at full fan speed: W per K, of towers W per kJ/kg."""
    warm = plant.approach_k + plant.primary_k
    if is_wet(plant):
        rated = plant.rated_wet_c
        warm = saturated_enthalpy(rated + warm) - saturated_enthalpy(rated)
    return float(cells(plant) * plant.tower_w / warm)


@inlined
def fan_power_w(plant: Records, speed: float) -> float:
    """Of all cells at the same part of full speed; drives lose 3 % of the rating when on."""
    rated = plant.fan * plant.tower_w * cells(plant)
    return float(rated * (0.97 * speed**FAN_EXPONENT + 0.03 * min(1.0, 10.0 * speed)))


@inlined
def speed_for(part: float) -> float:
    """Fan speed that moves `part` of the heat of full speed."""
    return float(min(1.0, max(0.0, part)) ** (1.0 / HEAT_EXPONENT))
