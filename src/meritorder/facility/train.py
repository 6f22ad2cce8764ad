"""`TRAIN`: the electrical path of a site, and what each of its stages loses.

A stage loses `rating (no_load + proportional x + square x^2)` watts at part load `x = load / rating`. Modules share the
load evenly, so redundancy comes in by the rating that is switched on: 2N at 80 % of the need is 40 % a module.
Sources of the curves: docs/facility.md.
"""

from __future__ import annotations

import numpy as np

from meritorder.compiled import compiled, inlined
from meritorder.facility.sizes import (
    BLOCKS,
    PUMPS,
    TRANSFORMER_MARGIN,
    capacity_w,
    full_loss,
    installed_share,
    module_w,
    modules_installed,
)
from meritorder.facility.state import FacilityState
from meritorder.fleet.power_train import PowerTrain
from meritorder.units import JOULES_PER_KWH

CHARGING = 0.1  # of the critical power: how fast UPS batteries are charged again [G]

TRAIN = np.dtype(
    [
        # loss curves: no load, proportional, square, in parts of the rating
        *((f"{stage}_{term}", "f8") for stage in ("transformer", "ups", "distribution", "shelf") for term in "abc"),
        ("capacity_w", "f8"),  # critical power that the UPS carry without their spares
        ("module_w", "f8"),
        ("modules", "i4"),  # installed, spares included
        ("modules_up", "i4"),
        ("common", "i4"),  # 1: modules share one bus that any feed supplies (N, N+1); 0: blocks, each on its feed
        ("feeds", "i4"),
        ("feeds_up", "u4"),  # bit mask
        ("feeds_left", "f8"),  # how many feeds' worth of power comes in: of one in a brown-out, a part
        ("feed_w", "f8"),  # rating of one feed's transformers
        ("distribution_w", "f8"),  # rating of all busways and cables together
        ("grid_up", "i4"),
        ("outage_s", "f8"),  # since the grid failed; 0: it has not
        ("generator_w", "f8"),  # 0: none
        ("generator_start_s", "f8"),
        ("generator_usd_per_j", "f8"),
        ("generator_kg_per_j", "f8"),
        ("battery_j", "f8"),  # of all UPS modules, full
        ("battery_now_j", "f8"),
        ("battery_out_j", "f8"),  # charge in batteries of modules that are down
        ("battery_charge_w", "f8"),
        ("storage_w", "f8"),
        ("storage_j", "f8"),
        ("storage_now_j", "f8"),
        ("storage_efficiency", "f8"),  # of charging; discharging gives all that is in
        ("shave_w", "f8"),  # discharge above these grid watts
        ("overload_s", "f8"),  # heat of breakers and UPS: see `facility/trips.py`
        ("critical_per_it", "f8"),  # UPS watts per IT watt at the design point, to judge what can be fed again
        ("facility_per_it", "f8"),  # facility watts per IT watt there
        ("part_of_nameplate", "f8"),  # that the path is built for: 1 / oversubscription
        # now (of the last step)
        ("generating", "f8"),  # part of the step in which generators ran
        ("critical_w", "f8"),  # what the UPS give
        ("bus_w", "f8"),  # what the transformers give: UPS and cooling
        ("shelf_most_w", "f8"),  # what shelves lose with all machines at their most
        ("shelf_loss_w", "f8"),
        ("distribution_loss_w", "f8"),
        ("ups_loss_w", "f8"),
        ("transformer_loss_w", "f8"),
        ("battery_loss_w", "f8"),  # of charging
        ("room_w", "f8"),  # heat of the last step's losses indoors, which the air plant gets in the next
        ("dead", "i4"),  # nothing feeds the UPS and batteries are empty
    ]
)


_TERMS = {"a": "no_load", "b": "proportional", "c": "square"}


