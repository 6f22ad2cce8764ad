"""Sites with one plant (or two) and a few rows, without a fleet around them."""

from __future__ import annotations

import numpy as np

from meritorder.facility.plant import AIR, PLANT
from meritorder.facility.sizing import fill_loops, fill_plant
from meritorder.facility.state import CLOCK, HOUR, PART, POOL_USE, ROW, SEAT, SITE, FacilityState
from meritorder.facility.train import TRAIN
from meritorder.fleet.cooling import Coolant, Plant
from meritorder.records import Records, records

MEGAWATT = 1e6


def weather(dry_c: float = 36.0, wet_c: float = 24.0) -> Records:
    """The hottest hour that plants are sized for."""
    hours = records(1, HOUR)
    hours.dry_c[:], hours.wet_c[:] = dry_c, wet_c
    return hours


def one_plant(spec: Plant, coolant: Coolant, design_w: float = 10 * MEGAWATT) -> Records:
    plant = records(1, PLANT)[0]
    fill_plant(plant, spec, coolant, design_w, weather())
    return plant


def site(spec: Plant, coolant: Coolant, rows: int = 10, dry_c: float = 15.0, wet_c: float = 11.0) -> FacilityState:
    """A site of rows of 1 MW on one plant, with an air plant for their residual heat unless they are cooled by air."""
    sites, trains, row = records(1, SITE), records(1, TRAIN), records(rows, ROW)
    plants = records(1 if coolant == "air" else 2, PLANT)
    sites.row_count[:], sites.plant_count[:] = rows, len(plants)
    sites.dry_c[:], sites.wet_c[:] = dry_c, wet_c
    fill_plant(plants[-1], spec, coolant, rows * MEGAWATT, weather())
    if len(plants) == 2:
        room = Plant(rejection="tower", chillers="water-cooled")
        fill_plant(plants[0], room, "air", 0.2 * rows * MEGAWATT, weather())
    row.plant[:] = len(plants) - 1
    row.air_share[:] = 1.0 if plants[-1].coolant == AIR else 0.1
    row.design_w[:] = row.limit_w[:] = row.max_w[:] = MEGAWATT
    row.limit_c[:] = plants[-1].limit_c
    fill_loops(row, plants)
    empty = np.zeros(1, np.int64)
    series = np.zeros((1, 0, 0))
    return FacilityState(
        sites=sites,
        rows=row,
        plants=plants,
        trains=trains,
        pools=records(0, POOL_USE),
        hours=weather(),
        seat_of=empty,
        seats=records(0, SEAT),
        series=series,
        cells=series,
        clock=records(1, CLOCK),
        parts=records(0, PART),
    )
