"""What a looser service level is worth in requests: how a way's rate rises with the target of the first token."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from meritorder.fleet.schema import Fleet
from meritorder.plan.capacity import Capacity, Key
from meritorder.plan.demand import region_of
from meritorder.plan.instance import Floats, Instance


def slopes_of(fleet: Fleet, instance: Instance, capacities: Mapping[Key, Capacity], pools: Floats) -> Floats:
    """[F] requests/s that a system of each way carries more per second more of the target; 0 of APIs.

    `pools`: replicas that the rates hold for, by site, offer and service, as `assemble` takes them.
    """
    ways, names, found = instance.ways, instance.names, np.zeros(len(instance.ways.cls))
    for f in np.flatnonzero(ways.system >= 0):
        service = names.services[instance.demand.service[ways.cls[f]]]
        decoder = names.systems[ways.decoder[f]] if ways.decoder[f] >= 0 else ""
        capacity = capacities[Key(names.systems[ways.system[f]], decoder, service)]
        away = fleet.sites[names.sites[ways.site[f]]].round_trip_s(region_of(names.classes[ways.cls[f]]))
        pool = float(pools[ways.site[f], ways.system[f], names.services.index(service)])
        found[f] = capacity.rate_per_ttft(pool, away) / capacity.replica_systems
    return found