def fill_train(facility: FacilityState, site: int, power: PowerTrain, mechanical_w: float) -> None:
    """Ratings and losses of a site's path, all of it up, batteries full. The site's rows are in `facility`.

    `mechanical_w`: what chillers and fans draw on the hottest day at full load.
    """
    s, train = facility.sites[site], facility.trains[site]
    for stage in ("transformer", "ups", "distribution", "shelf"):
        curve = getattr(power, stage)
        for term, name in _TERMS.items():
            train[f"{stage}_{term}"] = getattr(curve, name) if curve is not None else 0.0
    train.capacity_w, train.module_w = capacity_w(power, s.nameplate_w), module_w(power, s.nameplate_w)
    train.modules = train.modules_up = modules_installed(power, s.nameplate_w)
    train.common = int(power.redundancy not in BLOCKS)
    train.feeds, train.feeds_up, train.grid_up = power.feeds, (1 << power.feeds) - 1, 1
    train.feeds_left = power.feeds
    train.part_of_nameplate = 1.0 / power.oversubscription
    shelf = full_loss(power.shelf) if power.shelf else 0.0
    train.critical_per_it = 1.0 + full_loss(power.distribution) + shelf + PUMPS
    facility_w = train.capacity_w * (1.0 + full_loss(power.ups)) + mechanical_w
    train.facility_per_it = facility_w / max(1.0, s.nameplate_w * train.part_of_nameplate)
    train.feed_w = facility_w * TRANSFORMER_MARGIN * installed_share(power) / power.feeds
    train.distribution_w = train.capacity_w * (1.0 if train.common else installed_share(power))
    if power.generators is not None:
        train.generator_w, train.generator_start_s = power.generators.power, power.generators.start
        train.generator_usd_per_j = power.generators.usd_per_kwh / JOULES_PER_KWH
        train.generator_kg_per_j = power.generators.kg_per_kwh / JOULES_PER_KWH
    for r in range(s.first_row, s.first_row + s.row_count):
        row = facility.rows[r]
        lost = loss_w(row.max_w, train.shelf_a, train.shelf_b, train.shelf_c, row.max_w)
        train.shelf_most_w += lost
        facility.plants[row.plant].rows_most_w += (row.max_w + lost) * (1.0 - row.air_share)
        facility.plants[s.first_plant].rows_most_w += (row.max_w + lost) * row.air_share
    train.battery_j = train.battery_now_j = power.ups_time * train.capacity_w
    train.battery_charge_w = CHARGING * train.capacity_w
    train.shave_w = np.inf
    if power.storage is not None:
        train.storage_w, train.storage_j = power.storage.power, power.storage.energy
        train.storage_now_j, train.storage_efficiency = power.storage.energy, power.storage.efficiency
        if power.storage.shave_above is not None:
            train.shave_w = power.storage.shave_above


@inlined
def loss_w(rating_w: float, a: float, b: float, c: float, load_w: float) -> float:
    """Watts lost by stages of this rating together at a load (what they give)."""
    if rating_w <= 0.0:
        return 0.0
    return rating_w * a + load_w * (b + c * load_w / rating_w)


@inlined
def feeds_on(facility: FacilityState, site: int) -> int:
    """How many feeds of a site are up."""
    train = facility.trains[site]
    count = 0
    for k in range(train.feeds):
        count += int((train.feeds_up >> np.uint32(k)) & np.uint32(1))
    return count


@compiled
def shelf_losses(facility: FacilityState, site: int) -> None:
    """What the racks' power shelves lose, which leaves with the heat of their machines, and to which plant."""
    s = facility.sites[site]
    train = facility.trains[site]
    train.shelf_loss_w = 0.0
    for p in range(s.first_plant, s.first_plant + s.plant_count):
        facility.plants[p].rows_w = 0.0
    for r in range(s.first_row, s.first_row + s.row_count):
        row = facility.rows[r]
        on = row.max_w if row.it_w > 0.0 else 0.0
        lost = loss_w(on, train.shelf_a, train.shelf_b, train.shelf_c, row.it_w)
        row.heat_w = row.it_w + lost
        train.shelf_loss_w += lost
        facility.plants[row.plant].rows_w += row.heat_w * (1.0 - row.air_share)
        facility.plants[s.first_plant].rows_w += row.heat_w * row.air_share


@compiled
def distribution_loss(facility: FacilityState, site: int) -> None:
    """What busways and cables lose; those of a feed that is down carry nothing."""
    train = facility.trains[site]
    rating = train.distribution_w * fed_part(facility, site)
    load = facility.sites[site].it_w + train.shelf_loss_w
    a, b, c = train.distribution_a, train.distribution_b, train.distribution_c
    train.distribution_loss_w = loss_w(rating, a, b, c, load)


@inlined
def fed_part(facility: FacilityState, site: int) -> float:
    """Part of UPS and distribution that a feed reaches."""
    train = facility.trains[site]
    feeds = feeds_on(facility, site)
    if train.common == 1:
        return 1.0 if feeds > 0 else 0.0
    return float(feeds / train.feeds)


@inlined
def ups_rating_w(facility: FacilityState, site: int) -> float:
    """Of the UPS modules that are switched on: those up on feeds that are up."""
    train = facility.trains[site]
    return float(train.module_w * train.modules_up * fed_part(facility, site))


@inlined
def transformer_rating_w(facility: FacilityState, site: int) -> float:
    """Of the transformers on feeds that are up, of one in a brown-out the part that comes in."""
    train = facility.trains[site]
    return float(train.feed_w * train.feeds_left)


@inlined
def transformer_loss(facility: FacilityState, site: int, bus_w: float) -> float:
    """What transformers lose when they give so much; in a brown-out those of the feed stay switched on whole."""
    train = facility.trains[site]
    rating = train.feed_w * feeds_on(facility, site)
    return loss_w(rating, train.transformer_a, train.transformer_b, train.transformer_c, bus_w)


@inlined
def on_grid(facility: FacilityState, site: int) -> bool:
    """Whether the grid reaches the site by any feed."""
    return facility.trains[site].grid_up == 1 and feeds_on(facility, site) > 0
