"""A fresh `FacilityState` of a fleet at rest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from meritorder.facility.cool import plant_power
from meritorder.facility.design_day import design_weather
from meritorder.facility.halls.seats import Placement, placement
from meritorder.facility.parts import COOLING_KEYS, part_records, plants_of
from meritorder.facility.plant import AIR, COOLANTS, PLANT
from meritorder.facility.seating import seats_of
from meritorder.facility.sizes import full_loss
from meritorder.facility.sizing import fill_loops, fill_plant
from meritorder.facility.state import (
    CLOCK,
    FACILITY_BIN,
    FACILITY_SERIES,
    HOUR,
    PART,
    POOL_USE,
    ROW,
    SEAT,
    SITE,
    FacilityState,
)
from meritorder.facility.surroundings.hours import hours_of
from meritorder.facility.train import TRAIN, fill_train
from meritorder.fleet.schema import Fleet
from meritorder.fleet.site import Site
from meritorder.perf.replica import Replica
from meritorder.records import Records, records

BINS = 512  # of the series
FIRST_BIN_S = 1.0
LEAST_HEAT_W = 1e3  # that a plant is built for, where no machines stand
ROOM_HEAT = 0.05  # of IT power: losses of UPS and distribution, which the air plant is built for


def wanted(fleet: Fleet) -> bool:
    """Whether anything of the fleet asks for facility steps: else a constant PUE and price say it all."""
    sites = fleet.sites.values()
    return (
        any(site.facility or site.weather or site.price or site.carbon or site.scenarios for site in sites)
        or any(site.demand_response or site.power_limit is not None for site in sites)
        or any(service.flexible is not None for service in fleet.services.values())
    )


def build_facility(
    fleet: Fleet,
    replicas: Sequence[Replica],
    *,
    placed: Placement | None = None,
    simulated: Sequence[int] | None = None,
    span_s: float = 86400.0,
    bins: int = BINS,
) -> FacilityState:
    """The state before the first step, with all machines up and idle; empty where no steps are `wanted`.

    `replicas`: one per pool. `placed`: where they stand, if that is known already. `simulated`: how many replicas of
    each pool are simulated, each of which stands for an even share of the real ones. `span_s`: how far series of
    weather and prices must reach. Raises InputError (files of series, machines that find no room).
    """
    if not wanted(fleet):
        return _nothing()
    placed = placed or placement(fleet, dict(zip(fleet.pools, replicas, strict=True)))
    counts = [pool.replicas for pool in fleet.pools.values()] if simulated is None else list(simulated)
    seat_of, seats = seats_of(placed, [pool.replicas for pool in fleet.pools.values()], counts)
    sites, hours = _sites(fleet, span_s)
    rows = _rows(fleet, replicas, placed)
    series = records(len(sites) * bins, FACILITY_BIN).reshape(len(sites), bins)
    clock = records(1, CLOCK)
    clock.bin_s[:] = FIRST_BIN_S
    state = FacilityState(
        sites=sites,
        rows=rows,
        plants=_plants(fleet, placed, rows),
        trains=records(len(sites), TRAIN),
        pools=_pools(fleet, replicas),
        hours=hours,
        seat_of=seat_of,
        seats=seats,
        series=series,
        cells=series.view(np.float64).reshape(len(sites), bins, len(FACILITY_SERIES)),
        clock=clock,
        parts=part_records(fleet, placed),
    )
    for index, site in enumerate(fleet.sites.values()):
        s = sites[index]
        here = np.flatnonzero(placed.row_site == index)
        s.first_row, s.row_count = here[0] if len(here) else 0, len(here)
        s.nameplate_w = rows.max_w[here].sum()
        mine = np.flatnonzero(state.plants.site == index)
        s.first_plant, s.plant_count = mine[0] if len(mine) else 0, len(mine)
        if site.facility is not None:
            fill_train(state, index, site.facility.power, _mechanical_w(state.plants[mine], site))
    return state


def _nothing() -> FacilityState:
    cells = np.zeros((0, 0, len(FACILITY_SERIES)))
    return FacilityState(
        sites=records(0, SITE),
        rows=records(0, ROW),
        plants=records(0, PLANT),
        trains=records(0, TRAIN),
        pools=records(0, POOL_USE),
        hours=records(0, HOUR),
        seat_of=np.zeros(1, np.int64),
        seats=records(0, SEAT),
        series=records(0, FACILITY_BIN).reshape(0, 0),
        cells=cells,
        clock=records(1, CLOCK),
        parts=records(0, PART),
    )


def _sites(fleet: Fleet, span_s: float) -> tuple[Records, Records]:
    sites = records(len(fleet.sites), SITE)
    tables: list[Records] = []
    for s, (name, site) in zip(sites, fleet.sites.items(), strict=True):
        known = hours_of(fleet, name, span_s)
        s.constant_pue = site.pue if site.facility is None else 0.0
        contract = site.facility.grid if site.facility is not None else None
        s.grid_limit_w = np.inf if contract is None else contract
        s.it_limit_w = np.inf if site.power_limit is None else site.power_limit
        s.asked_w = s.allowed_it_w = np.inf
        s.hours, s.count = sum(len(table) for table in tables), len(known.table)
        s.first, s.step_s = known.first, known.step_s
        s.minute_w = -1.0
        s.marginal_pue = max(s.constant_pue, 1.0)
        tables.append(known.table)
    return sites, np.concatenate(tables).view(np.recarray)


def _rows(fleet: Fleet, replicas: Sequence[Replica], placed: Placement) -> Records:
    rows = records(placed.rows, ROW)
    rows.site[:], rows.hall[:], rows.feeds[:] = placed.row_site, placed.row_hall, placed.row_feeds
    rows.limit_w[:], rows.max_w[:] = placed.row_limit_w, placed.row_nameplate_w
    rows.limit_c[:], rows.air_share[:] = placed.row_limit_c, placed.row_air_share
    cooling = np.array([hall.cooling_w for hall in placed.halls])[placed.row_hall]
    rows.design_w[:] = np.where(np.isfinite(cooling) & (cooling > 0), cooling, placed.row_nameplate_w)
    rows.flow[:] = rows.stretch[:] = 1.0
    rows.plant[:] = -1
    for plant, (site, coolant) in enumerate(plants_of(fleet, placed)):
        rows.plant[(placed.row_site == site) & (placed.row_coolant == coolant)] = plant
    idle = np.repeat([replica.table.idle_w for replica in replicas], [p.replicas for p in fleet.pools.values()])
    of_seat = np.repeat(idle, np.diff(placed.seat_of))
    np.add.at(rows.idle_w, placed.seats.row, of_seat * placed.seats.share)
    return rows


def _plants(fleet: Fleet, placed: Placement, rows: Records) -> Records:
    known = plants_of(fleet, placed)
    plants = records(len(known), PLANT)
    plants.site[:] = [site for site, _ in known]
    plants.coolant[:] = [coolant for _, coolant in known]
    facilities = [site.facility for site in fleet.sites.values()]
    for index, (site, coolant) in enumerate(known):
        facility = facilities[site]
        assert facility is not None
        liquid = (rows.plant == index) & (rows.site == site)
        heat = float((rows.max_w * (1.0 - rows.air_share))[liquid].sum())
        if coolant == AIR:
            here = rows.site == site
            heat = float((rows.max_w * rows.air_share)[here].sum())
            heat += ROOM_HEAT * float(rows.max_w[here].sum())
        spec = getattr(facility.cooling, COOLING_KEYS[coolant])
        shelf = facility.power.shelf
        heat = max(heat * (1.0 + (full_loss(shelf) if shelf else 0.0)), LEAST_HEAT_W)
        machines = (rows.plant == index) & (rows.max_w > 0.0)
        weather = design_weather(list(fleet.sites.values())[site])
        lowest = float(rows.limit_c[machines].min(initial=np.inf))
        fill_plant(plants[index], spec, COOLANTS[coolant], heat, weather, lowest)
    fill_loops(rows, plants)
    return plants


def _mechanical_w(plants: Records, site: Site) -> float:
    """What chillers and fans draw at full load when the air is as hot, and as damp, as it ever is there."""
    weather = design_weather(site)
    dry, wet = float(weather.dry_c.max()), float(weather.wet_c.max())
    return float(sum(sum(plant_power(plant, float(plant.design_w), dry, wet)[:2]) for plant in plants))


def _pools(fleet: Fleet, replicas: Sequence[Replica]) -> Records:
    pools = records(len(fleet.pools), POOL_USE)
    names = list(fleet.sites)
    for use, pool, replica in zip(pools, fleet.pools.values(), replicas, strict=True):
        use.site = names.index(pool.site)
        use.idle_w = pool.replicas * replica.table.idle_w
    return pools
