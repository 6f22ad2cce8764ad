"""Loops of rows: cold plates, the coolant between them and the CDU, the row's share of pipes to the plant.

Three lumped masses a row, warmed by its machines and cooled through exchangers of fixed size (eps-NTU):
* `C_c dT_c/dt = Q - q_c`, `q_c = e_c W_s (T_c - T_s)`: cold plates; `T_s` is the coolant's supply to the machines;
* `C_s dT_s/dt = q_c - q_x + pump`, `q_x = e_x W_min (T_r - T_p)`, `T_r = T_s + q_c / W_s`: return, through the CDU;
* `C_p dT_p/dt = W_p (x - T_p)`, `x` the plant's supply; the plant takes `q_x + W_p (T_p - x)`.
Air is the same with other numbers: heat sinks, the room's air, coils. Flows follow the load down to a floor.

Steps are implicit Euler: exact in energy, stable at any length, first order in time. Temperatures at the end of a step
are linear in the plant's supply at its end, so that all rows of a plant and the plant itself are solved together.
"""

from __future__ import annotations

import math

from meritorder.compiled import inlined
from meritorder.facility.plant import AIR
from meritorder.facility.removal import affinity, flow_of
from meritorder.records import Records


@inlined
def effectiveness(ntu: float, ratio: float) -> float:
    """Of a counterflow exchanger; `ratio` of the smaller to the larger heat capacity flow."""
    if ratio > 1.0 - 1e-6:
        return ntu / (1.0 + ntu)
    e = math.exp(-ntu * (1.0 - ratio))
    return (1.0 - e) / (1.0 - ratio * e)


@inlined
def turbulent(flow: float) -> float:
    """Conductance of a plate at part of full flow: flow^0.75 (plates 0.65 to 0.8), written with roots for speed."""
    root = math.sqrt(flow)
    return root * math.sqrt(root)


@inlined
def exchange(plant: Records, design_w: float, secondary: float, primary: float) -> tuple[float, float, float, float]:
    """Of a row at these parts of full flow: `W_s`, `e_c`, conductance `e_x W_min`, `W_p` (W/K)."""
    w_s = design_w / plant.secondary_k * secondary
    w_p = design_w / plant.primary_k * primary
    if w_s <= 0.0:
        return 0.0, 0.0, 0.0, w_p
    e_c = 1.0 - math.exp(-plant.plate_ntu / math.sqrt(math.sqrt(secondary)))
    if w_p <= 0.0:
        return w_s, e_c, 0.0, 0.0
    # Both sides resist alike at full flow.
    ua = 2.0 / (1.0 / turbulent(secondary) + 1.0 / turbulent(primary))
    full = design_w / max(plant.secondary_k, plant.primary_k)
    smaller = min(w_s, w_p)
    ratio = smaller / max(w_s, w_p)
    return w_s, e_c, effectiveness(plant.exchange_ntu * ua * full / smaller, ratio) * smaller, w_p


@inlined
def own_w(plant: Records, row: Records) -> float:
    """Heat that leaves through the row's own loop; the rest goes to the room, that is, to the air plant."""
    return float(row.heat_w if plant.coolant == AIR else row.heat_w * (1.0 - row.air_share))


@inlined
def begin_row(plant: Records, row: Records, h: float) -> None:
    """First half of a step of `h` seconds: the row's temperatures as if the plant supplied 0 C, and their slopes in it.

    Adds to the plant's working memory: heat that it takes then, its slope, watts of the row's pump or room fan.
    """
    heat = own_w(plant, row)
    size = row.design_w
    wanted = flow_of(plant, heat / size)
    if felt_c(plant, row) > row.limit_c:
        wanted = 1.0
    powered = plant.ups_power if plant.coolant != AIR else plant.power
    secondary = min(wanted, row.flow) * powered
    primary = min(wanted, plant.pumps_up / plant.units) * plant.ups_power
    w_s, e_c, g_x, w_p = exchange(plant, size, secondary, primary)
    mover = plant.mover * size * affinity(secondary)
    c_c, c_s, c_p = (plant.plate_j_k * size / h, plant.secondary_j_k * size / h, plant.primary_j_k * size / h)
    g_c = e_c * w_s
    back = g_c - g_x * e_c
    row.slope_p = w_p / (c_p + w_p)
    primary_c = c_p * row.primary_c / (c_p + w_p)
    a = c_c * row.cold_plate_c + heat
    b = c_c + g_c
    k = c_s + g_c + g_x * (1.0 - e_c) - back * g_c / b
    row.slope_s = g_x * row.slope_p / k
    secondary_c = (c_s * row.secondary_c + mover + back * a / b + g_x * primary_c) / k
    row.slope_c = g_c * row.slope_s / b
    plate_c = (a + g_c * secondary_c) / b
    through = g_x * (secondary_c + e_c * (plate_c - secondary_c) - primary_c) + w_p * primary_c
    slope = g_x * (row.slope_s + e_c * (row.slope_c - row.slope_s) - row.slope_p) + w_p * (row.slope_p - 1.0)
    row.cold_plate_c, row.secondary_c, row.primary_c = plate_c, secondary_c, primary_c
    plant.take_w += through
    plant.slope_w_k += slope
    plant.row_heat_w += heat + mover
    if plant.coolant != AIR:
        plant.row_pump_w += mover
    else:
        plant.row_fan_w += mover


@inlined
def end_row(plant: Records, row: Records) -> None:
    """Second half: the plant's supply is known."""
    row.cold_plate_c += row.slope_c * plant.supply_c
    row.secondary_c += row.slope_s * plant.supply_c
    row.primary_c += row.slope_p * plant.supply_c


@inlined
def row_stored_j(plant: Records, row: Records) -> float:
    """Heat content of the row's masses, from 0 C."""
    content = plant.plate_j_k * row.cold_plate_c + plant.secondary_j_k * row.secondary_c
    return float(row.design_w * (content + plant.primary_j_k * row.primary_c))


@inlined
def felt_c(plant: Records, row: Records) -> float:
    """What the machines feel as supply: the coolant's, or what their cold plates stand for when it does not flow."""
    return float(max(row.secondary_c, row.cold_plate_c - plant.plate_k))
