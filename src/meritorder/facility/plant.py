"""`PLANT`: what cools the loops of one class of coolant at one site, its sizes, its state and what it draws now.

Rows give their heat to water that circulates between the plant and them; the plant cools it to `set_c` if it can:
without compressors by towers or dry coolers, the rest by chillers. What it can't remove stays, and `supply_c` rises.
"""

from __future__ import annotations

import numpy as np

from meritorder.fleet.cooling import Coolant

COOLANTS: tuple[Coolant, ...] = ("air", "liquid-21c", "liquid-45c")
(AIR, LIQUID_21, LIQUID_45) = range(len(COOLANTS))

REJECTIONS = ("dry-cooler", "adiabatic", "tower", "closed-tower")
(DRY_COOLER, ADIABATIC, OPEN_TOWER, CLOSED_TOWER) = range(len(REJECTIONS))

CHILLERS = ("none", "air-cooled", "water-cooled")
(NO_CHILLERS, AIR_COOLED, WATER_COOLED) = range(len(CHILLERS))

PLANT = np.dtype(
    [
        ("site", "i4"),
        ("coolant", "i4"),
        ("rejection", "i4"),
        ("chillers", "i4"),
        ("economiser", "i4"),  # 1: chillers rest where it is cold enough
        # sizes
        ("design_w", "f8"),  # heat that it is built for
        ("set_c", "f8"),  # water to the rows, as wanted
        ("warm_c", "f8"),  # the same, as warm as it may get before compressors run
        ("limit_c", "f8"),  # coolant to the machines, at most
        ("units", "i4"),  # that carry the design load
        ("chillers_up", "i4"),  # spares included, as are the next two
        ("pumps_up", "i4"),
        ("towers_up", "i4"),  # cells of towers or dry coolers
        ("power", "f8"),  # share of 1: chillers and fans have electricity
        ("ups_power", "f8"),  # the same of pumps
        # loops of its rows, per watt of heat that a row's CDU is built for
        ("plate_j_k", "f8"),  # heat capacity of cold plates (air: of machines), J/K per W
        ("secondary_j_k", "f8"),  # of the coolant between them and the CDU (air: of the room)
        ("primary_j_k", "f8"),  # of the row's share of pipes
        ("plate_k", "f8"),  # cold plates above the coolant's supply at full load
        ("secondary_k", "f8"),  # rise of the coolant through the machines
        ("exchange_k", "f8"),  # coolant to the machines above water to the CDU, at full load
        ("primary_k", "f8"),  # rise of the water through the CDU
        ("plate_ntu", "f8"),
        ("exchange_ntu", "f8"),
        ("flow_floor", "f8"),  # least flow of pumps and room fans
        ("mover", "f8"),  # CDU pumps (air: room fans) at full flow, W per W
        # plant
        ("water_j_k", "f8"),  # heat capacity of its water, buffer tanks included, J/K
        ("pump", "f8"),  # its pumps at full load, W per W of design_w
        ("tower_pump", "f8"),  # pumps between chillers or exchangers and towers
        ("tower_w", "f8"),  # heat that all `units` of towers or dry coolers reject at `approach_k`
        ("approach_k", "f8"),  # supply above ambient air (towers: its wet bulb) with tower_w
        ("rated_wet_c", "f8"),  # wet bulb at which towers are rated
        ("fan", "f8"),  # fans of towers or dry coolers at full speed, W per W of tower_w
        ("unit_w", "f8"),  # reference capacity of one chiller
        ("cop", "f8"),  # reference
        ("cycles", "f8"),  # of concentration
        ("house_w", "f8"),  # ventilation, lights and controls of its rooms: always
        # set before each step, for the envelope
        ("rows_w", "f8"),  # heat that comes to it from rows
        ("capacity_w", "f8"),  # heat of rows and rooms that it could remove now
        ("rows_most_w", "f8"),  # the same with all machines at their most
        # state
        ("supply_c", "f8"),
        ("stored_j", "f8"),  # heat content of its water and of all masses of its rows, from 0 C
        # now (means of the last step)
        ("heat_w", "f8"),  # all that came in: of rows, rooms, pumps and room fans
        ("rejected_w", "f8"),
        ("free_w", "f8"),  # of it without compressors
        ("chiller_w", "f8"),  # electricity of chillers
        ("fan_w", "f8"),  # electricity of all fans, `house_w` included
        ("inside_fan_w", "f8"),  # part of it whose heat stays in the loops: fans of rows and rooms
        ("pump_w", "f8"),
        ("water_l_s", "f8"),
        ("compressor", "f8"),  # heat through chillers, as part of design_w
        # working memory of a step
        ("room_w", "f8"),  # heat of rooms and of liquid-cooled rows to the air: to the air plant at once
        ("row_heat_w", "f8"),
        ("take_w", "f8"),
        ("slope_w_k", "f8"),
        ("row_pump_w", "f8"),
        ("row_fan_w", "f8"),
    ]
)
