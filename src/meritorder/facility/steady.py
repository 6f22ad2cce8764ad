"""What a building does without a simulation: PUE by load and weather, the design day, ride-through, losses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any

import numpy as np

from meritorder.facility.build import build_facility
from meritorder.facility.design_day import UNKNOWN_DRY_C, UNKNOWN_WET_C, hours_of_series
from meritorder.facility.plant import COOLANTS
from meritorder.facility.ride_through import ride_through_s
from meritorder.facility.state import HOUR, LIMITS, FacilityState
from meritorder.facility.surroundings.hours import MILD_C
from meritorder.facility.surroundings.series import Series
from meritorder.facility.surroundings.site import surroundings_of
from meritorder.facility.year import at_load
from meritorder.fleet.schema import Fleet
from meritorder.perf.replica import Replica
from meritorder.records import Records, records
from meritorder.units import JOULES_PER_KWH

LOADS = (0.1, 0.25, 0.5, 0.75, 1.0)
MILD_WET_C = 10.8  # at 15 C and 60 % relative humidity
RUNNING = 1e-3  # of full load: compressors count as running above it
_LOSSES = ("transformer", "ups", "distribution", "shelf")


def building_facts(
    fleet: Fleet, replicas: Sequence[Replica], site: str, told: Callable[[float], None] = lambda share: None
) -> dict[str, Any]:
    """All of a site with `facility`, SI units; `told` hears what part of it is done.

    `by_load`: means over the year of the place, or at mild weather where nothing is known of it. `design`: the hour of
    the year (or the weather a building of an unknown place is made for) in which it draws most at full load.
    Ride-through times are at the nameplate in mild weather.
    """
    state = alone(fleet, replicas, site)
    weather = surroundings_of(fleet.sites[site]).weather
    hours = hours_of_series(weather) if weather is not None else _constant(MILD_C, MILD_WET_C)
    years = {}
    for k, load in enumerate(LOADS):
        years[load] = at_load(state, load, hours)
        told((k + 1) / (len(LOADS) + 1))
    full = years[1.0]
    worst = int(np.argmax(full.facility_w))
    extreme = hours[worst : worst + 1] if weather is not None else _constant(UNKNOWN_DRY_C, UNKNOWN_WET_C)
    design = {load: at_load(state, load, extreme)[0] for load in LOADS}
    at_load(state, 1.0, _constant(MILD_C, MILD_WET_C))  # ride-through starts from there
    facts = {
        "climate": fleet.sites[site].weather or None,
        "hours": len(hours) if weather is not None else 0,
        "nameplate_it_w": float(state.sites[0].nameplate_w),
        "by_load": [_mean(load, years[load]) for load in LOADS],
        "design": _design(design, state, full if weather is not None else None),
        "losses": [_losses(load, years[load]) for load in LOADS],
        "by_month": _grouped(weather, years, "month") if weather is not None else [],
        "by_hour": _grouped(weather, years, "hour") if weather is not None else [],
        "power": _power(state),
        "plants": _plants(state),
    }
    told(1.0)
    return facts


def alone(fleet: Fleet, replicas: Sequence[Replica], site: str) -> FacilityState:
    """The state of one site without its series and limits from outside but the grid's, one entry of weather."""
    spec = fleet.sites[site].model_copy(update={"price": "", "carbon": "", "scenarios": (), "demand_response": ()})
    known = surroundings_of(spec).weather
    pools = {name: pool for name, pool in fleet.pools.items() if pool.site == site}
    start = datetime.fromtimestamp(known.start, UTC) if known is not None else fleet.start
    small = fleet.model_copy(update={"sites": {site: spec}, "pools": pools, "start": start})
    mine = [replica for replica, pool in zip(replicas, fleet.pools.values(), strict=True) if pool.site == site]
    return build_facility(small, mine, span_s=1.0, bins=8)


def _constant(dry_c: float, wet_c: float) -> Records:
    hours = records(1, HOUR)
    hours.dry_c[:], hours.wet_c[:] = dry_c, wet_c
    return hours


