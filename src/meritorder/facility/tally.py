"""Adding a step to the totals of site and pools, and to the site's series."""

from __future__ import annotations

from meritorder.compiled import compiled, inlined
from meritorder.facility.plant import AIR, LIQUID_21, LIQUID_45
from meritorder.facility.state import AT_LIMIT, FIRST_AT, NO_LIMIT, FacilityState
from meritorder.units import JOULES_PER_KWH

MINUTE_S = 60.0


@compiled
def halve_resolution(facility: FacilityState) -> None:
    """Merge pairs of bins, so that the same number of bins spans twice the time."""
    sites, bins, fields = facility.cells.shape
    for site in range(sites):
        for k in range(bins):
            for field in range(fields):
                value = facility.cells[site, k, field]
                facility.cells[site, k, field] = 0.0
                facility.cells[site, k >> 1, field] += value
    facility.clock[0].bin_s *= 2.0


@compiled
def tally(facility: FacilityState, site: int, time: float, dt: float) -> None:
    """Add what the site did from `time - dt` to `time`."""
    s = facility.sites[site]
    train = facility.trains[site]
    water_l = 0.0
    for p in range(s.first_plant, s.first_plant + s.plant_count):
        water_l += facility.plants[p].water_l_s * dt
    per_j = s.usd_per_kwh / JOULES_PER_KWH
    usd = (s.grid_w * per_j + s.generator_w * train.generator_usd_per_j) * dt
    kg = (s.grid_w * s.kg_per_kwh / JOULES_PER_KWH + s.generator_w * train.generator_kg_per_j) * dt
    s.it_j += s.it_w * dt
    s.facility_j += s.facility_w * dt
    s.grid_j += s.grid_w * dt
    s.generator_j += s.generator_w * dt
    s.storage_j += (s.storage_w + s.ups_w) * dt
    s.loss_j += s.loss_w * dt
    s.cooling_j += s.cooling_w * dt
    s.water_l += water_l
    s.usd += usd
    s.co2_kg += kg
    peak_and_ramp(facility, site, dt)
    to_pools(facility, site, dt, usd, kg, water_l)
    to_series(facility, site, time, dt, usd, kg, water_l)


@inlined
def peak_and_ramp(facility: FacilityState, site: int, dt: float) -> None:
    """The highest grid power, and the steepest rise from one minute's mean to the next."""
    s = facility.sites[site]
    s.peak_w = max(s.peak_w, s.grid_w)
    s.minute_j += s.grid_w * dt
    s.minute_s += dt
    if s.minute_s >= MINUTE_S - 1e-9:
        mean = s.minute_j / s.minute_s
        if s.minute_w >= 0.0:
            s.ramp_w_per_s = max(s.ramp_w_per_s, (mean - s.minute_w) / s.minute_s)
        s.minute_w = mean
        s.minute_j = s.minute_s = 0.0


@inlined
def to_pools(facility: FacilityState, site: int, dt: float, usd: float, kg: float, water_l: float) -> None:
    """Facility energy, money, carbon and water to the site's pools by what their machines drew."""
    s = facility.sites[site]
    drawn = 0.0
    for p in range(len(facility.pools)):
        if facility.pools[p].site == site:
            drawn += facility.pools[p].it_j + facility.pools[p].idle_w * dt
    for p in range(len(facility.pools)):
        pool = facility.pools[p]
        if pool.site == site:
            own = pool.it_j + pool.idle_w * dt
            part = own / drawn if drawn > 0.0 else 0.0
            pool.it_j = 0.0
            pool.it_total_j += own
            pool.facility_j += part * s.facility_w * dt
            pool.usd += part * usd
            pool.co2_kg += part * kg
            pool.water_l += part * water_l


@compiled
def to_series(
    facility: FacilityState, site: int, time: float, dt: float, usd: float, kg: float, water_l: float
) -> None:
    """Spread the step evenly over the bins that it touches, which are merged in pairs where they don't reach."""
    s = facility.sites[site]
    bins = facility.series.shape[1]
    while time > bins * facility.clock[0].bin_s * (1.0 + 1e-12):
        halve_resolution(facility)
    width = facility.clock[0].bin_s
    start = time - dt
    k = min(int(start / width), bins - 1)
    while start < time:
        # rounding may name the bin behind the last
        stop = time if k == bins - 1 else min(time, (k + 1) * width)
        seconds = max(0.0, stop - start)
        start = stop
        part = seconds / dt
        b = facility.series[site, k]
        b.it_j += s.it_w * seconds
        b.facility_j += s.facility_w * seconds
        b.grid_j += s.grid_w * seconds
        b.generator_j += s.generator_w * seconds
        b.storage_j += (s.storage_w + s.ups_w) * seconds
        b.loss_j += s.loss_w * seconds
        b.water_l += part * water_l
        b.usd += part * usd
        b.co2_kg += part * kg
        b.dry_c_s += s.dry_c * seconds
        b.wet_c_s += s.wet_c * seconds
        b.allowed_it_j += min(s.allowed_it_w, s.nameplate_w) * seconds
        b.over_s += seconds if s.it_w > s.allowed_it_w else 0.0
        b.seconds += seconds
        if s.binding != NO_LIMIT and s.it_w >= AT_LIMIT * s.allowed_it_w:
            facility.cells[site, k, FIRST_AT + s.binding - 1] += seconds
        for p in range(s.first_plant, s.first_plant + s.plant_count):
            plant = facility.plants[p]
            b.chiller_j += plant.chiller_w * seconds
            b.fan_j += plant.fan_w * seconds
            b.pump_j += plant.pump_w * seconds
            if plant.coolant == LIQUID_21:
                b.compressor_21_s += plant.compressor * seconds
                b.supply_21_c_s += plant.supply_c * seconds
            elif plant.coolant == LIQUID_45:
                b.compressor_45_s += plant.compressor * seconds
                b.supply_45_c_s += plant.supply_c * seconds
            elif plant.coolant == AIR:
                b.compressor_air_s += plant.compressor * seconds
                b.supply_air_c_s += plant.supply_c * seconds
        k += 1
