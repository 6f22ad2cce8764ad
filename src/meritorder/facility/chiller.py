"""Chillers by EnergyPlus' EIR form: capacity and electricity by temperatures of evaporator and condenser and by load.

`P = capacity cap(Te, Tc) / COP x eir(Te, Tc) x part(load)`, Te water that leaves the evaporator, Tc what enters the
condenser (water, or outdoor air). Coefficients are of machines that EnergyPlus ships (NREL/EnergyPlus, read 2026-11):
* water-cooled: "ElectricEIRChiller Carrier 19XR 1586kW/5.53COP/VSD", datasets/Chillers.idf, the set with the warmest
  evaporator (7.22-12.78 C) among those whose capacity falls with heat throughout (Tc 12.78-26.67 C);
* air-cooled: "AirCooledChillerScrewCmp" of its test of standard ratings (COP 2.82, condenser fans included; Te 4.44 to
  10 C, capacity for Tc 23.89-46.11 C; its eir turns upwards below 17 C, so that 18 C is the lower end).
Outside, temperatures are held at the end of the fitted range, but for two cases that matter here and where holding them
would flatter or punish: a warmer evaporator (data centres want 17 C, not 7 C) and a hotter condenser. There the part of
Carnot's efficiency at the end of the range is kept, and capacity goes on falling along its slope in Tc.
"""

from __future__ import annotations

import math

from meritorder.compiled import compiled, inlined
from meritorder.facility.plant import AIR_COOLED
from meritorder.records import Records

KELVIN = 273.15
LEAST_CAPACITY = 0.05  # of the reference, however hot
LEAST_LIFT = 0.5  # of that at the end of the fitted range
# Part load below which a machine runs on and off, at unchanged efficiency.
_LEAST_AIR, _LEAST_WATER = 0.25, 0.19
# Best part load: electricity per heat is least there.
_BEST_AIR, _BEST_WATER = 0.25, 0.4558
# Refrigerant above what enters the condenser plus below what leaves the evaporator, K.
_GAP_AIR, _GAP_WATER = 18.0, 11.0


@inlined
def _held(x: float, low: float, high: float) -> float:
    return min(max(x, low), high)


@compiled
def capacity_of(kind: int, te: float, tc: float) -> float:
    """Capacity as part of the reference: falls with a hotter condenser, rises with a warmer evaporator."""
    if kind == AIR_COOLED:
        e, c = _held(te, 4.44, 10.0), _held(tc, 23.89, 46.11)
        part = 0.98898813 + e * (0.036832851 + 0.000174006 * e) + c * (-0.000275634 - 0.000143667 * c)
        part -= 0.000246286 * e * c
        slope = -0.000275634 - 2 * 0.000143667 * c - 0.000246286 * e
        beyond = max(0.0, tc - 46.11)
    else:
        e, c = _held(te, 7.22, 12.78), _held(tc, 12.78, 26.67)
        part = 1.119233 + e * (0.01130501 - 0.0006423802 * e) + c * (-0.005144512 - 0.0003085995 * c)
        part += 0.0007813582 * e * c
        slope = -0.005144512 - 2 * 0.0003085995 * c + 0.0007813582 * e
        beyond = max(0.0, tc - 26.67)
    return max(LEAST_CAPACITY, part + slope * beyond)


@compiled
def eir_of(kind: int, te: float, tc: float) -> float:
    """Electricity per heat at full load, in parts of the reference: rises with the condenser's temperature."""
    if kind == AIR_COOLED:
        e, c, gap = _held(te, 4.44, 10.0), _held(tc, 18.0, 46.11), _GAP_AIR
        eir = 0.814058418 + e * (0.002335553 + 0.000817786 * e) + c * (-0.017129784 + 0.000773288 * c)
        eir -= 0.000922024 * e * c
    else:
        e, c, gap = _held(te, 7.22, 12.78), _held(tc, 12.78, 26.67), _GAP_WATER
        eir = 1.110611 + e * (-0.03795765 + 0.0002851444 * e) + c * (-0.004560404 + 0.0004044229 * c)
        eir += 0.0001407332 * e * c
    warm = max(te, e)  # held only from below: colder than fitted is never asked for
    hot = max(tc, c)
    fitted = c + gap - e
    lift = max(hot + gap - warm, LEAST_LIFT * fitted)
    return eir * lift / fitted * (e + KELVIN) / (warm + KELVIN)


@inlined
def _part(kind: int, load: float) -> float:
    if kind == AIR_COOLED:
        low = max(load, _LEAST_AIR)
        return (-0.08117804 + low * (1.433532026 + low * (-0.762289434 + 0.412199944 * low))) * (load / low)
    low = max(load, _LEAST_WATER)
    return (0.1996379 + low * (-0.1612021 + 0.9608483 * low)) * (load / low)


@compiled
def chiller_power(plant: Records, heat_w: float, te: float, tc: float) -> float:
    """Electricity of as many equal chillers as need least; `heat_w` is no more than all that are up can take."""
    if heat_w <= 0.0:
        return 0.0
    kind = plant.chillers
    one = plant.unit_w * capacity_of(kind, te, tc)
    most = max(1, plant.chillers_up)
    wanted = heat_w / (one * (_BEST_AIR if kind == AIR_COOLED else _BEST_WATER))
    least = math.ceil(heat_w / one * (1 - 1e-12))
    first = min(max(math.floor(wanted), least, 1), most)
    second = min(first + 1, most)
    a = first * _part(kind, heat_w / (first * one))
    b = second * _part(kind, heat_w / (second * one))
    return float(one / plant.cop * eir_of(kind, te, tc) * min(a, b))
