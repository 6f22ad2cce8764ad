"""Parts of an instance that studies look at: one scenario alone, the mean of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from meritorder.plan.axes import select
from meritorder.plan.instance import Instance
from meritorder.plan.model import Case
from meritorder.plan.model.flexible import firm


def of_hours(instance: Instance, hours: Sequence[int]) -> Instance:
    """Only some hours, with the time that they have."""
    return select(_steady(instance), R=hours)


def alone(instance: Instance, scenario: int) -> Instance:
    """One scenario. Limits on what is expected over several (carbon, money for APIs) don't bind it and are left out."""
    part = select(_steady(instance), J=[scenario])
    policy = instance.policy
    if len(instance.names.scenarios) > 1:
        policy = replace(
            policy, carbon_kg=np.full_like(policy.carbon_kg, np.inf), api_usd=np.full_like(policy.api_usd, np.inf)
        )
    return replace(part, demand=replace(part.demand, probability=np.ones(1)), policy=policy)


def cases_alone(cases: Sequence[Case], scenario: int) -> tuple[Case, ...]:
    """The contingencies of a scenario, as those of the only one."""
    return tuple(case._replace(scenario=0) for case in cases if case.scenario == scenario)


def mean_scenario(instance: Instance) -> Instance:
    """One scenario: what differs between them at its mean, deliveries as late as in the likeliest."""
    demand, chance = instance.demand, instance.demand.probability
    part = select(_steady(instance), J=[int(np.argmax(chance))])
    mean = replace(
        part.demand,
        requests=(demand.requests @ chance)[..., None],
        probability=np.ones(1),
        speed=(chance @ demand.speed)[None],
        power_price=np.array([chance @ demand.power_price]),
    )
    return replace(part, names=replace(instance.names, scenarios=("mean",)), demand=mean)


def _steady(instance: Instance) -> Instance:
    """What can be put off in the design hour is told from all hours and scenarios, also in a part."""
    return replace(instance, demand=replace(instance.demand, firm=firm(instance)))
