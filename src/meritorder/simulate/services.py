"""Which service of the fleet each request of a trace belongs to."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from meritorder.fleet.schema import Fleet
from meritorder.problems import InputError, Problem, did_you_mean
from meritorder.workload.trace import Trace
from meritorder.workload.transform import assign_services


def services_of(fleet: Fleet, trace: Trace, seed: int) -> npt.NDArray[np.int32]:
    """Index into `fleet.services` per request: by name where the trace names services of the fleet, else by share.

    A service's name in the trace is its `match`, or its own where it has no `share`; a trace that knows all its
    requests by the fleet's own names (as the gateway records them) is taken by these. Shares are drawn with `seed`;
    all requests of a session belong to one service. Raises InputError where some requests would belong to none.
    """
    services = list(fleet.services.values())
    if len(services) == 1 and services[0].match is None:
        return np.zeros(len(trace), np.int32)
    named = _by_own_names(fleet, trace)
    if named is not None:
        return named
    result = np.full(len(trace), -1, np.int32)
    for index, (name, service) in enumerate(fleet.services.items()):
        if service.match is not None:
            result[trace.service == _code(fleet, trace, service.match)] = index
        elif service.share is None and name in trace.services:
            result[trace.service == trace.services.index(name)] = index
    rest = result < 0
    total = sum(service.share or 0.0 for service in services)
    if rest.any():
        if abs(total - 1.0) > 1e-6:
            names = sorted({trace.services[i] for i in np.unique(trace.service[rest])})
            raise InputError(
                Problem(
                    f"{int(rest.sum()):,} requests of the trace belong to no service (their names there: "
                    f"{', '.join(names)}; shares add up to {total:g})",
                    where=trace.source,
                    key="services",
                    fix="let the shares add up to 1, or give a service `match: NAME`",
                )
            )
        by_share = {name: service.share or 0.0 for name, service in fleet.services.items()}
        result[rest] = assign_services(trace, by_share, seed).service[rest]
    return result


def _by_own_names(fleet: Fleet, trace: Trace) -> npt.NDArray[np.int32] | None:
    """By the fleet's names, where they are all that the trace has and no service goes by another one there."""
    there = {trace.services[index] for index in np.unique(trace.service)}
    others = {service.match for name, service in fleet.services.items() if service.match not in (None, name)}
    if _nameless(trace) or not there <= fleet.services.keys() or there & others:
        return None
    index = {name: i for i, name in enumerate(fleet.services)}
    return np.array([index.get(name, -1) for name in trace.services], np.int32)[trace.service]


def _nameless(trace: Trace) -> bool:
    return trace.services == ("default",)


def _code(fleet: Fleet, trace: Trace, name: str) -> int:
    if name not in trace.services:
        what = f'no request of the trace is of service "{name}"'
        fix = (
            "it names no services: give the fleet's `share`" if _nameless(trace) else did_you_mean(name, trace.services)
        )
        raise InputError(Problem(what, where=trace.source, key="services", fix=fix))
    return trace.services.index(name)
