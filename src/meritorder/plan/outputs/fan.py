"""Demand and what could be served of it, by service and scenario."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meritorder.plan.instance import Floats, Instance, Ints
from meritorder.plan.outcome import Build, Plan


@dataclass(frozen=True)
class Fan:
    """Output tokens/s of services (P) in the busiest hour of each period, all regions together."""

    demand: Floats  # [T,P,J]
    served: Floats  # [T,P,J] in that hour
    capacity: Floats  # [T,P] if the systems that hold its model served nothing else; APIs at their limit
    unmet: Floats  # [P,J] share of the requests of the horizon that are not served
    requests: Floats  # [P,J] requests of the horizon


def fan(instance: Instance, plan: Plan) -> Fan:
    """The services' demand beside the plan's capacity."""
    demand = instance.demand
    services = len(instance.names.services)
    periods = len(instance.years)
    into = np.eye(services)[demand.service]  # [K,P]
    asked = np.einsum("tkrj,k,kp->tprj", demand.requests, demand.tokens, into)
    missed = np.einsum("tkrj,k,kp->tprj", plan.operation.unmet, demand.tokens, into)
    busiest = asked.argmax(axis=2)[:, :, None, :]
    peak = np.take_along_axis(asked, busiest, axis=2)[:, :, 0]
    lost = np.take_along_axis(missed, busiest, axis=2)[:, :, 0]
    requests = np.einsum("tkrj,tr,kp->pj", demand.requests, demand.seconds, into)
    unserved = np.einsum("tkrj,tr,kp->pj", plan.operation.unmet, demand.seconds, into)
    capacity = np.zeros((periods, services))
    for p in range(services):
        for t in range(periods):
            capacity[t, p] = _capacity(instance, plan.build, t, np.flatnonzero(demand.service == p))
    return Fan(
        demand=peak,
        served=peak - lost,
        capacity=capacity,
        unmet=np.divide(unserved, requests, out=np.zeros_like(requests), where=requests > 0),
        requests=requests,
    )


def _capacity(instance: Instance, build: Build, t: int, classes: Ints) -> float:
    """Output tokens/s of one service in a period: on each kind of system the best way for its classes."""
    ways, stock, demand = instance.ways.at(t), instance.stock, instance.demand
    model = int(demand.model[classes[0]])
    up = build.placed[t, :, :, model] * stock.availability  # [S,H]
    total = 0.0
    for s in range(up.shape[0]):
        for h in np.flatnonzero(up[s] > 0).tolist():
            best = 0.0
            alone = np.isin(ways.cls, classes) & (ways.site == s) & (ways.decoder < 0) & (ways.system == h)
            made = np.isin(ways.cls, classes) & (ways.site == s) & (ways.decoder == h)
            for f in np.flatnonzero(alone):
                best = max(best, ways.rate[f] * demand.tokens[ways.cls[f]])
            for f in np.flatnonzero(made):  # of a pair: as much as the systems for prompts keep up with
                keeps = min(up[s, h] * ways.decoder_rate[f], up[s, ways.system[f]] * ways.rate[f]) / up[s, h]
                best = max(best, keeps * demand.tokens[ways.cls[f]])
            total += up[s, h] * best
    for f in np.flatnonzero(np.isin(ways.cls, classes) & (ways.api >= 0)):
        limit = instance.policy.api_rate[t, ways.api[f]]
        if np.isfinite(limit):
            total += limit * demand.tokens[ways.cls[f]]
    return float(total)
