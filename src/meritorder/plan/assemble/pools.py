"""How many replicas serve a service together: what pooling gains depends on it, and it depends on the plan.

A service has replicas of its own: mixed on the same ones, the service with the stricter targets drags all others down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from meritorder.fleet.schema import Fleet
from meritorder.plan.capacity import Capacity, Key
from meritorder.plan.demand import DemandTable
from meritorder.plan.instance import Floats, Instance
from meritorder.plan.outcome import Plan
from meritorder.plan.systems import block_of

LARGE = 1e6  # replicas: a pool that gains nothing more
LEAST = 1.0


def models_of(fleet: Fleet) -> list[str]:
    """All models that services with demand ask for, in order."""
    assert fleet.plan is not None
    return list(dict.fromkeys(fleet.services[name].model for name in fleet.plan.demand))


def expected_pools(fleet: Fleet, demand: DemandTable, capacities: Mapping[Key, Capacity]) -> Floats:
    """[S,H,I] replicas if each service's demand were shared evenly by all sites and offers that may serve it.

    Demand is that of the design hour in the middle of the horizon, expected over the scenarios.
    """
    assert fleet.plan is not None
    sites, offers = list(fleet.plan.sites), list(fleet.plan.offers)
    busy = demand.requests[len(demand.requests) // 2, :, -1] @ demand.probability  # [K]
    needed = np.zeros((len(offers), len(demand.services)))
    for key, capacity in capacities.items():
        rate = capacity.rate(LARGE, 0.0)
        if key.decode or rate <= 0.0:
            continue
        mine = [k for k, (service, _) in enumerate(demand.classes) if service == key.service]
        needed[offers.index(key.offer), demand.services.index(key.service)] = busy[mine].sum() / rate
    stands = np.array([[block_of(fleet, site, offer) is not None for offer in offers] for site in sites], float)
    stands = stands.reshape(len(sites), len(offers))
    places = np.einsum("sh,hi->i", stands, (needed > 0.0).astype(float))
    shared: Floats = np.maximum(LEAST, needed / np.maximum(1.0, places))
    return np.tile(shared, (len(sites), 1, 1))


def pools_of(instance: Instance, plan: Plan) -> Floats:
    """[S,H,I] replicas that serve each service in a plan's design (or busiest) hours, at least 1; 0 where none do.

    Replicas of a model are parted by what its services keep busy; the mean is of the periods in which there are any.
    """
    size = instance.stock.replica
    placed = plan.build.placed
    replicas = np.divide(placed, size, out=np.zeros_like(placed), where=size > 0.0)  # [T,S,H,M]
    busy = _busy(instance, plan)  # [T,S,H,I]
    model = np.full(len(instance.names.services), -1)
    model[instance.demand.service] = instance.demand.model
    together = np.stack([busy[..., model == m].sum(axis=-1) for m in range(size.shape[1])], axis=-1)[..., model]
    part = np.divide(busy, together, out=np.zeros_like(busy), where=together > 0.0)
    pools = part * replicas[..., model]
    there = pools > 0.0
    mean = pools.sum(axis=0) / np.maximum(1, there.sum(axis=0))
    return np.where(there.any(axis=0), np.maximum(LEAST, mean), 0.0)


def _busy(instance: Instance, plan: Plan) -> Floats:
    """[T,S,H,I] systems that a service keeps busy in the design hour, or else that of most requests; expected."""
    ways, demand, shape = instance.ways, instance.demand, instance.shape
    design = np.flatnonzero(np.isnan(demand.clock))
    total = demand.requests.sum(axis=(1, 3))  # [T,R]
    hour = np.full(shape["T"], design[0]) if len(design) else total.argmax(axis=1)
    served = plan.operation.served[np.arange(shape["T"]), hour]  # [T,J,F]
    expected = np.einsum("tjf,j->tf", served, demand.probability)
    found = np.zeros((shape["S"], shape["H"], len(instance.names.services), shape["T"]))
    service = demand.service[ways.cls]
    for system, rate in ((ways.system, ways.rate), (ways.decoder, ways.decoder_rate)):
        for f in np.flatnonzero((system >= 0) & (ways.site >= 0)):
            found[ways.site[f], system[f], service[f]] += expected[:, f] / rate[f]
    return np.moveaxis(found, -1, 0)


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
