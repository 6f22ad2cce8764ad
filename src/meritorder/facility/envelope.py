"""What a site may draw now: the most IT power within contract, path and cooling, and which of them binds.

More IT power than now is taken to come from all rows on the way to their nameplates, each in its proportion; less,
from all rows alike. The load of every limited thing grows along this line, so the most IT power is where the first of
them is full: one monotone equation, solved by regula falsi. Limits of single rows are not the site's: see `rows`.
"""

from __future__ import annotations

from math import inf

from meritorder.compiled import compiled, inlined
from meritorder.facility.cool import plant_capacity_w, plant_power
from meritorder.facility.state import (
    COOLING,
    DEMAND_RESPONSE,
    GRID,
    IT_LIMIT,
    NO_LIMIT,
    NO_POWER,
    PATH,
    FacilityState,
)
from meritorder.facility.train import fed_part, loss_w, transformer_loss, transformer_rating_w, ups_rating_w

SUSTAINED_S = 900.0  # what the site's battery is counted with must last so long
TOLERANCE = 1e-4  # of the limit that is left free at most
STEPS = 60


@compiled
def envelope(facility: FacilityState, site: int) -> None:
    """Set `allowed_it_w` (infinity where nothing binds), `binding` and `marginal_pue` of a site."""
    s = facility.sites[site]
    train = facility.trains[site]
    most = min(s.it_limit_w, max(s.nameplate_w, s.it_w))
    bound = IT_LIMIT if s.it_limit_w <= most else NO_LIMIT
    if s.constant_pue > 0.0:
        contract = min(s.grid_limit_w, s.asked_w) / s.constant_pue
        if contract < most:
            most, bound = contract, GRID if s.grid_limit_w <= s.asked_w else DEMAND_RESPONSE
    elif train.dead == 1 or (train.outage_s > 0.0 and train.generator_w == 0.0):
        most, bound = 0.0, NO_POWER
    else:
        for p in range(s.first_plant, s.first_plant + s.plant_count):
            facility.plants[p].capacity_w = plant_capacity_w(facility.plants[p], s.dry_c, s.wet_c)
        load, _ = fullness(facility, site, most)
        if load > 1.0 + TOLERANCE:
            most, bound = fill(facility, site, most, load)
        step = 0.01 * max(s.it_w, 0.01 * s.nameplate_w, 1.0)
        s.marginal_pue = (demands(facility, site, s.it_w + step)[2] - demands(facility, site, s.it_w)[2]) / step
    s.allowed_it_w = inf if bound == NO_LIMIT else most
    s.binding = bound


@inlined
def on_the_way(now_w: float, most_w: float, it_w: float, it_now_w: float, nameplate_w: float) -> float:
    """What is `now_w` at the present IT power and `most_w` at the nameplate, at `it_w`."""
    if it_w <= it_now_w or nameplate_w <= it_now_w:
        return now_w * it_w / it_now_w if it_now_w > 0.0 else 0.0
    return now_w + (most_w - now_w) * (it_w - it_now_w) / (nameplate_w - it_now_w)


@compiled
def fill(facility: FacilityState, site: int, high: float, load: float) -> tuple[float, int]:
    """IT watts at which the fullest thing is just full, below `high`, where it is `load` > 1 full; and that thing."""
    aim = 1.0 - 0.5 * TOLERANCE
    low, above = min(facility.sites[site].it_w, 0.99 * high), load - aim
    value, which = fullness(facility, site, low)
    below = value - aim
    if below >= 0.0:
        low, high, above = 0.0, low, below
        value, which = fullness(facility, site, 0.0)
        below = value - aim
        if below >= 0.0:
            return 0.0, which
    side = 0
    for _ in range(STEPS):
        middle = (low * above - high * below) / (above - below)
        value, which = fullness(facility, site, middle)
        value -= aim
        if abs(value) < 0.5 * TOLERANCE:
            return middle, which
        if value > 0.0:
            high, above = middle, value
            below *= 0.5 if side > 0 else 1.0  # the Illinois rule: an end that stays twice counts half
            side = 1
        else:
            low, below = middle, value
            above *= 0.5 if side < 0 else 1.0
            side = -1
    return low, which


@compiled
def fullness(facility: FacilityState, site: int, it_w: float) -> tuple[float, int]:
    """How full the fullest limited thing is at this IT power, and which it is."""
    s = facility.sites[site]
    train = facility.trains[site]
    critical, bus, grid, cooling = demands(facility, site, it_w)
    path = critical / max(min(train.capacity_w, ups_rating_w(facility, site)), 1e-3)
    on_grid = train.outage_s == 0.0
    if on_grid:
        path = max(path, bus / max(transformer_rating_w(facility, site), 1e-3))
    else:  # generators will have to carry it, and batteries until they do
        wait_s = max(0.0, train.generator_start_s - train.outage_s)
        path = max(path, bus / train.generator_w, critical * wait_s / max(train.battery_now_j, 1e-3))
    result, which = (path, PATH) if path >= cooling else (cooling, COOLING)
    if on_grid:
        contract = min(s.grid_limit_w, s.asked_w) + min(train.storage_w, train.storage_now_j / SUSTAINED_S)
        if grid / contract > result:
            result, which = grid / contract, GRID if s.grid_limit_w <= s.asked_w else DEMAND_RESPONSE
    return result, which


@compiled
def demands(facility: FacilityState, site: int, it_w: float) -> tuple[float, float, float, float]:
    """Watts that UPS, transformers and grid would have to give at this IT power, and how full the fullest plant is."""
    s = facility.sites[site]
    train = facility.trains[site]
    heat = it_w + on_the_way(train.shelf_loss_w, train.shelf_most_w, it_w, s.it_w, s.nameplate_w)
    rating = train.distribution_w * fed_part(facility, site)
    rooms = loss_w(rating, train.distribution_a, train.distribution_b, train.distribution_c, heat)
    critical, mechanical, cooling = heat + rooms, 0.0, 0.0
    for p in range(s.first_plant + 1, s.first_plant + s.plant_count):
        plant = facility.plants[p]
        own = on_the_way(plant.rows_w, plant.rows_most_w, it_w, s.it_w, s.nameplate_w)
        chiller, fan, pump, _, _ = plant_power(plant, own, s.dry_c, s.wet_c)
        critical += pump
        mechanical += chiller + fan
        cooling = max(cooling, own / max(plant.capacity_w, 1e-3))
    on = ups_rating_w(facility, site)
    air = facility.plants[s.first_plant]
    own = rooms + on_the_way(air.rows_w, air.rows_most_w, it_w, s.it_w, s.nameplate_w)
    chiller = fan = pump = lost = 0.0
    for _ in range(2):  # its pumps hang on the UPS, and it gets the heat of the UPS
        lost = loss_w(on, train.ups_a, train.ups_b, train.ups_c, critical + pump)
        chiller, fan, pump, _, _ = plant_power(air, own + lost, s.dry_c, s.wet_c)
    full = (own + lost) / max(air.capacity_w, 1e-3)
    critical += pump
    bus = critical + lost + mechanical + chiller + fan
    grid = bus + transformer_loss(facility, site, bus)
    return critical, bus, grid, max(cooling, full)
