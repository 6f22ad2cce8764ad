"""A small building to control, as arrays that a test fills: no kernel, no cooling."""

from __future__ import annotations

import numpy as np

from meritorder.facility.state import FACILITY_BIN, HOUR, POOL_USE, ROW, SEAT, SITE, FacilityState
from meritorder.fleet.schema import Fleet
from meritorder.records import records

EMPTY = np.dtype([("unused", "f8")])


def building(fleet: Fleet, rows: int = 0) -> FacilityState:
    """A facility state with the given number of rows, all without a limit, and no seats."""
    sites = list(fleet.sites)
    replicas = sum(pool.replicas for pool in fleet.pools.values())
    facility = FacilityState(
        sites=records(len(sites), SITE),
        rows=records(rows, ROW),
        plants=records(0, EMPTY),
        trains=records(len(sites), EMPTY),
        pools=records(len(fleet.pools), POOL_USE),
        hours=records(0, HOUR),
        seat_of=np.zeros(replicas + 1, np.int64),
        seats=records(0, SEAT),
        series=np.zeros((len(sites), 1), FACILITY_BIN).view(np.recarray),
    )
    for s, site in enumerate(fleet.sites.values()):
        f = facility.sites[s]
        f.constant_pue = f.marginal_pue = site.pue
        f.usd_per_kwh, f.kg_per_kwh = site.usd_per_kwh, site.kg_per_kwh
        f.grid_limit_w = f.it_limit_w = f.allowed_it_w = np.inf
    facility.rows.limit_w[:] = np.inf
    for p, pool in enumerate(fleet.pools.values()):
        facility.pools[p].site = sites.index(pool.site)
    return facility
