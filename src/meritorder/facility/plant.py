"""`PLANT`: what cools the loops of one class of coolant at one site."""

from __future__ import annotations

import numpy as np

from meritorder.fleet.cooling import Plant
from meritorder.records import Records

COOLANTS = ("air", "liquid-21c", "liquid-45c")
(AIR, LIQUID_21, LIQUID_45) = range(len(COOLANTS))

PLANT = np.dtype(
    [
        ("site", "i4"),
        ("coolant", "i4"),  # index into COOLANTS
        ("air_plant", "i4"),  # of its site
        ("chillers", "i4"),  # kind, 0: none
        ("design_w", "f8"),  # heat that it is built for
        ("units", "i4"),  # pumps, chillers and towers needed for that
        ("chillers_up", "i4"),  # of `units` and spares
        ("pumps_up", "i4"),
        ("towers_up", "i4"),
        # set before each step
        ("rows_w", "f8"),  # heat that comes to it from rows
        ("rows_most_w", "f8"),  # the same with all machines at their most
        ("power", "f8"),  # part of the step in which fans and chillers had power
        ("ups_power", "f8"),  # the same of pumps, which hang on the UPS
        # now (of the last step)
        ("heat_w", "f8"),  # that came in, pumps' own included
        ("rejected_w", "f8"),
        ("stored_j", "f8"),  # heat in its masses and in those of its rows
        ("supply_c", "f8"),
        ("chiller_w", "f8"),
        ("fan_w", "f8"),
        ("pump_w", "f8"),
        ("water_l_s", "f8"),
        ("compressor", "f8"),  # part of the full load of its compressors
    ]
)


def fill_plant(plant: Records, spec: Plant, coolant: str, design_w: float) -> None:
    """Sizes and state of a plant."""
    plant.design_w, plant.units = design_w, spec.units
    plant.pumps_up = plant.towers_up = plant.chillers_up = spec.units + spec.spare_units
    plant.supply_c = {"air": 25.0, "liquid-21c": 19.0, "liquid-45c": 40.0}[coolant]


def fill_loops(rows: Records, plant: Records) -> None:
    """Temperatures of its rows."""
    rows.secondary_c[:] = rows.primary_c[:] = rows.cold_plate_c[:] = plant.supply_c
