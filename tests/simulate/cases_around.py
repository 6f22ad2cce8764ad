"""Random surroundings for the fleets of `simulate.cases`: what breaks, buildings that bind, requests that may wait."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from meritorder.fleet.control import Control, DemandResponse, Flexible
from meritorder.fleet.faults import Faults
from meritorder.fleet.network import Egress, Region
from meritorder.fleet.schema import Fleet
from meritorder.fleet.surroundings import Scenario
from meritorder.records import records
from meritorder.simulate.faults.outage import DOWN, LINK_DOWN, LINK_UP, NORMAL, OUTAGE, SLOW, UP, Outages
from meritorder.workload.trace import Trace
from simulate.cases import Case, random_case, random_table


def failing_case(seed: int, *, policy: str | None = None, **kind: bool) -> Case:
    """A random case in which machines fail. `kind`: as of `random_case`."""
    case = random_case(seed, policy=policy, **kind)
    g = np.random.default_rng((seed, 1))
    fleet = impatient(g, case.fleet)
    faults = Faults(detection=float(g.choice([0.0, 0.01, 0.5])), retries=int(g.integers(0, 4)))
    control = Control(step=float(g.choice([0.05, 0.3, 1.0])))
    fleet = fleet.model_copy(update={"faults": faults, "control": control})
    return replace(case, fleet=fleet, outages=random_outages(g, fleet, case.trace))


def site_case(seed: int, *, policy: str | None = None, failing: bool = False, **kind: bool) -> Case:
    """A random case with sites that have too little power at times, caps, and requests that may wait.

    `failing`: machines fail there, too. `kind`: as of `random_case`.
    """
    case = random_case(seed, policy=policy, **kind)
    g = np.random.default_rng((seed, 2))
    fleet = impatient(g, case.fleet, flexible=True)
    sample = 2 if g.random() < 0.2 and len(case.trace) > 20 else 1
    pools, replicas = {}, []
    for (name, pool), replica in zip(fleet.pools.items(), case.replicas, strict=True):
        # a simulated machine stands for so many
        pool = pool.model_copy(update={"replicas": pool.replicas * sample})
        caps = (0.8, 0.6, 0.4)[: g.integers(0, 4)]
        told = [
            (random_table(g, replica.table.max_sequences, replica.table.token_budget), 100.0 + 900.0 * cap)
            for cap in caps
        ]
        pools[name] = pool.model_copy(update={"caps": caps})
        replicas.append(replace(replica, max_w=1000.0, capped=tuple(told)))
    sites = {}
    for name, site in fleet.sites.items():
        machines = sum(pool.replicas for pool in pools.values() if pool.site == name)
        sites[name] = site.model_copy(update=random_site(g, machines))
    control = Control(
        step=float(g.choice([0.02, 0.1, 0.5])),
        order=tuple(g.permutation(["move", "cap", "hold", "shed"])[: g.integers(1, 5)]),
        margin=float(g.choice([0.0, 0.1])),
        release=float(g.choice([0.01, 0.2, 1.0])),
    )
    regions = {"there": Region(bandwidth=float(g.choice([1e4, 1e6])))} if g.random() < 0.3 else {}
    fleet = fleet.model_copy(update={"pools": pools, "sites": sites, "control": control, "regions": regions})
    outages = None
    if failing:
        faults = Faults(detection=float(g.choice([0.0, 0.05])), retries=int(g.integers(0, 3)))
        fleet = fleet.model_copy(update={"faults": faults})
        outages = random_outages(g, case.fleet, case.trace)
    return replace(case, fleet=fleet, replicas=tuple(replicas), outages=outages, sample=sample)


def random_site(g: np.random.Generator, machines: int) -> dict[str, object]:
    """Limits, prices and wishes of the grid for a site with so many machines of 100 W to 1 kW."""
    update: dict[str, object] = {}
    if g.random() < 0.7:
        update["power_limit"] = float(max(machines, 1) * g.uniform(110, 900))
    if g.random() < 0.5:
        update["scenarios"] = tuple(
            Scenario(
                what=str(g.choice(["price-spike", "dirty-grid"])),
                start=float(g.uniform(0, 3)),
                duration=float(g.uniform(0.2, 3)),
                times=float(g.choice([0.1, 5.0])),
            )
            for _ in range(g.integers(1, 3))
        )
    if g.random() < 0.5:
        wish = {"reduce": float(g.uniform(0.05, 0.6))} if g.random() < 0.5 else {"limit": float(machines * 150.0 + 1.0)}
        update["demand_response"] = (
            DemandResponse(
                start=float(g.uniform(0, 2)),
                duration=float(g.uniform(0.1, 3)),
                within=float(g.choice([0.05, 1.0])),
                **wish,
            ),
        )
    if g.random() < 0.4:
        update["egress"] = Egress(bandwidth=float(g.choice([2e3, 1e5])))
    return update


def impatient(g: np.random.Generator, fleet: Fleet, *, flexible: bool = False) -> Fleet:
    """The fleet with services that take failures differently, and wait differently."""
    services = {}
    for name, service in fleet.services.items():
        update: dict[str, object] = {"on_failure": str(g.choice(["lose", "retry", "continue", "continue"]))}
        if service.patience is None and service.overload == "queue":
            # nobody waits for a day until machines are back that never are
            update["patience"] = float(g.uniform(0.1, 5.0))
        if flexible and g.random() < 0.5:
            update["flexible"] = Flexible(
                within=float(g.choice([0.05, 0.5, 4.0])),
                price_below=float(g.choice([0.05, 0.3])) if g.random() < 0.5 else None,
                carbon_below=float(g.choice([0.1, 0.5])) if g.random() < 0.3 else None,
            )
        services[name] = service.model_copy(update=update)
    return fleet.model_copy(update={"services": services})


def random_outages(g: np.random.Generator, fleet: Fleet, trace: Trace, most: int = 25) -> Outages:
    """Machines that fall, rise and slow down: one, some, a whole pool or all, one within the other, also just as a
    request comes; some never come back. Links fail where there are any."""
    of = np.repeat(np.arange(len(fleet.pools)), [pool.replicas for pool in fleet.pools.values()])
    span = trace.duration_s * 1.3 + 1.0
    drawn: list[tuple[float, int, int, list[int], int, float]] = []
    for _ in range(g.integers(1, most)):
        start = float(g.choice(trace.arrival_s)) if g.random() < 0.4 else float(g.uniform(0, span))
        lasts = np.inf if g.random() < 0.04 else float(g.choice([0.0, g.exponential(0.05), g.exponential(0.5)]))
        stop = start + lasts
        if lasts < np.inf and g.random() < 0.2:
            stop = float(trace.arrival_s[trace.arrival_s >= start].max(initial=stop))
        cause = int(g.integers(1, 14))
        if fleet.links and g.random() < 0.25:
            link = int(g.integers(len(fleet.links)))
            drawn += [(start, LINK_DOWN, cause, [], link, 1.0), (stop, LINK_UP, cause, [], link, 1.0)]
            continue
        hit = np.flatnonzero(of == g.choice(of)) if g.random() < 0.3 else np.arange(len(of))
        if g.random() < 0.9:
            hit = g.choice(hit, g.integers(1, min(len(hit), 3) + 1), replace=False)
        falls = g.random() < 0.75
        factor = 1.0 if falls else float(g.choice([1.5, 3.0, 10.0]))
        kinds = (DOWN, UP) if falls else (SLOW, NORMAL)
        drawn += [(start, kinds[0], cause, list(hit), -1, factor), (stop, kinds[1], cause, list(hit), -1, factor)]
    drawn = sorted((row for row in drawn if row[0] < np.inf), key=lambda row: row[0])
    outages = records(len(drawn), OUTAGE)
    hits: list[int] = []
    for o, (time, kind, cause, hit, part, factor) in zip(outages, drawn, strict=True):
        o.time, o.kind, o.cause, o.first, o.count, o.part, o.factor, o.until = (
            *(time, kind, cause, len(hits), len(hit), part, factor, time),
        )
        hits += hit
    return Outages(outages, np.array(hits, np.int32))
