"""The fleet at this moment as gauges: replicas, pools and sites as the books have them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric

# name, what it says, key in the books
_REPLICAS = (
    ("merit_replica_usable", "1: requests may be sent there; 0: down, ejected or draining.", "usable"),
    ("merit_replica_requests", "Requests in the engine, sent by the gateway or by others.", "in_flight"),
    ("merit_replica_waiting", "Of these, waiting for their first token.", "waiting"),
    ("merit_replica_foreign_requests", "Of these, not sent by the gateway.", "foreign"),
    ("merit_replica_speed_ratio", "Observed / predicted time, learned.", "speed"),
)
_POOLS = (
    ("merit_pool_busy_watts", "IT power above idle at the present load, predicted.", "busy_watts"),
    ("merit_pool_limit_requests", "Most requests in flight in the pool.", "limit"),
)
_SITES = (
    ("merit_site_watts", "IT power at the present load, predicted.", "watts"),
    ("merit_site_limit_watts", "Most IT power that may be used.", "limit_watts"),
)


def gauges(books: dict[str, Any]) -> Iterator[Metric]:
    """Metrics from `Books.snapshot()`; what has no limit has no limit's gauge."""
    for name, what, key in _REPLICAS:
        family = GaugeMetricFamily(name, what, labels=("pool", "replica"))
        for replica in books["replicas"]:
            family.add_metric((replica["pool"], replica["name"]), float(replica[key]))
        yield family
    for label, names, entries in (("pool", _POOLS, books["pools"]), ("site", _SITES, books["sites"])):
        for name, what, key in names:
            family = GaugeMetricFamily(name, what, labels=(label,))
            for entry, values in entries.items():
                if values[key] is not None:
                    family.add_metric((entry,), float(values[key]))
            yield family
