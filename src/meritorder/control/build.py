"""A fresh `ControlState`: a fleet with no lever in use."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from meritorder.control.state import (
    ALL,
    CLOSURE,
    CURVE_POINTS,
    DEED,
    EVENT,
    LEVERS,
    MEMBER,
    OPTION,
    OVER,
    POOL_CONTROL,
    SERVICE_CONTROL,
    SETTINGS,
    SITE_CONTROL,
    ZONE,
    ControlState,
)
from meritorder.facility.state import FacilityState
from meritorder.fleet.schema import Fleet
from meritorder.perf.replica import Replica
from meritorder.records import Records, records

DEEDS = 4096  # that are remembered


def build_control(
    fleet: Fleet,
    replicas: Sequence[Replica],
    facility: FacilityState,
    simulated: Sequence[int] | None = None,
    spare_events: int = 0,
) -> ControlState:
    """The controller of `fleet` (`replicas`: one per pool) in the buildings of `facility`, before the first step.

    `simulated`: how many replicas of each pool are simulated, where not all are. `spare_events`: places for demand
    response that comes up while it runs.
    """
    pools, services = len(fleet.pools), len(fleet.services)
    counts = [pool.replicas for pool in fleet.pools.values()] if simulated is None else list(simulated)
    zones, members = _zones(fleet, facility, counts)
    control = ControlState(
        sites=records(len(fleet.sites), SITE_CONTROL),
        zones=zones,
        members=members,
        pools=_pools(fleet, replicas),
        options=records(sum(1 + len(replica.capped) for replica in replicas), OPTION),
        curves=np.zeros((pools, CURVE_POINTS)),
        services=_services(fleet),
        order=np.array([LEVERS.index(lever) for lever in fleet.control.order], np.int32),
        least_first=_least_first(fleet),
        closures=np.zeros((services, pools), np.dtype(CLOSURE, align=True)).view(np.recarray),
        shut=np.zeros((services, pools), np.int32),
        events=_events(fleet, spare_events),
        deeds=records(DEEDS, DEED),
        settings=records(1, SETTINGS),
    )
    control.sites.allowed_it_w[:] = np.inf
    for site, row in zip(fleet.sites.values(), control.sites, strict=True):
        carbon = site.kg_per_kwh * fleet.carbon_price_usd_per_kg
        row.usd_per_j = site.pue * (site.usd_per_kwh + carbon) / 3.6e6
    g = control.settings[0]
    g.margin, g.release_s = fleet.control.margin, fleet.control.release
    g.carbon_usd_per_kg = fleet.carbon_price_usd_per_kg
    control.zones.wait_s[:] = g.release_s
    control.zones.let_go[:] = control.zones.acted[:] = -np.inf
    control.pools.seen[:] = -1
    control.pools.scale[:] = 1.0
    return control


def _zones(fleet: Fleet, facility: FacilityState, counts: Sequence[int]) -> tuple[Records, Records]:
    """The sites and their pools, and the rows with a limit and the parts of pools that stand in them."""
    names = list(fleet.sites)
    site_of = [names.index(pool.site) for pool in fleet.pools.values()]
    under = [[(p, 1.0) for p, site in enumerate(site_of) if site == s] for s in range(len(names))]
    places = [(s, -1) for s in range(len(names))]
    within = _within_rows(facility, np.repeat(np.arange(len(counts)), counts))
    for row in range(len(facility.rows)):
        if facility.rows[row].limit_w < facility.rows[row].max_w and within.get(row):
            places.append((int(facility.rows[row].site), row))
            under.append([(p, part / counts[p]) for p, part in sorted(within[row].items())])
    zones = records(len(places), ZONE)
    members = records(sum(map(len, under)), MEMBER)
    first = 0
    for z, ((site, row), inside) in enumerate(zip(places, under, strict=True)):
        zones[z].site, zones[z].row, zones[z].first, zones[z].count = site, row, first, len(inside)
        for pool, share in inside:
            members[first].zone, members[first].pool, members[first].share = z, pool, share
            first += 1
    zones.allowed_w[:] = zones.limit_w[:] = np.inf
    return zones, members


def _within_rows(
    facility: FacilityState, pool_of: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> dict[int, dict[int, float]]:
    """By row: replicas of each pool that stand in it, in parts where they stand in several."""
    within: dict[int, dict[int, float]] = {}
    for replica in range(len(facility.seat_of) - 1):
        pool = int(pool_of[replica])
        for seat in range(facility.seat_of[replica], facility.seat_of[replica + 1]):
            pools = within.setdefault(int(facility.seats[seat].row), {})
            pools[pool] = pools.get(pool, 0.0) + float(facility.seats[seat].share)
    return within


def _pools(fleet: Fleet, replicas: Sequence[Replica]) -> Records:
    pools = records(len(fleet.pools), POOL_CONTROL)
    sites = list(fleet.sites)
    option = 0
    for p, pool, replica in zip(pools, fleet.pools.values(), replicas, strict=True):
        p.site, p.levels, p.option = sites.index(pool.site), 1 + len(replica.capped), option
        option += p.levels
    return pools


def _services(fleet: Fleet) -> Records:
    services = records(len(fleet.services), SERVICE_CONTROL)
    services.price_below[:] = services.carbon_below[:] = np.inf
    services.release[:] = ALL
    for s, service in zip(services, fleet.services.values(), strict=True):
        s.priority = service.priority
        if service.flexible is not None:
            s.flexible_s = service.flexible.within
            if service.flexible.price_below is not None:
                s.price_below = service.flexible.price_below
            if service.flexible.carbon_below is not None:
                s.carbon_below = service.flexible.carbon_below
    return services


def _least_first(fleet: Fleet) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    priorities = [service.priority for service in fleet.services.values()]
    return np.array(sorted(range(len(priorities)), key=lambda s: (-priorities[s], -s)), np.int32)


def _events(fleet: Fleet, spare: int) -> Records:
    wanted = [(s, e) for s, site in enumerate(fleet.sites.values()) for e in site.demand_response]
    wanted.sort(key=lambda pair: (pair[1].start, pair[0]))
    events = records(len(wanted) + spare, EVENT)
    events.state[len(wanted) :] = OVER
    for row, (site, event) in zip(events, wanted, strict=False):
        row.site, row.start, row.stop = site, event.start, event.start + event.duration
        row.kept_by = event.start + event.within
        row.reduce = event.reduce or 0.0
        row.limit_w = event.limit or 0.0
    return events
