"""`PLANT`: what cools the loops of one class of coolant at one site."""

from __future__ import annotations

import numpy as np

COOLANTS = ("air", "liquid-21c", "liquid-45c")
(AIR, LIQUID_21, LIQUID_45) = range(len(COOLANTS))

PLANT = np.dtype(
    [
        ("site", "i4"),
        ("coolant", "i4"),  # index into COOLANTS
        ("air_plant", "i4"),  # of its site
        ("design_w", "f8"),  # heat that it is built for
        ("units", "i4"),  # pumps, chillers and towers needed for that
        ("chillers_up", "i4"),  # of `units` and spares
        ("pumps_up", "i4"),
        ("towers_up", "i4"),
        # set before each step
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
