"""What the controller is doing, for the admin port: as JSON and as metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from meritorder.control.state import CAUSES, LEVERS
from meritorder.fleet.schema import Fleet

if TYPE_CHECKING:
    from meritorder.serve.power.loop import PowerLoop

_LATEST = 100  # deeds that are shown


def told(loop: PowerLoop) -> dict[str, Any]:
    """Sites with what they may draw, pools with their limits and drivers' errors, services, the latest deeds."""
    fleet, sites = loop.fleet, loop.sites
    control, facility = sites.control, sites.facility
    return {
        "sites": [
            {
                "name": name,
                "it_watts": float(facility.sites[s].it_w),
                "grid_watts": float(facility.sites[s].grid_w),
                "allowed_it_watts": _finite(control.sites[s].allowed_it_w),
                "binding": CAUSES[control.sites[s].binding],
                "levers_in_use": int(control.sites[s].pressed),
            }
            for s, name in enumerate(fleet.sites)
        ],
        "pools": [
            {
                "name": name,
                "level": int(sites.books.live.fleet.pools[p].cap),
                "wanted_level": int(control.pools[p].level),
                "measured_watts": loop.measured.get(p),
                "driver_error": loop.errors.get(p),
            }
            for p, name in enumerate(fleet.pools)
        ],
        "services": [
            {
                "name": name,
                "held": bool(control.services[s].hold),
                "shut": [pool for p, pool in enumerate(fleet.pools) if control.shut[s, p]],
            }
            for s, name in enumerate(fleet.services)
        ],
        "deeds": _deeds(fleet, loop),
    }


def metrics(loop: PowerLoop) -> list[Metric]:
    """The same as families of metrics."""
    control = loop.sites.control
    allowed = GaugeMetricFamily("merit_site_allowed_watts", "IT power that the controller allows.", labels=("site",))
    drawn = GaugeMetricFamily("merit_site_grid_watts", "Power at the meter, as computed.", labels=("site",))
    for s, name in enumerate(loop.fleet.sites):
        allowed.add_metric((name,), float(control.sites[s].allowed_it_w))
        drawn.add_metric((name,), float(loop.sites.facility.sites[s].grid_w))
    level = GaugeMetricFamily("merit_pool_power_level", "Power limit in force; 0: full power.", labels=("pool",))
    failed = CounterMetricFamily("merit_power_driver_errors", "Failures of power drivers.", labels=("pool",))
    for p, name in enumerate(loop.fleet.pools):
        level.add_metric((name,), float(loop.sites.books.live.fleet.pools[p].cap))
        failed.add_metric((name,), loop.failures[p])
    deeds = CounterMetricFamily("merit_control_deeds", "Uses of levers by the controller.")
    deeds.add_metric((), float(control.settings[0].deeds))
    return [allowed, drawn, level, failed, deeds]


def _deeds(fleet: Fleet, loop: PowerLoop) -> list[dict[str, Any]]:
    control = loop.sites.control
    count, ring = int(control.settings[0].deeds), control.deeds
    latest = [ring[n % len(ring)] for n in range(max(count - _LATEST, 0), count)]
    pools, services = list(fleet.pools), list(fleet.services)
    return [
        {
            "seconds_ago": loop.sites.time - float(deed.time),
            "site": list(fleet.sites)[deed.site],
            "lever": LEVERS[deed.lever],
            "target": pools[deed.target] if LEVERS[deed.lever] == "cap" else services[deed.target],
            "level": int(deed.level),
            "binding": CAUSES[deed.binding],
            "watts": float(deed.watts),
        }
        for deed in latest
    ]


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
