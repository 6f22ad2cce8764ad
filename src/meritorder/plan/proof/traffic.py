"""Traffic of a fleet in an hour or on a day of a plan: every service's own requests at the rates that were planned."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from meritorder.fleet.schema import Fleet
from meritorder.plan.capacity.draw import Source
from meritorder.plan.capacity.traffic import traffic_of
from meritorder.plan.demand import region_of
from meritorder.plan.instance import Floats, Instance
from meritorder.problems import InputError, Problem
from meritorder.workload.rows import join
from meritorder.workload.trace import Trace
from meritorder.workload.transform import mix

HOUR_S = 3600.0


@dataclass(frozen=True)
class Traffic:
    """What services ask like. Capacities were found with the same requests."""

    bases: dict[str, Trace]  # by service
    services: tuple[str, ...]
    service: tuple[int, ...]  # [K] of a class
    regions: tuple[str, ...]  # [K]

    def steady(self, requests: Floats, span_s: float, seed: int, *, part: int = 1) -> Trace:
        """`requests` [K] per second for `span_s` seconds; with `part` k only each k-th session ever comes into being.

        The same arguments give the same bits. Raises InputError where that is not one request.
        """
        drawn, names = [], []
        for index, name in enumerate(self.services):
            mine = [k for k, of in enumerate(self.service) if of == index]
            rate = float(requests[mine].sum()) / part
            if rate * span_s < 1.0:
                continue
            trace = Source(self.bases[name], seed).draw(rate, span_s)
            if len(trace):
                shares = requests[mine] / requests[mine].sum()
                drawn.append(_from(trace, [self.regions[k] for k in mine], shares, seed + index))
                names.append(name)
        if not drawn:
            raise InputError(Problem("no request comes in the time that is simulated", key="plan.demand"))
        return mix(drawn, names)

    def day(self, requests: Floats, seed: int, *, part: int = 1, hours: range = range(24)) -> Trace:
        """`requests` [K,24] per second by the hour of the day (UTC), in some hours; time 0 is midnight."""
        drawn = [self.steady(requests[:, hour], HOUR_S, seed * 24 + hour, part=part) for hour in hours]
        return join(
            [replace(trace, arrival_s=trace.arrival_s + h * HOUR_S) for h, trace in zip(hours, drawn, strict=True)]
        )


def traffic_from(fleet: Fleet, instance: Instance, seed: int) -> Traffic:
    """The traffic of a plan's services. Raises InputError where one can't be had."""
    names = instance.names
    return Traffic(
        bases={name: traffic_of(fleet, name, seed) for name in names.services},
        services=names.services,
        service=tuple(int(index) for index in instance.demand.service),
        regions=tuple(region_of(name) for name in names.classes),
    )


def _from(trace: Trace, regions: list[str], shares: Floats, seed: int) -> Trace:
    """The trace with a region for every session, drawn by `shares`."""
    alone = trace.session < 0
    unit = np.where(alone, int(trace.session.max(initial=-1)) + np.cumsum(alone), trace.session)
    drawn = np.random.default_rng((seed, 11)).choice(len(regions), int(unit.max(initial=0)) + 1, p=shares)
    known = tuple(dict.fromkeys(regions))
    place = np.array([known.index(region) for region in regions], np.int16)
    return replace(trace, region=place[drawn[unit]], regions=known)
