"""What the plan says a fleet can carry: the largest factor on the demand of an hour, as a linear program.

Services that share no machine have factors of their own: a group is what hangs together. Availability is left out, and
so is power: the factor is about capacities alone, with all machines up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meritorder.plan.instance import Floats, Instance, Ints
from meritorder.plan.linear import Program

MOST = 16.0  # a group that carries more isn't limited by its machines
_TIE = 1e-6  # weight of cost among operations that carry the same


@dataclass(frozen=True)
class Scaled:
    """The largest factors, and how the fleet would run then."""

    group: Ints  # [K] which factor a class has; -1: nothing is asked of it, or nothing can serve it
    factor: Floats  # [groups]
    served: Floats  # [F] requests/s
    full: Floats  # [S,H,M] what a system more would add to the factors, 0: machines are left over


def groups_of(instance: Instance, systems: Floats, demand: Floats) -> Ints:
    """A number per class [K] of the services that hang together by machines that they may use; -1: none."""
    ways, classes = instance.ways, instance.demand
    parent = {k: k for k in range(len(demand))}

    def find(k: int) -> int:
        while parent[k] != k:
            k = parent[k]
        return k

    seen: dict[tuple[int, ...], int] = {}
    usable: set[int] = set()
    for service in np.unique(classes.service):  # regions of a service belong together
        mine = np.flatnonzero((classes.service == service) & (demand > 0.0))
        for k in mine[1:]:
            parent[find(int(k))] = find(int(mine[0]))
    for f in range(len(ways.cls)):
        k = int(ways.cls[f])
        places = _places(instance, f)
        if demand[k] <= 0.0 or any(systems[place] <= 0.0 for place in places):
            continue
        usable.add(k)
        keys = [*places, *([(int(ways.api[f]),)] if ways.api[f] >= 0 else [])]
        for key in keys:
            parent[find(k)] = find(seen.setdefault(key, k))
    roots: dict[int, int] = {}
    group = [roots.setdefault(find(k), len(roots)) if k in usable else -1 for k in range(len(demand))]
    return np.array(group, np.int64)


def largest(instance: Instance, systems: Floats, demand: Floats, t: int, j: int) -> Scaled:
    """Factors on `demand` [K] requests/s that `systems` [S,H,M] with a model loaded carry in period t, scenario j."""
    ways, size = instance.ways.at(t), instance.shape
    group = groups_of(instance, systems, demand)
    count = int(group.max(initial=-1)) + 1
    if not count:
        return Scaled(group, np.zeros(0), np.zeros(size["F"]), np.zeros_like(systems))
    program = Program()
    asked = group[ways.cls] >= 0
    there = np.array([all(systems[place] > 0.0 for place in _places(instance, f)) for f in range(size["F"])], bool)
    price = instance.ground.usd_per_j[t].max(axis=1)
    usd = ways.usd + np.where(ways.site >= 0, (ways.joules + ways.decoder_joules) * price[ways.site], 0.0)
    per_group = np.array([max(demand[group == g].sum(), 1e-12) for g in range(count)])
    of_way = np.where(asked, per_group[np.maximum(group[ways.cls], 0)], 1.0)
    # in units of the group's demand, so that the tie-breaker is small beside the factor
    dearest = max(float(usd.max(initial=0.0)), 1e-12)
    served = program.variables(size["F"], cost=_TIE * usd / dearest / of_way, where=asked & there)
    factor = program.variables(count, upper=MOST, cost=-1.0)
    for k in np.flatnonzero(group >= 0):
        own = np.flatnonzero(ways.cls == k)
        of_it = factor[group[k : k + 1]]
        program.add(f"demand {k}", [(1.0, served[own][None]), (-demand[k], of_it)], shape=1, lower=0.0, upper=0.0)
    used: dict[tuple[int, int, int], list[tuple[int, float]]] = {}
    for f in np.flatnonzero(asked & there):
        speed = instance.demand.speed[j]
        rates = [ways.rate[f] * speed[ways.system[f]], ways.decoder_rate[f] * speed[ways.decoder[f]]]
        for place, rate in zip(_places(instance, int(f)), rates, strict=False):
            used.setdefault(place, []).append((int(f), 1.0 / rate))
    rows = {}
    for place, terms in used.items():
        index = np.array([f for f, _ in terms])
        weights = np.array([weight for _, weight in terms])
        rows[place] = program.add(
            f"machines {place}", [(weights[None], served[index][None])], shape=1, upper=systems[place]
        )[0]
    for a in range(size["A"]):
        own = np.flatnonzero((ways.api == a) & asked)
        program.add(f"api {a}", [(1.0, served[own][None])], shape=1, upper=instance.policy.api_rate[t, a])
    solved = program.arrays().solve(threads=1, relax=True)
    full = np.zeros_like(systems)
    for place, row in rows.items():
        full[place] = max(0.0, -float(solved.row_duals[row]))
    return Scaled(group, solved[factor], solved[served], full)


def _places(instance: Instance, f: int) -> list[tuple[int, int, int]]:
    """The machines (site, system, model) that a way takes: none of an API, two of a pair."""
    ways = instance.ways
    if ways.api[f] >= 0:
        return []
    model = int(instance.demand.model[ways.cls[f]])
    first = (int(ways.site[f]), int(ways.system[f]), model)
    if ways.decoder[f] < 0:
        return [first]
    return [first, (int(ways.site[f]), int(ways.decoder[f]), model)]
