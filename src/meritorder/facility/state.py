"""`FacilityState`: every site's building in flat arrays; `facility_step` moves all of them on by one step.

Powers are watts, temperatures degrees Celsius, heat capacities J/K. "IT" is what machines draw at their plugs, host and
fans included; "facility" is all that the site uses: IT, electrical losses and cooling; "grid" is what its meter sees:
facility power less what generators and batteries give.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from meritorder.records import Records

SITE = np.dtype(
    [
        ("constant_pue", "f8"),  # > 0: nothing is known of the building but this; 0: it is computed
        ("grid_limit_w", "f8"),  # grid watts by contract; infinity: none
        ("it_limit_w", "f8"),  # IT watts by the fleet file; infinity: none
        ("hours", "i8"),  # offset of its hours in `hours`
        ("count", "i8"),  # so many of them, which repeat
        ("first", "f8"),  # entries into them at the run's time 0, with fraction
        ("step_s", "f8"),  # seconds of an entry
        ("first_row", "i8"),  # rows and plants stand in the order of sites
        ("row_count", "i8"),
        ("first_plant", "i8"),  # a site with a building has an air plant, and it comes first
        ("plant_count", "i8"),
        ("nameplate_w", "f8"),  # IT power of all its machines at their most
        ("asked_w", "f8"),  # grid watts that the grid asks to keep to now, set by the controller; infinity: none
        # now (of the last step)
        ("dry_c", "f8"),
        ("wet_c", "f8"),
        ("usd_per_kwh", "f8"),
        ("kg_per_kwh", "f8"),
        ("it_w", "f8"),
        ("facility_w", "f8"),
        ("grid_w", "f8"),
        ("generator_w", "f8"),
        ("loss_w", "f8"),  # electrical, grid to machines, batteries' own included
        ("cooling_w", "f8"),  # chillers, pumps, fans
        ("storage_w", "f8"),  # > 0: the site's battery gives, < 0: takes
        ("ups_w", "f8"),  # > 0: the UPS batteries give, < 0: take
        ("unserved_w", "f8"),  # of the step's facility power, what no source gave: rows that drew it are tripped now
        ("marginal_pue", "f8"),  # facility watts of one more IT watt
        ("allowed_it_w", "f8"),  # IT watts that grid, path, weather and faults allow now
        ("binding", "i4"),  # what limits it: index into LIMITS
        # totals of the run
        ("it_j", "f8"),
        ("facility_j", "f8"),
        ("loss_j", "f8"),
        ("cooling_j", "f8"),
        ("water_l", "f8"),
        ("usd", "f8"),
        ("co2_kg", "f8"),
        ("grid_j", "f8"),
        ("generator_j", "f8"),
        ("storage_j", "f8"),  # net of what batteries gave, the UPS's included
        ("peak_w", "f8"),  # of grid power
        ("ramp_w_per_s", "f8"),  # steepest rise of its means over a minute
        ("minute_w", "f8"),  # working memory of that: the last minute's mean (< 0: none yet), and the present one
        ("minute_j", "f8"),
        ("minute_s", "f8"),
    ]
)

LIMITS = ("none", "grid contract", "IT limit", "power path", "cooling", "demand response", "no power", "row busway")
(NO_LIMIT, GRID, IT_LIMIT, PATH, COOLING, DEMAND_RESPONSE, NO_POWER, ROW_LIMIT) = range(len(LIMITS))

AT_LIMIT = 0.95  # a site counts as at its limit from this part of it on

# Bits of `rows.tripped`.
TOO_HOT, UNFED = 1, 2

# A row of racks: one busway, one CDU (or, cooled by air, its air handlers).
ROW = np.dtype(
    [
        ("site", "i4"),
        ("hall", "i4"),  # over all sites
        ("plant", "i4"),
        ("feeds", "u4"),  # bit mask of the site's feeds that it can draw from
        ("limit_w", "f8"),  # of its busway, IT power; infinity: as much as its machines draw
        ("max_w", "f8"),  # nameplate of its machines, IT power
        ("design_w", "f8"),  # heat that its CDU is built for
        ("limit_c", "f8"),  # warmest supply that all of its machines take
        ("idle_w", "f8"),  # of all machines that are up
        ("air_share", "f8"),  # of its heat that goes to the hall's air
        ("it_j", "f8"),  # above idle since the last step: the kernel adds, `facility_step` takes
        ("it_w", "f8"),  # mean of the last step, idle included
        ("heat_w", "f8"),  # the same with losses of its power shelves
        ("overload_s", "f8"),  # heat of its breaker: see `facility/trips.py`
        ("cold_plate_c", "f8"),
        ("secondary_c", "f8"),
        ("primary_c", "f8"),
        ("slope_c", "f8"),  # working memory of a step: slopes of the three in the plant's supply
        ("slope_s", "f8"),
        ("slope_p", "f8"),
        ("flow", "f8"),  # part of its CDU's flow that is left: 1, less with pumps down, 0 without
        ("stretch", "f8"),  # warm machines throttle: their iterations take so many times as long
        ("tripped", "i4"),  # bits TOO_HOT, UNFED: its machines are off
    ]
)

# What one pool took from its sites' buildings; a pool stands at one site.
POOL_USE = np.dtype(
    [
        ("site", "i4"),
        ("idle_w", "f8"),  # of its machines that are up
        ("it_j", "f8"),  # above idle since the last step: the kernel adds, `facility_step` takes
        ("it_total_j", "f8"),  # idle included, of the run
        ("facility_j", "f8"),
        ("usd", "f8"),
        ("co2_kg", "f8"),
        ("water_l", "f8"),
    ]
)

HOUR = np.dtype([("dry_c", "f8"), ("wet_c", "f8"), ("usd_per_kwh", "f8"), ("kg_per_kwh", "f8")])

# What can break (`facility/parts.py`): `target` is the index of a row, a plant or a feed.
# `down`: broken so many times more often than repaired; `left`: of a feed in a brown-out, the part that comes in.
PART = np.dtype([("kind", "i4"), ("site", "i4"), ("target", "i4"), ("down", "i4"), ("left", "f8")])

# Resolution of the series, and the time of the last step.
CLOCK = np.dtype([("bin_s", "f8"), ("now_s", "f8")])

# Which rows the machines of a replica stand in: seats[seat_of[r] : seat_of[r + 1]], shares of what it draws.
SEAT = np.dtype([("row", "i4"), ("share", "f8")])

# Series of every site over time, each [sites, bins]; integrals over the bin but where a unit says otherwise.
FACILITY_SERIES = (
    *("it_j", "facility_j", "grid_j", "generator_j", "storage_j", "loss_j", "chiller_j", "fan_j", "pump_j"),
    *("water_l", "usd", "co2_kg"),
    *("compressor_21_s", "compressor_45_s", "compressor_air_s"),  # share of full load x seconds; of hours: see docs
    *("dry_c_s", "wet_c_s", "supply_21_c_s", "supply_45_c_s", "supply_air_c_s"),
    *("allowed_it_j", "over_s", "seconds"),
    *("at_contract_s", "at_it_limit_s", "at_path_s", "at_cooling_s", "at_response_s", "no_power_s", "at_row_s"),
)
FIRST_AT = FACILITY_SERIES.index("at_contract_s")  # seconds at each of LIMITS[1:]
FACILITY_BIN = np.dtype([(name, "f8") for name in FACILITY_SERIES])


class FacilityState(NamedTuple):
    """All sites. Arrays of a fleet without any building, series or limit are empty, and no steps are made."""

    sites: Records  # SITE
    rows: Records  # ROW
    plants: Records  # PLANT (facility/plant.py)
    trains: Records  # TRAIN [sites] (facility/train.py)
    pools: Records  # POOL_USE
    hours: Records  # HOUR, sites one behind the other
    seat_of: Records  # i8 [replicas + 1]
    seats: Records  # SEAT
    series: Records  # FACILITY_BIN [sites, bins]
    cells: npt.NDArray[np.float64]  # the same memory: [sites, bins, names of FACILITY_SERIES]
    clock: Records  # CLOCK [1]
    parts: Records  # PART
