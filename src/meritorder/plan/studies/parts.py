"""Parts of an instance: some scenarios, some hours, the mean scenario."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from meritorder.plan.instance import Instance


def of_scenarios(instance: Instance, kept: Sequence[int]) -> Instance:
    """Only some scenarios, their probabilities scaled to 1."""
    which = np.asarray(kept, np.int64)
    demand = instance.demand
    chance = demand.probability[which]
    return replace(
        instance,
        names=replace(instance.names, scenarios=tuple(instance.names.scenarios[j] for j in kept)),
        demand=replace(
            demand,
            requests=demand.requests[..., which],
            probability=chance / chance.sum(),
            speed=demand.speed[which],
            power_price=demand.power_price[which],
            late=demand.late[which],
        ),
        decided=instance.decided[:, which],
    )


def mean_scenario(instance: Instance) -> Instance:
    """One scenario: everything that differs between them at its mean, deliveries as late as in most."""
    demand = instance.demand
    chance = demand.probability
    usual = int(np.argmax(chance))
    mean = replace(
        demand,
        requests=(demand.requests @ chance)[..., None],
        probability=np.ones(1),
        speed=(chance @ demand.speed)[None],
        power_price=np.array([chance @ demand.power_price]),
        late=demand.late[usual][None],
    )
    return replace(
        instance,
        names=replace(instance.names, scenarios=("mean",)),
        demand=mean,
        decided=np.zeros((len(instance.years), 1), np.int64),
    )


def of_hours(instance: Instance, kept: Sequence[int]) -> Instance:
    """Only some hours; what is left of the time is scaled to the whole where there is any."""
    which = np.asarray(kept, np.int64)
    demand, ground = instance.demand, instance.ground
    seconds, whole = demand.seconds[:, which], demand.seconds.sum(axis=1, keepdims=True)
    total = seconds.sum(axis=1, keepdims=True)
    scaled = np.where(total > 0, seconds * np.divide(whole, total, out=np.ones_like(total), where=total > 0), 0.0)
    return replace(
        instance,
        demand=replace(demand, requests=demand.requests[:, :, which], clock=demand.clock[which], seconds=scaled),
        ground=replace(
            ground,
            pieces=ground.pieces[:, which],
            cooled=ground.cooled[:, which],
            usd_per_j=ground.usd_per_j[:, :, which],
            kg_per_j=ground.kg_per_j[:, :, which],
        ),
    )
