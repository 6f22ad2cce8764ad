"""Who feeds a site: grid, generators, UPS batteries, the battery at its meter.

    grid + generators + storage + ups + unserved = IT + losses + cooling        (watts, mean of the step)

Batteries count by what their charge changes; what charging loses is in the losses. A fault that came within a step
counts for the whole of it.
"""

from __future__ import annotations

from math import isfinite

from meritorder.compiled import compiled, inlined
from meritorder.facility.state import FacilityState
from meritorder.facility.train import loss_w, on_grid, transformer_loss, transformer_rating_w, ups_rating_w

UPS_CHARGING = 0.9  # of what an UPS battery takes, so much is in it then [G]


@compiled
def ready(facility: FacilityState, site: int, dt: float) -> None:
    """What has power in the step that begins: part of it with generators, with pumps, with fans and chillers."""
    s = facility.sites[site]
    train = facility.trains[site]
    train.generating = 0.0
    if on_grid(facility, site):
        train.outage_s = 0.0
        train.dead = 0
    else:
        if train.generator_w > 0.0:
            train.generating = min(1.0, max(0.0, (train.outage_s + dt - train.generator_start_s) / dt))
        train.outage_s += dt
        train.dead = int(train.generating == 0.0 and train.battery_now_j <= 0.0)
    if ups_rating_w(facility, site) <= 0.0:
        train.dead = 1
    for p in range(s.first_plant, s.first_plant + s.plant_count):
        facility.plants[p].ups_power = 1.0 - train.dead
        facility.plants[p].power = 1.0 if train.outage_s == 0.0 else train.generating


@compiled
def supply(facility: FacilityState, site: int, dt: float) -> None:
    """From the rows' and the cooling's power to the site's sources; sets all powers of site and train."""
    s = facility.sites[site]
    train = facility.trains[site]
    pumps = mechanical = 0.0
    for p in range(s.first_plant, s.first_plant + s.plant_count):
        pumps += facility.plants[p].pump_w
        mechanical += facility.plants[p].chiller_w + facility.plants[p].fan_w
    train.critical_w = s.it_w + train.shelf_loss_w + train.distribution_loss_w + pumps
    on = 0.0 if train.dead == 1 else ups_rating_w(facility, site)
    train.ups_loss_w = loss_w(on, train.ups_a, train.ups_b, train.ups_c, train.critical_w)
    train.room_w = train.distribution_loss_w + train.ups_loss_w
    train.bus_w = train.critical_w + train.ups_loss_w + mechanical
    train.transformer_loss_w = train.battery_loss_w = 0.0
    s.grid_w = s.generator_w = s.storage_w = s.ups_w = s.unserved_w = 0.0
    if train.outage_s == 0.0:
        from_grid(facility, site, dt)
    else:
        without_grid(facility, site, dt, mechanical)
    s.cooling_w = pumps + mechanical
    losses = train.shelf_loss_w + train.distribution_loss_w + train.ups_loss_w + train.transformer_loss_w
    s.loss_w = losses + train.battery_loss_w
    s.facility_w = s.it_w + s.loss_w + s.cooling_w


@inlined
def threshold_w(facility: FacilityState, site: int) -> float:
    """Grid watts that the site's own battery keeps the meter at or below."""
    s = facility.sites[site]
    return float(min(s.grid_limit_w, s.asked_w, facility.trains[site].shave_w))


@compiled
def from_grid(facility: FacilityState, site: int, dt: float) -> None:
    """The grid carries all, helped by the site's battery above the threshold; below it batteries are charged."""
    s = facility.sites[site]
    train = facility.trains[site]
    rating = transformer_rating_w(facility, site)
    need = train.bus_w + transformer_loss(facility, site, train.bus_w)
    free = threshold_w(facility, site) - need
    # within contract and transformers; a little less than what is free, since transformers lose something on it
    spare = 0.98 * max(0.0, min(free, rating - train.bus_w))
    taken = min(train.battery_charge_w, spare, (full_j(facility, site) - train.battery_now_j) / dt)
    if taken > 0.0:
        charged = taken * UPS_CHARGING
        train.battery_now_j += charged * dt
        train.battery_loss_w += taken - charged
        s.ups_w = -charged
        train.bus_w += taken
        need = train.bus_w + transformer_loss(facility, site, train.bus_w)
        free = threshold_w(facility, site) - need
    train.transformer_loss_w = need - train.bus_w
    s.grid_w = need
    if free < 0.0:
        s.storage_w = min(train.storage_w, train.storage_now_j / dt, -free)
        train.storage_now_j -= s.storage_w * dt
        s.grid_w -= s.storage_w
    elif train.storage_w > 0.0 and not isfinite(s.asked_w):
        room = (train.storage_j - train.storage_now_j) / train.storage_efficiency / dt
        taken = max(0.0, min(train.storage_w, room, free))
        charged = taken * train.storage_efficiency
        train.storage_now_j += charged * dt
        train.battery_loss_w += taken - charged
        s.storage_w = -charged
        s.grid_w += taken


@compiled
def without_grid(facility: FacilityState, site: int, dt: float, mechanical_w: float) -> None:
    """UPS batteries carry the critical load until generators do; what generators can't, batteries go on carrying."""
    s = facility.sites[site]
    train = facility.trains[site]
    critical = train.critical_w + train.ups_loss_w
    wanted = mechanical_w + critical * train.generating
    s.generator_w = min(wanted, train.generator_w * train.generating)
    missing = train.bus_w - s.generator_w
    s.ups_w = min(missing, critical, train.battery_now_j / dt)
    train.battery_now_j -= s.ups_w * dt
    if train.battery_now_j < 1e-9 * train.battery_j:
        train.battery_now_j = 0.0
    s.unserved_w = max(0.0, missing - s.ups_w)


@inlined
def full_j(facility: FacilityState, site: int) -> float:
    """What the batteries of the UPS modules that are up hold."""
    train = facility.trains[site]
    return float(train.battery_j * train.modules_up / max(1, train.modules))
