"""A building at a steady IT load under a sequence of weather: the very steps of a simulation, an hour each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from meritorder.compiled import compiled
from meritorder.facility.plant import AIR, LIQUID_21, LIQUID_45
from meritorder.facility.state import FacilityState
from meritorder.facility.step import facility_step
from meritorder.records import Records, records

STEP_S = 3600.0
SETTLING = 4  # steps at the first hour's weather, which are not told

HOUR_OF_YEAR = np.dtype(
    [
        *((name, "f8") for name in ("dry_c", "wet_c", "it_w", "facility_w", "cooling_w", "chiller_w")),
        *((name, "f8") for name in ("transformer_w", "ups_w", "distribution_w", "shelf_w", "water_l_s")),
        *((name, "f8") for name in ("compressor_21", "compressor_45", "compressor_air")),
        ("allowed_it_w", "f8"),
        ("binding", "i4"),
        ("warm", "i4"),  # 1: machines get coolant above their limit
    ]
)


def at_load(facility: FacilityState, load: float, weather: Records) -> Records:
    """HOUR_OF_YEAR for each hour of `weather` (HOUR) with every row of the one site at `load` of its nameplate."""
    hours = records(len(weather), HOUR_OF_YEAR)
    facility.sites[0].count, facility.sites[0].hours = 1, 0
    first = np.repeat(weather[:1], SETTLING).view(np.recarray)
    dry, wet = (np.ascontiguousarray(weather[name], np.float64) for name in ("dry_c", "wet_c"))
    _through(facility, load, first.dry_c.copy(), first.wet_c.copy(), records(SETTLING, HOUR_OF_YEAR))
    _through(facility, load, dry, wet, hours)
    return hours


@compiled
def _through(
    facility: FacilityState, load: float, dry: npt.NDArray[np.float64], wet: npt.NDArray[np.float64], hours: Records
) -> None:
    s = facility.sites[0]
    train = facility.trains[0]
    for k in range(len(hours)):
        facility.hours[0].dry_c, facility.hours[0].wet_c = dry[k], wet[k]
        for r in range(len(facility.rows)):
            row = facility.rows[r]
            row.it_j = (load * row.max_w - row.idle_w) * STEP_S
        facility_step(facility, facility.clock[0].now_s + STEP_S, STEP_S)
        hour = hours[k]
        hour.dry_c, hour.wet_c = dry[k], wet[k]
        hour.it_w, hour.facility_w, hour.cooling_w = s.it_w, s.facility_w, s.cooling_w
        hour.transformer_w, hour.ups_w = train.transformer_loss_w, train.ups_loss_w
        hour.distribution_w, hour.shelf_w = train.distribution_loss_w, train.shelf_loss_w
        hour.allowed_it_w, hour.binding = s.allowed_it_w, s.binding
        for p in range(len(facility.plants)):
            plant = facility.plants[p]
            hour.water_l_s += plant.water_l_s
            hour.chiller_w += plant.chiller_w
            if plant.coolant == LIQUID_21:
                hour.compressor_21 = plant.compressor
            elif plant.coolant == LIQUID_45:
                hour.compressor_45 = plant.compressor
            elif plant.coolant == AIR:
                hour.compressor_air = plant.compressor
        for r in range(len(facility.rows)):
            if facility.rows[r].stretch > 1.0:
                hour.warm = 1