def _mean(load: float, hours: Records) -> dict[str, Any]:
    it = float(hours.it_w.mean())
    return {
        "load": load,
        "it_w": it,
        "facility_w": float(hours.facility_w.mean()),
        "pue": float(hours.facility_w.mean()) / it,
        "pue_lowest": float((hours.facility_w / hours.it_w).min()),
        "pue_highest": float((hours.facility_w / hours.it_w).max()),
        "wue_l_per_kwh": float(hours.water_l_s.mean()) * JOULES_PER_KWH / it,
        "chiller_w": float(hours.chiller_w.mean()),
        "warm_hours": int(hours.warm.sum()),
        "compressors": {
            coolant: {
                "share_of_hours": float((hours[column] > RUNNING).mean()),
                "full_load_share": float(hours[column].mean()),
            }
            for coolant, column in zip(COOLANTS, ("compressor_air", "compressor_21", "compressor_45"), strict=True)
        },
    }


def _design(design: dict[float, Records], state: FacilityState, full: Records | None) -> dict[str, Any]:
    """The hour that draws most, and the most IT power that the building carries in every hour."""
    hour = design[1.0]
    # the hour that allows least need not be the one that draws most
    least = full[int(np.argmin(full.allowed_it_w))] if full is not None else hour
    bound = isfinite(least.allowed_it_w)
    return {
        "dry_c": float(hour.dry_c),
        "wet_c": float(hour.wet_c),
        "pue": {str(load): float(entry.facility_w / entry.it_w) for load, entry in design.items()},
        "facility_w": float(hour.facility_w),
        "most_it_w": float(least.allowed_it_w if bound else state.sites[0].nameplate_w),
        "binding": LIMITS[int(least.binding)],
        "binding_dry_c": float(least.dry_c) if bound else None,
        "binding_wet_c": float(least.wet_c) if bound else None,
    }


def _losses(load: float, hours: Records) -> dict[str, Any]:
    it = float(hours.it_w.mean())
    parts = {name: float(hours[f"{name}_w"].mean()) for name in _LOSSES}
    return {"load": load, **parts, "cooling": float(hours.cooling_w.mean()), "share_of_it": sum(parts.values()) / it}


def _grouped(weather: Series, years: dict[float, Records], unit: str) -> list[dict[str, Any]]:
    """Mean PUE by month of the year or hour of the day (UTC), at every load, with the mean weather."""
    moments = (weather.start + weather.step_s * np.arange(len(weather.values))).astype("datetime64[s]")
    if unit == "month":
        key = moments.astype("datetime64[M]").astype(int) % 12 + 1
    else:
        key = moments.astype("datetime64[h]").astype(int) % 24
    result = []
    for value in np.unique(key):
        here = key == value
        pue = {str(load): float(h.facility_w[here].sum() / h.it_w[here].sum()) for load, h in years.items()}
        full = years[1.0][here]
        entry = {unit: int(value), "dry_c": float(full.dry_c.mean()), "wet_c": float(full.wet_c.mean()), "pue": pue}
        result.append(entry)
    return result


def _power(state: FacilityState) -> dict[str, Any]:
    """The electrical path: sizes, and how long its batteries last at the nameplate."""
    train = state.trains[0]
    drawn = float(train.critical_w + train.ups_loss_w)
    return {
        "critical_w": float(train.capacity_w),
        "ups_module_w": float(train.module_w),
        "ups_modules": int(train.modules),
        "feeds": int(train.feeds),
        "feed_w": float(train.feed_w),
        "grid_w": float(state.sites[0].grid_limit_w) if isfinite(state.sites[0].grid_limit_w) else None,
        "generator_w": float(train.generator_w),
        "generator_start_s": float(train.generator_start_s) if train.generator_w else None,
        "ups_ride_through_s": float(train.battery_j) / drawn if drawn else None,
        "storage_j": float(train.storage_j),
    }


def _plants(state: FacilityState) -> list[dict[str, Any]]:
    """Each plant with the seconds until its machines are too warm after a loss at the nameplate in mild weather."""
    result = []
    for index, plant in enumerate(state.plants):
        rows = state.rows[state.rows.plant == index]
        loss = {}
        if len(rows):
            row = rows[int(np.argmin(rows.limit_c))]
            seconds = {name: ride_through_s(plant, row, name) for name in ("cdu", "pump", "rejection")}
            loss = {name: value if isfinite(value) else None for name, value in seconds.items()}
        result.append(
            {
                "coolant": COOLANTS[int(plant.coolant)],
                "rows": len(rows),
                "design_w": float(plant.design_w),
                "chillers": int(plant.chillers) != 0,
                "ride_through_s": loss,
            }
        )
    return result
