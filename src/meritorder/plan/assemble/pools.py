"""How many replicas stand together: what pooling gains depends on it, and it depends on the plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from meritorder.fleet.schema import Fleet
from meritorder.plan.capacity import Capacity, Key
from meritorder.plan.demand import DemandTable
from meritorder.plan.instance import Floats, Instance
from meritorder.plan.outcome import Build
from meritorder.plan.systems import block_of

LARGE = 1e6  # replicas: a pool that gains nothing more
LEAST = 1.0


def models_of(fleet: Fleet) -> list[str]:
    """All models that services with demand ask for, in order."""
    assert fleet.plan is not None
    return list(dict.fromkeys(fleet.services[name].model for name in fleet.plan.demand))


def expected_pools(fleet: Fleet, demand: DemandTable, capacities: Mapping[Key, Capacity]) -> Floats:
    """[S,H,M] replicas if each model's demand were shared evenly by all sites and offers that may serve it.

    Demand is that of the design hour in the middle of the horizon, expected over the scenarios.
    """
    assert fleet.plan is not None
    sites, offers, models = list(fleet.plan.sites), list(fleet.plan.offers), models_of(fleet)
    busy = demand.requests[len(demand.requests) // 2, :, -1] @ demand.probability  # [K]
    needed = np.zeros((len(offers), len(models)))
    for key, capacity in capacities.items():
        rate = capacity.rate(LARGE, 0.0)
        if key.decode or rate <= 0.0:
            continue
        mine = [k for k, (service, _) in enumerate(demand.classes) if service == key.service]
        needed[offers.index(key.offer), models.index(capacity.model)] += busy[mine].sum() / rate
    stands = np.array([[block_of(fleet, site, offer) is not None for offer in offers] for site in sites], float)
    stands = stands.reshape(len(sites), len(offers))
    places = np.einsum("sh,hm->m", stands, (needed > 0.0).astype(float))
    shared: Floats = np.maximum(LEAST, needed / np.maximum(1.0, places))
    return np.tile(shared, (len(sites), 1, 1))


def pools_of(instance: Instance, build: Build) -> Floats:
    """[S,H,M] replicas of a plan, mean of the periods in which there are any, at least 1; 0 where there are none."""
    systems = instance.stock.replica
    replicas = np.divide(build.placed, systems, out=np.zeros_like(build.placed), where=systems > 0.0)
    there = replicas > 0.0
    mean = replicas.sum(axis=0) / np.maximum(1, there.sum(axis=0))
    return np.where(there.any(axis=0), np.maximum(LEAST, mean), 0.0)


def replica_systems(fleet: Fleet, models: Sequence[str]) -> Floats:
    """[H,M] systems that one replica takes; 0 where the model doesn't run."""
    assert fleet.plan is not None
    found = np.zeros((len(fleet.plan.offers), len(models)))
    for h, offer in enumerate(fleet.plan.offers.values()):
        for model, run in offer.runs.items():
            if model in models:
                chips = run.tensor * run.pipeline * run.data_parallel
                found[h, models.index(model)] = chips / offer.chips
    return found
